// The keys of a configuration for people: in groups, each with what goes there, its first sentence and its default.

import { type ConfigKind, jsonSchemaOf } from './kind.ts'

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
  properties?: Readonly<Record<string, Property>>
  required?: readonly string[]
}

/** All keys, in their groups, in the order of the schema. */
export function keyGroups(kind: ConfigKind): KeyGroup[] {
  const groups: KeyGroup[] = []
  const add = ({ properties = {}, required = [] }: Pick<Property, 'properties' | 'required'>, prefix: string): void => {
    for (const [name, property] of Object.entries(properties)) {
      const key = prefix + name
      if (kind.groups[key] !== undefined) groups.push({ title: kind.groups[key], keys: [] })
      if (Object.hasOwn(kind.sections, key)) {
        add(property, `${key}.`)
        continue
      }
      const summary = summaryOf(property, required.includes(name))
      groups.at(-1)!.keys.push({ key, value: placeholderOf(property), summary })
    }
  }
  add(jsonSchemaOf(kind), '')
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
