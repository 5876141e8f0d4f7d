// Parquet tables, one row group at a time, only the columns asked for, checked before they are decoded.
// Integers of 64 bits become numbers where that is exact and strings where it is not, which are remembered to be numbers; bytes that are
// no text are a fault where the column holds text, and `{ bytes: 16 }` (their number) where nothing says that it does.

import { isUtf8 } from 'node:buffer'
import {
  type ColumnMetaData,
  type FileMetaData,
  type ParquetScan,
  parquetMetadata,
  parquetScan,
  parquetSchema,
} from 'hyparquet'
import { InputError } from '../../../errors.ts'
import { rememberNumbers } from '../../../text/json-spelling.ts'
import { FileBytes, type ParquetBytes, type Range, SourceBytes } from './parquet-bytes.ts'
import { boundedCompressors, checkPages, checkRowGroup } from './parquet-checks.ts'
import { dateFromDays, timestampFromMicroseconds, timestampFromNanoseconds } from './parquet-times.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** The metadata's length and the mark of the format. */
const TAIL_BYTES = 8
const MAX_METADATA_BYTES = 64 * 1024 * 1024
/** No value in real metadata has so many bytes above 127 in a row; a number written so would take minutes to read. */
const MAX_HIGH_BYTES = 32 * 1024

/** Marks a value that is not UTF-8 until its row is reported. */
class NotText {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** The columns to read: one that must be there, others that are read where they are. */
export interface ColumnChoice {
  required: string
  optional: readonly string[]
}

/**
 * Yields the rows of a file; `offset` and `line` count rows. Reads all columns where none are chosen.
 * Throws InputError when the file is damaged, a bomb, or lacks a wanted column.
 */
export async function* readParquet(context: ReadContext, columns?: ColumnChoice): AsyncGenerator<FileRow> {
  const { file, limits } = context
  const buffer = context.source === undefined ? new FileBytes(file) : new SourceBytes(context.source)
  try {
    const { byteLength } = buffer
    await buffer.load([[Math.max(0, byteLength - TAIL_BYTES), byteLength]])
    const footer = attempt(file, () => footerRange(buffer))
    await buffer.load([footer])
    const metadata = attempt(file, () => readMetadata(buffer, footer))
    const wanted = wantedColumns(metadata, context, columns)
    const raw = new Set(wanted.filter((name) => name !== columns?.required && holdsRawBytes(metadata, name)))
    const scan = await parquetScan({
      file: buffer,
      metadata,
      columns: wanted,
      compressors: boundedCompressors,
      parsers: { stringFromBytes, dateFromDays, timestampFromMicroseconds, timestampFromNanoseconds },
      geoparquet: false,
      useOffsetIndex: false,
    }).catch((error: unknown) => damaged(file, error))
    let expanded = 0
    let first = 0
    for (const [group, { num_rows }] of metadata.row_groups.entries()) {
      const rows = Number(num_rows)
      if (rows === 0) continue
      const chunks = attempt(file, () => [...checkRowGroup(file, byteLength, metadata, group, wanted, limits)])
      await buffer.load(chunks.map(rangeOf))
      attempt(file, () => {
        for (const chunk of chunks) checkPages(file, buffer.slice(...rangeOf(chunk)), chunk, metadata, limits)
      })
      const values = await readGroup(scan, wanted, first, rows).catch((error: unknown) => damaged(file, error))
      for (let i = 0; i < rows; i++) {
        const row = rowAt(wanted, values, i, raw)
        for (const value of Object.values(row)) if (typeof value === 'string') expanded += value.length
        if (expanded > limits.freeExpansionBytes && expanded > limits.maxExpansion * byteLength) {
          throw new InputError(
            `expanded size in ${file}:${first + i}: expected at most ${limits.maxExpansion} characters per byte of the ` +
              'file, got more. This looks like a decompression bomb; write it anew as JSON lines if it is real data',
          )
        }
        yield* goodRow(row, first + i, context)
      }
      first += rows
      for (const [from, to] of chunks.map(rangeOf)) context.taken?.(to - from)
    }
  } finally {
    buffer.close()
  }
}

function* goodRow(row: Record<string, unknown>, index: number, context: ReadContext): Generator<FileRow> {
  const place = { offset: index, line: index + 1, length: 1 }
  const values = Object.values(row)
  const notText = values.find((value) => value instanceof NotText)
  if (notText !== undefined) context.bad({ ...place, reason: 'invalid-utf8', bytes: notText.bytes })
  else if (values.some((value) => typeof value === 'string' && value.includes('\0'))) {
    context.bad({ ...place, reason: 'nul' })
  } else yield { ...place, row }
}

function rowAt(
  columns: readonly string[],
  values: ArrayLike<unknown>[],
  index: number,
  raw: ReadonlySet<string>,
): Record<string, unknown> {
  const given = columns.map((_, column) => values[column]![index])
  const plain = columns.map((name, column) => {
    const value = given[column]
    if (raw.has(name)) return [name, rawValue(value)]
    return [name, value instanceof NotText ? value : plainValue(value)]
  })
  return withNumbers(Object.fromEntries(plain), given, columns)
}

/** Remembers which strings of `plain` are whole numbers that no number holds; `given` are its values before, `keys` where they are in it. */
function withNumbers<T extends object>(plain: T, given: readonly unknown[], keys?: readonly string[]): T {
  // Nearly no row has one, and lists may be long.
  if (!given.some(isLarge)) return plain
  const large = given.flatMap((value, i) => (isLarge(value) ? [[keys?.[i] ?? `${i}`, `${value}`] as const] : []))
  rememberNumbers(plain, new Map(large))
  return plain
}

function isLarge(value: unknown): boolean {
  return typeof value === 'bigint' && !Number.isSafeInteger(Number(value))
}

const cutBytes = new WeakSet<object>()

/** Stands for bytes that are no text: their number. */
function numberOfBytes(bytes: number): { bytes: number } {
  const stand = { bytes }
  cutBytes.add(stand)
  return stand
}

/** Whether a value of a row of Parquet is, or holds, bytes of which only their number was kept. */
export function lacksBytes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return cutBytes.has(value) || Object.values(value).some(lacksBytes)
}

/** Bytes of a column that need not be text: a picture or a hash that nobody reads must not cost the row. */
function rawValue(value: unknown): unknown {
  if (typeof value === 'string' && value.includes('\0')) return numberOfBytes(Buffer.byteLength(value))
  return plainValue(value)
}

/** Whether a column holds bytes that the file does not call text. */
function holdsRawBytes(metadata: FileMetaData, name: string): boolean {
  const { element } = parquetSchema(metadata).children.find((child) => child.element.name === name)!
  return element.type === 'BYTE_ARRAY' && element.converted_type === undefined && element.logical_type === undefined
}

/** JSON's view of a value: no bigint, no typed array, no Date, and of bytes that are no text their number. */
function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return isLarge(value) ? value.toString() : Number(value)
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof NotText) return numberOfBytes(value.bytes.length)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    const items = Array.from(value as unknown as ArrayLike<unknown>)
    return withNumbers(items.map(plainValue), items)
  }
  // A column store gives every struct the keys of all: a key without a value was not in this one.
  const given = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined)
  const plain = Object.fromEntries(given.map(([key, inner]) => [key, plainValue(inner)]))
  return withNumbers(
    plain,
    given.map(([, inner]) => inner),
    given.map(([key]) => key),
  )
}

async function readGroup(
  scan: ParquetScan,
  columns: string[],
  rowStart: number,
  rows: number,
): Promise<ArrayLike<unknown>[]> {
  const values: ArrayLike<unknown>[] = []
  for (const column of columns) {
    const read = await scan.readColumn({ column, rowStart, rowEnd: rowStart + rows })
    if (read.length !== rows) throw new Error(`column ${column} has ${read.length} values in a group of ${rows} rows`)
    values.push(read as ArrayLike<unknown>)
  }
  return values
}

function wantedColumns(metadata: FileMetaData, context: ReadContext, columns: ColumnChoice | undefined): string[] {
  const { file, limits } = context
  const found = attempt(file, () => parquetSchema(metadata).children.map(({ element }) => element.name))
  if (found.length > limits.maxColumns) {
    throw new InputError(
      `schema in ${file}: expected at most ${limits.maxColumns} columns, got ${found.length}. Keep fewer`,
    )
  }
  if (columns === undefined) return found
  const { required, optional } = columns
  if (found.includes(required)) return found.filter((name) => name === required || optional.includes(name))
  throw new InputError(
    `column '${required}' in ${file}: expected a text column of that name, found ${found.slice(0, 20).join(', ')}. ` +
      'Name the one that holds the text (text_column; textKey in code)',
  )
}

/** Bytes `[from, to)` of the file in which the metadata and their end mark are. */
function footerRange(buffer: ParquetBytes): Range {
  const size = buffer.byteLength
  if (size < 12) throw new Error(`expected at least 12 bytes, got ${size}`)
  const tail = Buffer.from(buffer.slice(size - 8, size))
  if (tail.toString('latin1', 4) !== 'PAR1') throw new Error(`expected PAR1 at the end, got ${tail.toString('hex', 4)}`)
  const length = tail.readUInt32LE(0)
  if (length > Math.min(MAX_METADATA_BYTES, size - 12)) throw new Error(`the metadata claims ${length} bytes`)
  return [size - 8 - length, size]
}

function readMetadata(buffer: ParquetBytes, range: Range): FileMetaData {
  const footer = new Uint8Array(buffer.slice(...range))
  let run = 0
  for (const byte of footer) {
    run = byte < 0x80 ? 0 : run + 1
    if (run > MAX_HIGH_BYTES) throw new Error('the metadata holds a number without end')
  }
  return parquetMetadata(footer, { geoparquet: false })
}

/** Where a column of a row group lies. */
function rangeOf(chunk: ColumnMetaData): Range {
  const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
  return [start, start + Number(chunk.total_compressed_size)]
}

function stringFromBytes(bytes: Uint8Array | undefined): string | NotText | undefined {
  if (bytes === undefined) return undefined
  if (!isUtf8(bytes)) return new NotText(bytes)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    return damaged(file, error)
  }
}

function damaged(file: string, error: unknown): never {
  if (error instanceof InputError) throw error
  // What the reader of the format says of bytes that it does not expect is about its own program.
  const isOfProgram = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
  const message = isOfProgram ? 'bytes that mean nothing there' : error instanceof Error ? error.message : String(error)
  throw new InputError(`Parquet in ${file}: expected a readable file, got: ${message}. Is it cut short?`, {
    cause: error,
  })
}
