// From paths to documents: the one door through which training text comes in. Files are streamed, in order, whatever
// their format; bad lines go to the quarantine and good ones go on. Text is handed on as it stands (no normalisation);
// only line ends of plain text and tables become LF, and a byte order mark is dropped.

import { InputError, UsageError } from '../../errors.ts'
import type { ByteSource } from '../../files/byte-source.ts'
import { counted } from '../../report/amounts.ts'
import { type FileFormat, formatOf, listFiles } from './files.ts'
import { readDelimited } from './formats/delimited.ts'
import { readHtml } from './formats/html.ts'
import { readJsonArray } from './formats/json-array.ts'
import { readJsonLines } from './formats/json-lines.ts'
import { readJsonObject } from './formats/json-object.ts'
import { type ColumnChoice, readParquet } from './formats/parquet.ts'
import type { FileRow, ReadContext } from './formats/read-context.ts'
import { readTextDocuments } from './formats/text-documents.ts'
import { readWarc } from './formats/warc.ts'
import { emptyFiles } from './left-out-files.ts'
import { type DataLimits, DEFAULT_LIMITS } from './limits.ts'
import { type BadReason, Quarantine } from './quarantine.ts'

/** Where a row stands: `offset` in bytes of the (decompressed) file, `line` from 1; in Parquet both count rows. */
export interface RowId {
  file: string
  offset: number
  line: number
}

/** A row of any file: an object, or a string where the file is a list of strings. Plain text gives `{ text }`. */
export interface SourceRow {
  row: Record<string, unknown> | string
  id: RowId
}

/** A text and where it came from. `meta` holds the fields asked for by `metaKeys`, where the row has them. */
export interface SourceDocument {
  text: string
  id: RowId
  meta?: Record<string, unknown>
  /** The text goes on in the next document: it was cut for its length alone. */
  isContinued?: true
}

/** How rows are read. */
export interface RowOptions {
  /** In directories, reads only files with these extensions, such as `.md`. Files named themselves are always read. */
  extensions?: readonly string[]
  /** Takes pages of the web for data, too (.html .htm .xhtml .warc): what a reader would read of them. Default false. */
  pages?: boolean
  /** Names the columns of .csv and .tsv files that have no header. */
  columns?: readonly string[]
  /** A JSONL file for bad lines. Without it they are only counted. */
  quarantinePath?: string
  /** Whether files without a single row will do. Default false: an InputError. */
  mayBeEmpty?: boolean
  /** The share of lines that may be bad, 0 to 1; one bad line is allowed unless it is 0. Default 0.001. */
  maxBadFraction?: number
  limits?: Partial<DataLimits>
  /** Told of surprising but harmless things: a misnamed file, a gzip stream that is cut short; at the end, of lines left out. */
  onNotice?: (message: string) => void
}

/** How documents are read. */
export interface DocumentOptions extends RowOptions {
  /** The field that holds the text. Default `text`. */
  textKey?: string
  /** Fields to keep beside the text, or `all`. Default none. */
  metaKeys?: readonly string[] | 'all'
  /** Whether the rows of a file whose first has no text are read whole, a line `name: value` for each field, with a notice. Default false: an InputError. */
  wholeRows?: boolean
}

/** What has been read so far. Lines are rows, records or lines of text; `good` and `bad` count them. */
export interface ReadReport {
  files: number
  documents: number
  good: number
  bad: number
  badByReason: Partial<Record<BadReason, number>>
  notices: string[]
}

/** A stream that can be read once and tells what it met. Too many bad lines throw InputError at its end. */
export interface Reading<T> extends AsyncIterable<T> {
  readonly report: ReadReport
}

/** Rows without a text at the start of a file before we stop: the key is wrong, not the rows. */
const MISSING_BEFORE_GIVING_UP = 20

/**
 * Reads the rows of files and directories (.txt .md .jsonl .ndjson .json .csv .tsv .parquet, all but the last also .gz and .zst), or of files that
 * lie elsewhere.
 */
export function readRows(
  paths: string | readonly (string | ByteSource)[],
  options: RowOptions = {},
): Reading<SourceRow> {
  return read(paths, options, undefined, {
    take: ({ row, offset, line }, { file }) => ({ row, id: { file, offset, line } }),
  })
}

/**
 * Reads texts from files and directories.
 * @example for await (const { text } of readDocuments('corpus/', { quarantinePath: 'bad.jsonl' })) …
 */
export function readDocuments(
  paths: string | readonly string[],
  options: DocumentOptions = {},
): Reading<SourceDocument> {
  const { textKey = 'text', metaKeys = [], wholeRows = false } = options
  const columns = metaKeys === 'all' || wholeRows ? undefined : { required: textKey, optional: metaKeys }
  return read(paths, options, columns, new DocumentTaker(textKey, metaKeys, wholeRows))
}

/** Makes of a row what is yielded; undefined, and reported, where the row will not do. */
interface Taker<T> {
  take(row: FileRow, context: ReadContext): T | undefined
  endFile?(): void
  /** What is to be said at the end. */
  notice?(): string | undefined
}

function read<T>(
  paths: string | readonly (string | ByteSource)[],
  options: RowOptions,
  columns: ColumnChoice | undefined,
  taker: Taker<T>,
): Reading<T> {
  const quarantine = new Quarantine({ path: options.quarantinePath, maxBadFraction: options.maxBadFraction })
  const report: ReadReport = {
    files: 0,
    documents: 0,
    notices: [],
    get good() {
      return quarantine.good
    },
    get bad() {
      return quarantine.bad
    },
    badByReason: quarantine.badByReason,
  }
  let isStarted = false
  async function* stream(): AsyncGenerator<T> {
    // A second time would count every line twice.
    if (isStarted) throw new UsageError('data: expected to be read once, got a second reading. Call the reader again')
    isStarted = true
    const list: readonly (string | ByteSource)[] = typeof paths === 'string' ? [paths] : paths
    try {
      const notice = (message: string): void => {
        report.notices.push(message)
        options.onNotice?.(message)
      }
      const empty: string[] = []
      // What the walk meets is no part of the report either: it is another one where a cached report is told again.
      const inputs = list.flatMap<string | ByteSource>((path) =>
        typeof path === 'string' ? listFiles([path], options.extensions, options.onNotice, options.pages) : [path],
      )
      for (const input of inputs) {
        const before = { rows: report.documents, bad: quarantine.bad }
        const context = contextOf(input, options, quarantine, report)
        const { file } = context
        const format = await formatOf(context)
        report.files++
        for await (const row of openFile(context, format, options, columns)) {
          const taken = taker.take(row, context)
          if (taken === undefined) continue
          // Text files count their lines themselves: a document is many of them.
          if (format !== 'text') context.good(1, row.length)
          report.documents++
          yield taken
        }
        taker.endFile?.()
        quarantine.endFile(file)
        if (report.documents === before.rows && quarantine.bad === before.bad) empty.push(file)
      }
      quarantine.verify()
      for (const said of [report.documents > 0 ? emptyFiles(empty) : undefined, taker.notice?.()])
        if (said !== undefined) notice(said)
      // Not among the report's notices: a cached report is told again where the lines are not there any more.
      const leftOut = quarantine.leftOut()
      if (leftOut !== undefined) options.onNotice?.(leftOut)
      if (report.documents === 0 && options.mayBeEmpty !== true)
        throw new InputError(`data in ${list.map(nameOf).join(', ')}: expected at least one row, got none`)
    } finally {
      quarantine.close()
    }
  }
  return { report, [Symbol.asyncIterator]: stream }
}

function nameOf(input: string | ByteSource): string {
  return typeof input === 'string' ? input : input.name
}

function contextOf(
  input: string | ByteSource,
  options: RowOptions,
  quarantine: Quarantine,
  report: ReadReport,
): ReadContext {
  const file = nameOf(input)
  return {
    file,
    source: typeof input === 'string' ? undefined : input,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    bad: (stretch) => quarantine.add({ file, ...stretch }),
    good: (lines, bytes) => quarantine.addGood(lines, bytes),
    notice: (message) => {
      report.notices.push(message)
      options.onNotice?.(message)
    },
  }
}

/** The rows of one file; nothing but its name and its context is known of it. */
export function openFile(
  context: ReadContext,
  format: FileFormat,
  { columns: names }: Pick<RowOptions, 'columns'> = {},
  columns?: ColumnChoice,
): AsyncGenerator<FileRow> {
  switch (format) {
    case 'text':
      return readTextDocuments(context)
    case 'json-lines':
      return readJsonLines(context)
    case 'json-array':
      return readJsonArray(context)
    case 'json-wrapped':
      return readJsonArray(context, true)
    case 'json-object':
      return readJsonObject(context)
    case 'csv':
      return readDelimited(context, { delimiter: ',', columns: names })
    case 'tsv':
      return readDelimited(context, { delimiter: '\t', columns: names })
    case 'parquet':
      return readParquet(context, columns)
    case 'html':
      return readHtml(context)
    case 'warc':
      return readWarc(context)
  }
}

class DocumentTaker implements Taker<SourceDocument> {
  private readonly textKey: string
  private readonly metaKeys: readonly string[] | 'all'
  /** Rows of the current file with a text, and the first of those without. */
  private withText = 0
  private missing = 0
  private firstMissing: InputError | undefined
  /** Texts with Windows line ends, and where the first is. Those of text files have become LF before. */
  private withReturns = 0
  private firstWithReturns = ''
  /** Whether rows without a text are read whole, and whether those of this file are; its first row says. */
  private readonly mayBeWhole: boolean
  private isWhole: boolean | undefined

  constructor(textKey: string, metaKeys: readonly string[] | 'all', wholeRows: boolean) {
    this.textKey = textKey
    this.metaKeys = metaKeys
    this.mayBeWhole = wholeRows
  }

  take({ row, ...place }: FileRow, context: ReadContext): SourceDocument | undefined {
    const { textKey, metaKeys } = this
    const fields = typeof row === 'string' ? { [textKey]: row } : row
    this.isWhole ??= this.mayBeWhole && this.saysWhole(fields, context)
    const text = this.isWhole ? linesOf(fields) : Object.hasOwn(fields, textKey) ? fields[textKey] : undefined
    if (typeof text !== 'string') {
      this.firstMissing ??= missingText(context.file, place.line, textKey, fields)
      if (++this.missing >= MISSING_BEFORE_GIVING_UP && this.withText === 0) throw this.firstMissing
      const got = Object.hasOwn(fields, textKey) ? JSON.stringify(text)?.slice(0, 40) : 'nothing'
      context.bad({ ...place, reason: 'missing-text', detail: `expected a string in '${textKey}', got ${got}` })
      return undefined
    }
    this.withText++
    if (text.includes('\r\n') && this.withReturns++ === 0) this.firstWithReturns = `${context.file}:${place.line}`
    const document = {
      text,
      id: { file: context.file, offset: place.offset, line: place.line },
      ...(place.isContinued && { isContinued: true as const }),
    }
    const meta = Object.entries(fields).filter(
      ([key]) => key !== textKey && (metaKeys === 'all' || metaKeys.includes(key)),
    )
    return meta.length === 0 ? document : { ...document, meta: Object.fromEntries(meta) }
  }

  private saysWhole(fields: Record<string, unknown>, { file, notice }: ReadContext): boolean {
    if (Object.hasOwn(fields, this.textKey)) return false
    const names = Object.keys(fields)
    const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`
    notice(`${file} has no field '${this.textKey}': its rows are read whole, a line for each field (${shown})`)
    return true
  }

  notice(): string | undefined {
    if (this.withReturns === 0) return undefined
    return (
      `${counted(this.withReturns, 'text')} with Windows line ends (\\r\\n), which are learnt as they stand (the first: ${this.firstWithReturns}). ` +
      'Write \\n in their place in the data where that is not wanted'
    )
  }

  /** A file in which no row has a text was read with the wrong key, however few its rows. */
  endFile(): void {
    if (this.firstMissing !== undefined && this.withText === 0) throw this.firstMissing
    this.withText = 0
    this.missing = 0
    this.firstMissing = undefined
    this.isWhole = undefined
  }
}

/** A row as text. Fields without a value are left out, as in a table that has gaps. */
function linesOf(fields: Record<string, unknown>): string {
  const written = (value: unknown): string =>
    typeof value === 'object'
      ? JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
      : String(value)
  return Object.entries(fields)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name}: ${written(value)}`)
    .join('\n')
}

function missingText(file: string, line: number, textKey: string, fields: Record<string, unknown>): InputError {
  const found = Object.keys(fields).slice(0, 20).join(', ')
  return new InputError(
    `field '${textKey}' in ${file}:${line}: expected a text, found columns ${found}. Name the one that holds it (text_column; textKey in code)`,
  )
}
