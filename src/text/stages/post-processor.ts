// The control tokens that a tokenizer puts around a text (`<s> …`, `[CLS] … [SEP]`), from the `post_processor` field of a
// tokenizer.json. Only single texts: pairs are not encoded here.

import { TokenizerError } from '../../errors.ts'
import { nestedStages, type StageConfig, show, unknownStage } from './stage-config.ts'

/** Ids to put before and after a text. */
export interface Frame {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Compiles a `post_processor`; `size` is the number of ids, `where` names the field in messages. */
export function compilePostProcessor(config: StageConfig | null, size: number, where: string, depth = 0): Frame {
  if (config === null || config === undefined || config.type === 'ByteLevel') return { before: [], after: [] }
  switch (config.type) {
    case 'TemplateProcessing':
      return template(config, size, where)
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [pairId(config.cls, size, where)], after: [pairId(config.sep, size, where)] }
    case 'Sequence':
      return nestedStages(config.processors, where, depth)
        .map(([stage, path]) => compilePostProcessor(stage, size, path, depth + 1))
        .reduce((inner, outer) => ({
          before: [...outer.before, ...inner.before],
          after: [...inner.after, ...outer.after],
        }))
    default:
      throw unknownStage('post-processor', where, config)
  }
}

function template(config: StageConfig, size: number, where: string): Frame {
  const before: number[] = []
  const after: number[] = []
  const known = (config.special_tokens ?? {}) as Record<string, { ids?: unknown } | undefined>
  let hasText = false
  const items = Array.isArray(config.single) ? config.single : []
  for (const item of items as { SpecialToken?: { id?: unknown }; Sequence?: unknown }[]) {
    if (item?.Sequence !== undefined) hasText = true
    const name = item?.SpecialToken?.id
    if (typeof name !== 'string') continue
    const ids = Object.hasOwn(known, name) ? known[name]?.ids : undefined
    if (!Array.isArray(ids)) throw badId(`${where}.special_tokens`, `the ids of ${JSON.stringify(name)}`, ids)
    for (const id of ids) (hasText ? after : before).push(checkedId(id, size, where))
  }
  if (!hasText || before.length + after.length > 64)
    throw badId(`${where}.single`, 'a text and up to 64 tokens', config.single)
  return { before, after }
}

/** `["[CLS]", 101]`. */
function pairId(pair: unknown, size: number, where: string): number {
  return checkedId(Array.isArray(pair) ? pair[1] : undefined, size, where)
}

function checkedId(id: unknown, size: number, where: string): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < size) return id as number
  throw badId(where, `an id below ${size}`, id)
}

function badId(where: string, expected: string, got: unknown): TokenizerError {
  return new TokenizerError(
    `wrong post-processor in ${where}: expected ${expected}, got ${show(got)}. Get the file again`,
  )
}
