// The control tokens that a tokenizer puts around a text (`<s> …`, `[CLS] … [SEP]`), from the `post_processor` field of a
// tokenizer.json; and how two texts stand beside each other (`[CLS] … [SEP] … [SEP]`), for models that read pairs.

import { TokenizerError } from '../../errors.ts'
import { nestedStages, type StageConfig, show, unknownStage } from './stage-config.ts'

/** Ids to put before and after a text. */
export interface Frame {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** What a pair is made of, in order: the first or second text, or ids; each with the segment that its tokens have. */
export type PairPart = { readonly type: number } & ({ readonly text: 0 | 1 } | { readonly ids: readonly number[] })

/** Compiles what a `post_processor` makes of two texts; parameters are those of `compilePostProcessor`. */
export function compilePairProcessor(
  config: StageConfig | null | undefined,
  size: number,
  where: string,
  depth = 0,
): readonly PairPart[] {
  const plain: PairPart[] = [
    { text: 0, type: 0 },
    { text: 1, type: 1 },
  ]
  switch (config?.type) {
    case undefined:
    case 'ByteLevel':
      return plain
    case 'TemplateProcessing':
      return pairTemplate(config, size, where)
    case 'BertProcessing': {
      const [cls, sep] = [pairId(config.cls, size, where), pairId(config.sep, size, where)]
      const end: PairPart = { ids: [sep], type: 1 }
      return [{ ids: [cls], type: 0 }, plain[0]!, { ids: [sep], type: 0 }, plain[1]!, end]
    }
    case 'RobertaProcessing': {
      const [cls, sep] = [pairId(config.cls, size, where), pairId(config.sep, size, where)]
      const parts: PairPart[] = [
        { ids: [cls], type: 0 },
        { text: 0, type: 0 },
        { ids: [sep, sep], type: 0 },
      ]
      return [...parts, { text: 1, type: 0 }, { ids: [sep], type: 0 }]
    }
    case 'Sequence': {
      // Each would put its own around what the others made; in files one does, beside those of bytes.
      const stages = nestedStages(config.processors, where, depth).filter(([stage]) => stage.type !== 'ByteLevel')
      const [[stage, path] = [null, where], other] = stages
      if (other !== undefined) throw badId(`${where}.processors`, 'one that frames pairs', config.processors)
      return compilePairProcessor(stage, size, path, depth + 1)
    }
    default:
      throw unknownStage('post-processor', where, config!)
  }
}

function pairTemplate(config: StageConfig, size: number, where: string): PairPart[] {
  const items = Array.isArray(config.pair) ? (config.pair as TemplateItem[]) : []
  const parts = items.map((item): PairPart => {
    const { id, type_id: type = 0 } = item?.SpecialToken ?? item?.Sequence ?? {}
    if (!Number.isInteger(type)) throw badId(`${where}.pair`, 'whole numbers as type_id', type)
    if (item?.SpecialToken !== undefined) return { ids: idsNamed(config, id, size, where), type: type as number }
    if (id !== 'A' && id !== 'B') throw badId(`${where}.pair`, 'the texts A and B, and tokens', item)
    return { text: id === 'A' ? 0 : 1, type: type as number }
  })
  const texts = parts.flatMap((part) => ('text' in part ? [part.text] : []))
  if (texts.length !== 2 || texts[0] === texts[1] || parts.length > 64)
    throw badId(`${where}.pair`, 'A and B once each, and up to 62 tokens', config.pair)
  return parts
}

interface TemplateItem {
  SpecialToken?: { id?: unknown; type_id?: unknown }
  Sequence?: { id?: unknown; type_id?: unknown }
}

/** The ids of a name in a template. */
function idsNamed(config: StageConfig, name: unknown, size: number, where: string): number[] {
  const known = (config.special_tokens ?? {}) as Record<string, { ids?: unknown } | undefined>
  const ids = typeof name === 'string' && Object.hasOwn(known, name) ? known[name]?.ids : undefined
  if (!Array.isArray(ids)) throw badId(`${where}.special_tokens`, `the ids of ${JSON.stringify(name)}`, ids)
  return ids.map((id) => checkedId(id, size, where))
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
  let hasText = false
  const items = Array.isArray(config.single) ? config.single : []
  for (const item of items as TemplateItem[]) {
    if (item?.Sequence !== undefined) hasText = true
    const name = item?.SpecialToken?.id
    if (typeof name !== 'string') continue
    const ids = idsNamed(config, name, size, where)
    for (const id of ids) (hasText ? after : before).push(id)
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
