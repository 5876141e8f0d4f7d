// The keys of a training configuration for people: in groups, each with what goes there, its first sentence and its default.

import { configJsonSchema } from './schema.ts'

export interface KeyGroup {
  title: string
  keys: { key: string; value: string; summary: string }[]
}

interface Property {
  description: string
  default?: unknown
  type?: string
  enum?: readonly string[]
  const?: unknown
  anyOf?: readonly Property[]
}

/** Keys stand in the order of the schema; each of these begins a group. */
const GROUPS: Readonly<Record<string, string>> = {
  stage: 'What is trained',
  dataset: 'Data',
  on_overlong: 'Conversations and pairs (stage: sft, dpo)',
  loss_type: 'Preferences (stage: dpo)',
  lora_r: 'LoRA and DropBP',
  num_virtual_tokens: 'Soft prompt (finetuning: prompt)',
  freeze_trainable_layers: 'Frozen layers (finetuning: freeze)',
  load_in_4bit: 'Quantized base',
  optim: 'Optimization',
  output_dir: 'The run',
}

/** All keys, in their groups. */
export function keyGroups(): KeyGroup[] {
  const { properties, required } = configJsonSchema() as { properties: Record<string, Property>; required: string[] }
  const groups: KeyGroup[] = []
  for (const [key, property] of Object.entries(properties)) {
    if (GROUPS[key] !== undefined) groups.push({ title: GROUPS[key], keys: [] })
    const isRequired = required.includes(key)
    groups.at(-1)!.keys.push({ key, value: placeholderOf(property), summary: summaryOf(property, isRequired) })
  }
  return groups
}

function summaryOf({ description, default: fallback, enum: choices }: Property, isRequired: boolean): string {
  const said = / Default: (.*)$/.exec(description)?.[1]?.replace(/\.$/, '')
  // A sentence ends with a stop before a capital: "such as conv1d.weight" is none.
  const [first = description] = description.replace(/ Default: .*$/, '').split(/\. (?=[A-Z(])/)
  const value = fallback ?? said?.split(/; |, which | \(/)[0]
  const isEmpty = value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0)
  const names = choices !== undefined && isLong(choices) ? `: ${choices.join(', ')}` : ''
  const note = isRequired ? ' (required)' : isEmpty ? '' : ` (default ${String(value)})`
  return first.replace(/\.$/, '') + names + note
}

function placeholderOf({ type, enum: choices, const: only, anyOf }: Property): string {
  if (choices !== undefined) return isLong(choices) ? 'NAME' : choices.join('|')
  if (only !== undefined) return String(only)
  if (anyOf !== undefined) return [...new Set(anyOf.map(placeholderOf))].join('|')
  return { integer: 'N', number: 'X', boolean: 'true|false', array: '[…]', object: '{…}' }[type ?? ''] ?? 'TEXT'
}

/** Too long to stand behind its key. */
function isLong(choices: readonly string[]): boolean {
  return choices.join('|').length > 64
}
