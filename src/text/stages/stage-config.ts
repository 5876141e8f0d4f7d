// One stage of a tokenizer.json, such as a normalizer, as it is before it is understood: a type and some fields that may be
// anything, because the file may come from anybody.

import { TokenizerError, UnsupportedError } from '../../errors.ts'

/** A `type` and the fields of that type, unchecked. */
export interface StageConfig {
  type: string
  [field: string]: unknown
}

const MAX_NESTING = 8
const MAX_STAGES = 32

/** A text field, or `fallback` where it is absent or null; throws if it is anything else. */
export function textField(config: StageConfig, field: string, fallback: string, where: string): string {
  const value = config[field] ?? fallback
  if (typeof value === 'string') return value
  throw new TokenizerError(`bad field in ${where}.${field}: expected a text, got ${show(value)}. Get the file again`)
}

/** The stages of a Sequence with their paths; throws if there are too many or they nest too deeply. */
export function nestedStages(list: unknown, where: string, depth: number): [StageConfig, string][] {
  if (depth >= MAX_NESTING || !Array.isArray(list) || list.length > MAX_STAGES) {
    throw new UnsupportedError(
      `unusual Sequence in ${where}: expected up to ${MAX_STAGES} stages, nested up to ${MAX_NESTING} deep, got ${show(list)}. Flatten it`,
    )
  }
  return list.map((stage: StageConfig | null, index) => {
    if (typeof stage?.type !== 'string') throw unknownStage('stage', `${where}[${index}]`, stage)
    return [stage, `${where}[${index}]`]
  })
}

/** The error for a stage type that Anneal does not have. */
export function unknownStage(kind: string, where: string, config: StageConfig | null): UnsupportedError {
  return new UnsupportedError(
    `unknown ${kind} in ${where}: expected a type that Anneal knows, got ${show(config?.type)}. Use another tokenizer`,
  )
}

/** A value as JSON, shortened for a message. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80)
}
