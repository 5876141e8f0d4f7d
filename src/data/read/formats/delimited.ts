// Tables in .csv and .tsv: the first record names the columns (or the caller does), every other one is a row of strings.

import { InputError } from '../../../errors.ts'
import { readChunks } from './chunks.ts'
import { type DelimitedOutcome, DelimitedRecords } from './delimited-records.ts'
import { type Line, LineSplitter } from './line-splitter.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** How the table is written. */
export interface TableOptions {
  delimiter: ',' | '\t'
  /** Names the columns of a file that has no header; its first record is then a row. */
  columns?: readonly string[] | undefined
}

/** Yields rows of strings by column name. Throws InputError when the header cannot name the columns. */
export async function* readDelimited(context: ReadContext, options: TableOptions): AsyncGenerator<FileRow> {
  const { maxLineBytes } = context.limits
  const splitter = new LineSplitter({ maxLineBytes })
  let records: DelimitedRecords | undefined
  const push = (line: Line): DelimitedOutcome[] => {
    records ??= new DelimitedRecords({
      delimiter: delimiterOf(line, options.delimiter, context),
      maxRecordBytes: maxLineBytes,
      takesStrayQuotes: options.delimiter === '\t',
    })
    return records.push(line)
  }
  const table = new Table(context, options.columns)
  for await (const chunk of readChunks(context)) {
    for (const line of splitter.push(chunk)) yield* table.rows(push(line))
  }
  for (const line of splitter.end()) yield* table.rows(push(line))
  yield* table.rows(records?.end() ?? [])
}

/** What separates the fields of the first line. Where the comma is the decimal sign, spreadsheets write semicolons into a .csv. */
function delimiterOf({ bytes }: Line, expected: TableOptions['delimiter'], { file, notice }: ReadContext): string {
  const unquoted = bytes.toString('utf8').replace(/"(?:[^"]|"")*"/g, '')
  if (expected !== ',' || unquoted.includes(',')) return expected
  const found = [';', '\t'].find((delimiter) => unquoted.includes(delimiter))
  if (found === undefined) return expected
  notice(`${file}: its fields are separated by ${found === ';' ? 'semicolons' : 'tabs'}, not commas, and are read so`)
  return found
}

class Table {
  private readonly context: ReadContext
  private columns: readonly string[] | undefined

  constructor(context: ReadContext, columns: readonly string[] | undefined) {
    this.context = context
    this.columns = columns
  }

  *rows(outcomes: DelimitedOutcome[]): Generator<FileRow> {
    for (const outcome of outcomes) {
      const { offset, line, bytes } = outcome.first
      if ('reason' in outcome) {
        const { first, ...why } = outcome
        this.context.bad({ ...why, offset, line, length: first.length, bytes })
        continue
      }
      const { fields, length } = outcome
      if (this.columns === undefined) {
        this.columns = columnNames(fields, this.context)
      } else if (fields.length === this.columns.length) {
        const row = Object.fromEntries(this.columns.map((name, i) => [name, fields[i]]))
        yield { row, offset, line, length, bytes }
      } else {
        const detail = `expected ${this.columns.length} fields, got ${fields.length}`
        this.context.bad({ reason: 'column-count', detail, offset, line, length, bytes })
      }
    }
  }
}

function columnNames(fields: string[], { file, limits }: ReadContext): string[] {
  if (fields.length > limits.maxColumns) {
    throw new InputError(
      `header in ${file}:1: expected at most ${limits.maxColumns} columns, got ${fields.length}. Is this a table?`,
    )
  }
  const twice = fields.find((name, i) => fields.indexOf(name) !== i)
  if (twice === undefined) return fields
  throw new InputError(
    `header in ${file}:1: expected each column once, got '${twice}' twice. ` +
      'Rename one, or pass `columns` if the file has no header',
  )
}
