// Which shape a data set is in, told from the names of its fields alone, before anything is trained.

import { InputError } from '../../errors.ts'
import type { SourceRow } from '../read/sources.ts'

/** The shapes that are recognised, and the fields by which they are: the first whose fields are all there. */
export const SHAPES: Readonly<Record<Shape, readonly string[]>> = {
  'preference-messages': ['chosen_messages', 'rejected_messages'],
  'sharegpt-preference': ['conversations', 'chosen', 'rejected'],
  'messages-preference': ['messages', 'chosen', 'rejected'],
  'alpaca-preference': ['instruction', 'chosen', 'rejected'],
  preference: ['chosen', 'rejected'],
  'sharegpt-labelled': ['conversations', 'label'],
  'messages-labelled': ['messages', 'label'],
  'alpaca-labelled': ['instruction', 'output', 'label'],
  labelled: ['prompt', 'completion', 'label'],
  messages: ['messages'],
  sharegpt: ['conversations'],
  alpaca: ['instruction', 'output'],
  'prompt-completion': ['prompt', 'completion'],
  prompt: ['prompt'],
  text: ['text'],
}

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

type Fields = Record<string, unknown>

/** What a data set looks like, from its first rows. */
export interface ShapeGuess {
  shape: Shape
  /** One line for people: which fields told, in how many rows. */
  reason: string
  rows: number
  /** Rows of another shape, or of none. */
  others: number
}

/** Guesses the shape of a data set from up to 1,000 rows: the commonest. Throws InputError when no row has one. */
export async function sniffShape(
  rows: AsyncIterable<SourceRow> | Iterable<SourceRow>,
  options: { columns?: Readonly<Record<string, string>>; maxRows?: number } = {},
): Promise<ShapeGuess> {
  const { columns, maxRows = 1000 } = options
  const counts = new Map<Shape | undefined, number>()
  let seen = 0
  let last: { fields: Fields; place: string } | undefined
  for await (const { row, id } of rows) {
    const fields = renamed(row, columns)
    const shape = shapeOf(fields)
    counts.set(shape, (counts.get(shape) ?? 0) + 1)
    last = { fields, place: `${id.file}:${id.line}` }
    if (++seen === maxRows) break
  }
  if (last === undefined) throw new InputError('data: expected at least one row, got none')
  const known = [...counts].filter((entry): entry is [Shape, number] => entry[0] !== undefined)
  if (known.length === 0) throw unknownShape(last.place, last.fields)
  const [shape, count] = known.reduce((best, entry) => (entry[1] > best[1] ? entry : best))
  const reason = `${count} of ${seen} rows have ${SHAPES[shape].map((name) => `'${name}'`).join(' and ')}`
  return { shape, reason, rows: seen, others: seen - count }
}

/** The first shape whose fields a row has, if any. */
export function shapeOf(fields: Fields): Shape | undefined {
  const shapes = Object.entries(SHAPES) as [Shape, readonly string[]][]
  return shapes.find(([, names]) => names.every((name) => fields[name] !== undefined && fields[name] !== null))?.[0]
}

/** The row under our names. LLaMA-Factory's `kto_tag` and TRL's `label` are one thing. */
export function renamed(
  row: SourceRow['row'],
  columns: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  const fields: Fields = typeof row === 'string' ? { text: row } : row
  const copy: Fields = { ...fields }
  for (const [ours, theirs] of Object.entries(columns))
    copy[ours] = Object.hasOwn(fields, theirs) ? fields[theirs] : undefined
  copy.label ??= copy.kto_tag
  return copy
}

/** The shape and its fields, for errors. */
export function describeShape(shape: Shape): string {
  return `${shape} {${SHAPES[shape].join(', ')}}`
}

/** The error for a row of no known shape. */
export function unknownShape(place: string, fields: Fields): InputError {
  const found = Object.keys(fields).filter((name) => fields[name] !== undefined)
  const shapes = (Object.keys(SHAPES) as Shape[]).map(describeShape)
  return new InputError(
    `row in ${place}: expected one of ${shapes.join(', ')}; found fields ${found.slice(0, 20).join(', ')}. ` +
      'Rename yours, or in code give columns, for example {prompt: question, completion: answer}',
  )
}
