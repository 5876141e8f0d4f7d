// Which shape a data set is in, told from the names of its fields alone, before anything is trained. What the data is for decides which
// shapes are possible; columns that a shape does not know do not matter to it.

import { InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { isNamedText } from '../read/files.ts'
import type { SourceRow } from '../read/sources.ts'

/** What rows are read for: the answers of stage `sft`, the pairs of stage `dpo`, or answers with a label. */
export type Purpose = 'supervised' | 'preference' | 'labelled'

/** The name of a shape. */
export type Shape =
  | 'preference-messages'
  | 'sharegpt-preference'
  | 'messages-preference'
  | 'alpaca-preference'
  | 'preference'
  | 'sharegpt-labelled'
  | 'messages-labelled'
  | 'alpaca-labelled'
  | 'labelled'
  | 'messages'
  | 'sharegpt'
  | 'alpaca'
  | 'prompt-completion'
  | 'prompt'
  | 'text'

const SYSTEM = 'system|system_prompt'
const CHAT = 'conversations|conversation'
const ANSWER = 'output|response|answer|completion'
/** Alpaca's. `prompt` beside `response` is LLaMA-Factory's name for a turn; beside `completion`, `chosen` it is TRL's for a text. */
const ASKED = 'instruction|question|prompt|query|input'
const ASKED_OF_PAIR = 'instruction|question|query|input'
/** The better and the worse answer; the second names are StackExchange's, as paired for reward models. */
const CHOSEN = 'chosen|response_j'
const REJECTED = 'rejected|response_k'
const BESIDE_ASKED = ['input|context|query', SYSTEM, 'history']

interface ShapeSpec {
  for: Purpose | undefined
  /** The fields by which the shape is known. After the first name come others that mean the same and are taken in its place. */
  fields: readonly string[]
  /** Fields that are read where they are. */
  optional: readonly string[]
}

/** The shapes that are recognised: of those possible, the first whose fields are all there. */
export const SHAPES: Readonly<Record<Shape, ShapeSpec>> = {
  'preference-messages': { for: 'preference', fields: ['chosen_messages', 'rejected_messages'], optional: [SYSTEM] },
  'sharegpt-preference': { for: 'preference', fields: [CHAT, CHOSEN, REJECTED], optional: [SYSTEM] },
  'messages-preference': { for: 'preference', fields: ['messages', CHOSEN, REJECTED], optional: [SYSTEM] },
  'alpaca-preference': {
    for: 'preference',
    fields: [ASKED_OF_PAIR, CHOSEN, REJECTED],
    optional: BESIDE_ASKED,
  },
  preference: { for: 'preference', fields: [CHOSEN, REJECTED], optional: ['prompt', SYSTEM] },
  'sharegpt-labelled': { for: 'labelled', fields: [CHAT, 'label|kto_tag'], optional: [SYSTEM] },
  'messages-labelled': { for: 'labelled', fields: ['messages', 'label|kto_tag'], optional: [SYSTEM] },
  'alpaca-labelled': { for: 'labelled', fields: ['instruction', 'output', 'label|kto_tag'], optional: BESIDE_ASKED },
  labelled: { for: 'labelled', fields: ['prompt', 'completion', 'label|kto_tag'], optional: [SYSTEM] },
  messages: { for: 'supervised', fields: ['messages'], optional: [SYSTEM] },
  sharegpt: { for: 'supervised', fields: [CHAT], optional: [SYSTEM] },
  'prompt-completion': { for: 'supervised', fields: ['prompt', 'completion'], optional: [SYSTEM] },
  alpaca: { for: 'supervised', fields: [ASKED, ANSWER], optional: BESIDE_ASKED },
  prompt: { for: undefined, fields: ['prompt'], optional: [] },
  text: { for: 'supervised', fields: ['text'], optional: [] },
}

/** Every name that a field of a shape can have. */
export const FIELD_NAMES: readonly string[] = [
  ...new Set(
    Object.values(SHAPES).flatMap(({ fields, optional }) => [...fields, ...optional].flatMap((all) => all.split('|'))),
  ),
  'tools',
]

const STAGES: Readonly<Record<Purpose, string>> = {
  supervised: 'Train it with stage: sft',
  preference: 'Train it with stage: dpo',
  labelled: 'No stage takes these yet',
}

type Fields = Readonly<Record<string, unknown>>

/** A role such as `output` → the field that fills it, such as `answer`. */
export type Filled = Readonly<Record<string, string>>

/** What a data set looks like, from its first rows. */
export interface ShapeGuess {
  shape: Shape
  /** One line for people: which fields told, in how many rows. */
  reason: string
  rows: number
  /** Rows of another shape, or of none. */
  others: number
  /** Whether all of them are files of running text, such as .txt. */
  isRunningText: boolean
}

/** How rows are told apart. */
export interface ShapeOptions {
  purpose?: Purpose | undefined
  columns?: Columns | undefined
}

/** Our field → the column that holds it; null where nothing is to be read as it. */
export type Columns = Readonly<Record<string, string | null | undefined>>

/** Guesses the shape of a data set from up to 1,000 rows: the commonest. Throws InputError when no row has one. */
export async function sniffShape(
  rows: AsyncIterable<SourceRow> | Iterable<SourceRow>,
  options: ShapeOptions & { maxRows?: number } = {},
): Promise<ShapeGuess> {
  const { columns, purpose, maxRows = 1000 } = options
  const found = new Map<Shape, { count: number; names: string[] }>()
  let seen = 0
  let textFiles = 0
  let unknown: { fields: Fields; place: string } | undefined
  for await (const { row, id } of rows) {
    const { fields, nameOf } = renamed(row, columns)
    const shape = shapeOf(fields, purpose)
    if (shape !== undefined) {
      const { count = 0, names = Object.values((filled(fields, shape) ?? filled(fields, shape, true))!).map(nameOf) } =
        found.get(shape) ?? {}
      found.set(shape, { count: count + 1, names })
    }
    if (shape === 'text' && isNamedText(id.file)) textFiles++
    unknown ??= { fields, place: `${id.file}:${id.line}` }
    if (++seen === maxRows) break
  }
  if (unknown === undefined) throw new InputError('data: expected at least one row, got none')
  if (found.size === 0) throw unknownShape(unknown.place, unknown.fields, purpose)
  const [shape, { count, names }] = [...found].reduce((best, entry) => (entry[1].count > best[1].count ? entry : best))
  const reason = `${count} of ${counted(seen, 'row')} ${count === 1 ? 'has' : 'have'} ${names.map((name) => `'${name}'`).join(' and ')}`
  return { shape, reason, rows: seen, others: seen - count, isRunningText: textFiles === seen }
}

/** The first of the possible shapes whose fields a row has, if any: with values, else with nulls, as a column store leaves them. */
export function shapeOf(fields: Fields, purpose?: Purpose): Shape | undefined {
  const possible = (Object.keys(SHAPES) as Shape[]).filter((shape) => isPossible(shape, purpose))
  return (
    possible.find((shape) => filled(fields, shape) !== undefined) ??
    possible.find((shape) => filled(fields, shape, true) !== undefined)
  )
}

function isPossible(shape: Shape, purpose: Purpose | undefined): boolean {
  return purpose === undefined || SHAPES[shape].for === purpose
}

/** Which fields of a row fill the shape's; undefined where one is missing. */
export function filled(fields: Fields, shape: Shape, takesNull = false): Filled | undefined {
  const roles: Record<string, string> = {}
  for (const names of SHAPES[shape].fields) {
    const name = fillRole(fields, names, roles, takesNull)
    if (name === undefined) return undefined
    roles[roleOf(names)] = name
  }
  return roles
}

/** `filled`, and the optional fields that are there. */
export function filledWithOptional(fields: Fields, shape: Shape): Filled {
  const roles: Record<string, string> = { ...(filled(fields, shape) ?? filled(fields, shape, true)) }
  for (const names of SHAPES[shape].optional) {
    const name = fillRole(fields, names, roles, false)
    if (name !== undefined) roles[roleOf(names)] = name
  }
  return roles
}

function fillRole(fields: Fields, names: string, taken: Filled, takesNull: boolean): string | undefined {
  const used = Object.values(taken)
  const isThere = (name: string): boolean =>
    Object.hasOwn(fields, name) && fields[name] !== undefined && (takesNull || fields[name] !== null)
  return names.split('|').find((name) => isThere(name) && !used.includes(name))
}

function roleOf(names: string): string {
  return names.split('|', 1)[0]!
}

/** The row under our names, and what the data calls them. Columns given away to a name are not seen under their own. */
export function renamed(
  row: SourceRow['row'],
  columns: Columns = {},
): { fields: Record<string, unknown>; nameOf: (field: string) => string } {
  const source: Fields = typeof row === 'string' ? { text: row } : row
  const fields: Record<string, unknown> = { ...source }
  for (const theirs of Object.values(columns)) if (typeof theirs === 'string') delete fields[theirs]
  for (const [ours, theirs] of Object.entries(columns)) {
    if (theirs === null) delete fields[ours]
    else if (theirs === undefined) continue
    else if (Object.hasOwn(source, theirs)) fields[ours] = source[theirs]
  }
  return { fields, nameOf: (field) => columns[field] ?? field }
}

/** The shape and its fields, for errors. */
export function describeShape(shape: Shape): string {
  return `${shape} {${SHAPES[shape].fields.map(roleOf).join(', ')}}`
}

/** The error for a row of no possible shape: the nearest one and what it lacks. */
export function unknownShape(place: string, fields: Fields, purpose?: Purpose): InputError {
  const found = Object.keys(fields).filter((name) => fields[name] !== undefined)
  const got = `found fields ${found.slice(0, 20).join(', ') || 'none'}`
  const other = purpose && shapeOf(fields)
  const isOther = other !== undefined && SHAPES[other].for !== undefined && filled(fields, other) !== undefined
  if (isOther)
    return new InputError(
      `row in ${place}: expected ${WANTED[purpose!]}, got a row of the shape ${describeShape(other)}. ${STAGES[SHAPES[other].for!]}`,
    )
  const nearest = nearestShape(fields, purpose)
  if (nearest !== undefined) {
    const { shape, missing, spare } = nearest
    return new InputError(
      `row in ${place}: expected ${purpose === undefined ? 'a known shape' : WANTED[purpose]}, ${got}. ` +
        `Nearest is ${describeShape(shape)}, where '${missing}' is missing: rename the column that holds it, or set columns: {${missing}: ${spare ?? '…'}}`,
    )
  }
  const shapes = (Object.keys(SHAPES) as Shape[]).filter((shape) => isWanted(shape, purpose)).map(describeShape)
  return new InputError(
    `row in ${place}: expected one of ${shapes.join(', ')}; ${got}. ` +
      'Rename yours, or say which is which, for example columns: {instruction: title, output: body}',
  )
}

/** Whether a shape can be advised: where nothing is known of the purpose, one that some stage takes. */
function isWanted(shape: Shape, purpose: Purpose | undefined): boolean {
  const { for: use } = SHAPES[shape]
  return purpose === undefined ? use === 'supervised' || use === 'preference' : use === purpose
}

const WANTED: Readonly<Record<Purpose, string>> = {
  supervised: 'answers to learn from',
  preference: 'chosen and rejected answers',
  labelled: 'answers with labels',
}

/** The possible shape that lacks one field only, and has at least one; with the one text that could be it. */
function nearestShape(
  fields: Fields,
  purpose: Purpose | undefined,
): { shape: Shape; missing: string; spare: string | undefined } | undefined {
  for (const shape of Object.keys(SHAPES) as Shape[]) {
    const names = SHAPES[shape].fields
    if (!isWanted(shape, purpose) || names.length < 2) continue
    const roles: Record<string, string> = {}
    const missing: string[] = []
    for (const alternatives of names) {
      const name = fillRole(fields, alternatives, roles, true)
      if (name === undefined) missing.push(roleOf(alternatives))
      else roles[roleOf(alternatives)] = name
    }
    if (missing.length !== 1) continue
    const used = [...Object.values(roles), ...SHAPES[shape].optional.flatMap((all) => all.split('|'))]
    const spare = Object.keys(fields).filter((name) => typeof fields[name] === 'string' && !used.includes(name))
    return { shape, missing: missing[0]!, spare: spare.length === 1 ? spare[0] : undefined }
  }
  return undefined
}
