// Rows of a text and its label → samples of one label each, and the labels that there are.

import { InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { IGNORE_INDEX } from '../batch.ts'
import { type RowOptions, readRows, type SourceRow } from '../read/sources.ts'
import type { Dataset, Sample } from '../sample.ts'
import { fractionFor, rankOf, type SplitOptions } from '../split.ts'
import { type FramingTokenizer, framedText } from './framed-text.ts'

/** How labelled rows are read. */
export interface LabelledOptions {
  tokenizer: FramingTokenizer
  /** Tokens of the longest sample; longer texts are cut there, and counted. */
  maxLength: number
  /** Columns. Default `text` and `label`. */
  textColumn?: string
  labelColumn?: string
  /** Column that names a row. Default: its file and line. */
  idColumn?: string | undefined
  /** Keeps rows with their texts beside the samples, for `rowOf`. */
  keepRows?: boolean
  /** The labels that there may be, in the order of their ids. Default: those of the rows, sorted. */
  labels?: readonly string[]
  /** Holds some rows out, told by their text alone. */
  validation?: SplitOptions
  rows?: RowOptions
}

/** The row that a sample was made of. */
export interface LabelledRow {
  /** What `idColumn` says, or `file:line`; unique. */
  id: string
  file: string
  line: number
  text: string
  /** By name. */
  label: string
}

/** Samples whose first position has the label's id as its own; the others carry none. */
export class LabelledSamples implements Dataset<Sample> {
  private readonly ids: Int32Array[] = []
  private readonly labels: number[] = []
  private readonly rows: LabelledRow[] = []

  get length(): number {
    return this.ids.length
  }

  /** The label's id of a sample. */
  labelOf(index: number): number {
    return this.labels[index]!
  }

  /** The row of a sample, where rows were kept. */
  rowOf(index: number): LabelledRow {
    return this.rows[index]!
  }

  add(ids: Int32Array, label: number, row?: LabelledRow): void {
    this.ids.push(ids)
    this.labels.push(label)
    if (row !== undefined) this.rows.push(row)
  }

  /** The samples whose row passes. */
  where(isIn: (row: LabelledRow) => boolean): LabelledSamples {
    const chosen = new LabelledSamples()
    for (const [i, row] of this.rows.entries()) if (isIn(row)) chosen.add(this.ids[i]!, this.labels[i]!, row)
    return chosen
  }

  get(index: number): Sample {
    const ids = this.ids[index]!
    const labels = new Int32Array(ids.length).fill(IGNORE_INDEX)
    labels[0] = this.labels[index]!
    return { ids, labels }
  }
}

/** What was read. */
export interface LabelledData {
  train: LabelledSamples
  validation: LabelledSamples
  report: {
    /** By id. */
    labels: readonly string[]
    rows: number
    tokens: number
    notices: string[]
  }
}

/** Reads files and directories of labelled rows; InputError, with file, line and column, for a row that is none. */
export async function readLabelled(paths: string | readonly string[], options: LabelledOptions): Promise<LabelledData> {
  const { textColumn = 'text', labelColumn = 'label', maxLength, tokenizer, validation = { fraction: 0 } } = options
  const found: {
    ids: Int32Array
    label: string
    rank: number
    place: string
    twin: number | undefined
    row: LabelledRow | undefined
  }[] = []
  const placeOfId = new Map<string, string>()
  const empty = { count: 0, first: '' }
  const cut = { count: 0, longest: 0 }
  const unread = new Set<string>()
  let tokens = 0
  const firstOf = new Map<string, number>()
  const contrary = { count: 0, first: '' }
  for await (const row of readRows(paths, options.rows)) {
    const { text, label, place, others } = fieldsOf(row, textColumn, labelColumn)
    for (const column of others) if (column !== options.idColumn) unread.add(column)
    if (text.trim() === '') {
      if (empty.count++ === 0) empty.first = place
      continue
    }
    const twin = firstOf.get(text)
    if (twin === undefined) firstOf.set(text, found.length)
    const { ids, length } = framedText(tokenizer, text, maxLength)
    if (length > ids.length) cut.count++
    cut.longest = Math.max(cut.longest, length)
    tokens += ids.length
    const kept = options.keepRows ? rowFor(row, { text, label, place }, options.idColumn, placeOfId) : undefined
    found.push({ ids, label, rank: validation.fraction > 0 ? rankOf(text, validation) : 1, place, twin, row: kept })
  }
  const files = typeof paths === 'string' ? paths : paths.join(', ')
  if (found.length === 0)
    throw new InputError(
      `data in ${files}: expected rows with a text, got ${counted(empty.count, 'row')} whose ${textColumn} is empty`,
    )
  const labels = options.labels ?? sortedLabels(found.map(({ label }) => label))
  const idOf = labelReader(labels)
  const fraction = fractionFor(
    found.map(({ rank }) => rank),
    validation.fraction,
  )
  const data = { train: new LabelledSamples(), validation: new LabelledSamples() }
  for (const { ids, label, rank, place, twin, row } of found) {
    const id = idOf.get(label)
    if (id === undefined)
      throw new InputError(
        `${place}, field '${labelColumn}': expected one of the ${labels.length} labels ${shown(labels)}, got ${JSON.stringify(label)}. ` +
          'The classifier knows no other: correct the row, or train a new one from a model without this head',
      )
    if (twin !== undefined && idOf.get(found[twin]!.label) !== id && contrary.count++ === 0) contrary.first = place
    data[rank < fraction ? 'validation' : 'train'].add(ids, id, row)
  }
  const notices = [
    ...(empty.count > 0
      ? [`${counted(empty.count, 'row')} with an empty text left out (the first: ${empty.first})`]
      : []),
    ...(contrary.count > 0
      ? [
          `${counted(contrary.count, 'row')} whose text has another label in an earlier row, and both are kept (the first: ${contrary.first})`,
        ]
      : []),
    ...(cut.count > 0
      ? [
          `${counted(cut.count, 'text')} of ${found.length.toLocaleString('en')} ${cut.count === 1 ? 'is' : 'are'} longer than ${maxLength} tokens and ${cut.count === 1 ? 'was' : 'were'} cut there (the longest has ${cut.longest.toLocaleString('en')})`,
        ]
      : []),
    ...(unread.size > 0 ? [`columns that are not read: ${[...unread].slice(0, 20).join(', ')}`] : []),
  ]
  return { ...data, report: { labels, rows: found.length, tokens, notices } }
}

function rowFor(
  { row, id: { file, line } }: SourceRow,
  { text, label, place }: { text: string; label: string; place: string },
  idColumn: string | undefined,
  placeOfId: Map<string, string>,
): LabelledRow {
  const given = idColumn === undefined || typeof row === 'string' ? place : row[idColumn]
  if ((typeof given !== 'string' && typeof given !== 'number') || given === '')
    throw new InputError(
      `${place}, field '${idColumn}': expected a name of the row, got ${JSON.stringify(given) ?? 'nothing'}. Give each row one, or leave id_column out`,
    )
  const id = String(given)
  const before = placeOfId.get(id)
  if (before !== undefined)
    throw new InputError(
      `${place}, field '${idColumn}': expected a name of its own, got ${id}, which ${before} has. Give each row one, or leave id_column out`,
    )
  placeOfId.set(id, place)
  return { id, file, line, text, label }
}

/** Distinct labels: numbers by their value, words as they are sorted by their characters. */
export function sortedLabels(labels: readonly string[]): string[] {
  const distinct = [...new Set(labels)]
  if (distinct.every((label) => /^-?\d{1,15}$/.test(label))) return distinct.sort((a, b) => Number(a) - Number(b))
  return distinct.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

/** The ids of labels by name; where no name is a number, an id names its label too, as it does in many data sets. */
function labelReader(labels: readonly string[]): Map<string, number> {
  const byName = new Map(labels.map((label, id) => [label, id]))
  if (!labels.some((label) => /^\d+$/.test(label))) for (const id of labels.keys()) byName.set(String(id), id)
  return byName
}

function fieldsOf(
  { row, id }: SourceRow,
  textColumn: string,
  labelColumn: string,
): { text: string; label: string; place: string; others: string[] } {
  const place = `${id.file}:${id.line}`
  const fields: Readonly<Record<string, unknown>> = typeof row === 'string' ? { text: row } : row
  for (const [column, key] of [
    [textColumn, 'text_column'],
    [labelColumn, 'label_column'],
  ] as const)
    if (!Object.hasOwn(fields, column))
      throw new InputError(
        `${place}: expected a column '${column}', got ${Object.keys(fields).slice(0, 20).join(', ')}. Name the right one with ${key}`,
      )
  const text = fields[textColumn]
  const label = fields[labelColumn]
  if (typeof text !== 'string' && text !== null)
    throw new InputError(`${place}, field '${textColumn}': expected a text, got ${JSON.stringify(text)}`)
  const isLabel =
    typeof label === 'string' ? label.trim() !== '' : typeof label === 'number' || typeof label === 'boolean'
  if (!isLabel)
    throw new InputError(
      `${place}, field '${labelColumn}': expected a label, got ${label === '' ? 'an empty one' : JSON.stringify(label)}. Leave the row out, or label it`,
    )
  const others = Object.keys(fields).filter((field) => field !== textColumn && field !== labelColumn)
  return { text: text ?? '', label: String(label).trim(), place, others }
}

function shown(labels: readonly string[]): string {
  return labels.length <= 12 ? labels.join(', ') : `${labels.slice(0, 12).join(', ')}, …`
}
