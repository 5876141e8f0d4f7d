// Rows of a text and its label, or labels → samples of one number each, and the labels that there are.

import { InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { LabelSets } from '../label-sets.ts'
import { type RowOptions, readRows, type SourceRow } from '../read/sources.ts'
import type { Dataset, Sample } from '../sample.ts'
import { fractionFor, rankOf, type SplitOptions } from '../split.ts'
import { type FramingTokenizer, framedText } from './framed-text.ts'
import { joinedLabel, labelsOfField } from './label-field.ts'

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
  /** Texts may have several labels, and a sample carries the id of their combination in `sets`; `separator` stands between them where they are no list. */
  several?: { sets: LabelSets; separator: string }
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

/** Samples whose first position has the id of the label, or of the combination of labels, as its own; the others carry none. */
export class LabelledSamples implements Dataset<Sample> {
  private readonly ids: Int32Array[] = []
  private readonly labels: number[] = []
  private readonly rows: LabelledRow[] = []

  get length(): number {
    return this.ids.length
  }

  /** The id of a sample's label, or of its combination. */
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
    labels: string[]
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
  const { sets, separator } = options.several ?? {}
  for await (const row of readRows(paths, options.rows)) {
    const { text, labels: own, place, others } = fieldsOf(row, textColumn, labelColumn, separator)
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
    const kept = options.keepRows
      ? rowFor(row, { text, label: own.join(separator), place }, options.idColumn, placeOfId)
      : undefined
    found.push({
      ids,
      labels: own,
      rank: validation.fraction > 0 ? rankOf(text, validation) : 1,
      place,
      twin,
      row: kept,
    })
  }
  const files = typeof paths === 'string' ? paths : paths.join(', ')
  if (found.length === 0)
    throw new InputError(
      `data in ${files}: expected rows with a text, got ${counted(empty.count, 'row')} whose ${textColumn} is empty`,
    )
  const labels = options.labels ?? sortedLabels(found.flatMap((each) => each.labels))
  const joined = options.labels === undefined ? joinedLabel(labels) : undefined
  if (joined !== undefined && separator !== undefined)
    throw new InputError(
      `${found.find((each) => each.labels.includes(joined.label))!.place}, field '${labelColumn}': expected labels with ${JSON.stringify(separator)} between them, got "${joined.label}", which is ${joined.parts.join(' and ')} with ${JSON.stringify(joined.separator)} between them. Set label_separator: '${joined.separator}'`,
    )
  const idOf = labelReader(labels)
  const fraction = fractionFor(
    found.map(({ rank }) => rank),
    validation.fraction,
  )
  const data = { train: new LabelledSamples(), validation: new LabelledSamples() }
  const given: number[] = []
  for (const { ids, labels: own, rank, place, twin, row } of found) {
    const unknown = own.find((label) => !idOf.has(label))
    if (unknown !== undefined)
      throw new InputError(
        `${place}, field '${labelColumn}': expected one of the ${labels.length} labels ${shown(labels)}, got ${JSON.stringify(unknown)}. ` +
          'The classifier knows no other: correct the row, or train a new one from a model without this head',
      )
    const id = sets?.idOf(own.map((label) => idOf.get(label)!)) ?? idOf.get(own[0]!)!
    given.push(id)
    if (twin !== undefined && given[twin] !== id && contrary.count++ === 0) contrary.first = place
    data[rank < fraction ? 'validation' : 'train'].add(ids, id, row)
  }
  const notices = [
    ...(empty.count > 0
      ? [`${counted(empty.count, 'row')} with an empty text left out (the first: ${empty.first})`]
      : []),
    ...(joined !== undefined
      ? [
          `label ${joined.label} reads like ${joined.parts.join(' and ')}, which are labels too: it is learnt as one more. Where a text may have several, set problem_type: multi_label_classification and label_separator: '${joined.separator}'`,
        ]
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
  separator: string | undefined,
): { text: string; labels: string[]; place: string; others: string[] } {
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
  if (typeof text !== 'string' && text !== null)
    throw new InputError(`${place}, field '${textColumn}': expected a text, got ${JSON.stringify(text)}`)
  const labels = labelsOfField(fields[labelColumn], separator, { place, column: labelColumn })
  const others = Object.keys(fields).filter((field) => field !== textColumn && field !== labelColumn)
  return { text: text ?? '', labels, place, others }
}

function shown(labels: readonly string[]): string {
  return labels.length <= 12 ? labels.join(', ') : `${labels.slice(0, 12).join(', ')}, …`
}
