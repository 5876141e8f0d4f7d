// The records of one job: its file, or the lines that begin in its stretch of bytes. Bad ones are reported with their place.

import { createReadStream, statSync } from 'node:fs'
import { InputError } from '../../errors.ts'
import { formatOf } from '../read/files.ts'
import { jsonRow } from '../read/formats/json-lines.ts'
import { LineSplitter } from '../read/formats/line-splitter.ts'
import type { BadStretch, FileRow, ReadContext } from '../read/formats/read-context.ts'
import { DEFAULT_LIMITS } from '../read/limits.ts'
import { openFile } from '../read/sources.ts'
import { lineStart } from './jobs.ts'
import type { Job, SourceSettings } from './settings.ts'

/** A text with its place and the fields that go along. `recordBytes` is what it took in the file. */
export interface JobRecord {
  text: string
  fields: Record<string, unknown>
  /** Byte offset in the unpacked file; in Parquet the row. */
  offset: number
  recordBytes: number
}

/** What a job tells while it is read. */
export interface JobReport {
  bad(stretch: BadStretch): void
  notice(message: string): void
  /** Bytes of the file as it is stored, once they are read. */
  taken?(bytes: number): void
}

/** Yields the documents of a job; none of an empty file. A file that cannot be read on is one bad stretch from there. */
export async function* readJob(job: Job, source: SourceSettings, report: JobReport): AsyncGenerator<JobRecord> {
  const context: ReadContext = {
    file: job.file,
    limits: DEFAULT_LIMITS,
    encoding: source.encoding,
    namesEncoding: true,
    bad: (stretch) => report.bad(stretch),
    good: () => {},
    taken: (bytes) => report.taken?.(bytes),
    notice: (message) => report.notice(message),
  }
  if (job.size === 0) return
  let last = 0
  try {
    checkSize(job)
    const format = job.range === undefined ? await formatOf(context) : 'json-lines'
    // A column that nobody wants must not cost a row.
    const columns = { required: source.textKey, optional: source.keep }
    const rows =
      job.range === undefined ? openFile(context, format, {}, columns) : linesOf(job.file, job.range, context)
    for await (const row of rows) {
      last = row.offset
      const found = textOf(row, source, report)
      if (found === undefined) continue
      if (format === 'text' && source.split !== 'file') yield* pieces(found, source.split)
      else yield found
    }
    checkSize(job)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    report.notice(error.message)
    const lost = Math.max(1, (job.range?.[1] ?? job.size) - last)
    report.bad({ reason: 'unreadable-file', line: 0, offset: last, length: lost, detail: error.message })
  }
}

/** Of a file that somebody writes to while it is read nobody knows what was read. Throws InputError where its size is not the one that was planned for. */
function checkSize({ file, size, range }: Job): void {
  const now = statSync(file, { throwIfNoEntry: false })?.size
  if (range === undefined ? now === size : now !== undefined && now >= range[1]) return
  throw new InputError(
    `size of ${file}: expected a file that stays as it is while it is read, with ${range === undefined ? '' : 'at least '}${range?.[1] ?? size} bytes, ` +
      `got ${now ?? 'none'}. Curate it anew, into another folder or with overwrite, when nobody writes to it`,
  )
}

/** Rows of the lines that begin within a stretch of a file of JSON lines; `line` is 0, as nobody has counted those before. */
async function* linesOf(
  file: string,
  [from, to]: readonly [number, number],
  context: ReadContext,
): AsyncGenerator<FileRow> {
  const start = await lineStart(file, from)
  const end = await lineStart(file, to)
  if (start >= end) return
  const splitter = new LineSplitter({ maxLineBytes: context.limits.maxLineBytes })
  const moved: ReadContext = {
    ...context,
    bad: (stretch) => context.bad({ ...stretch, offset: start + stretch.offset, line: 0 }),
  }
  const rows = function* (lines: ReturnType<LineSplitter['push']>): Generator<FileRow> {
    for (const line of lines) {
      if (line.length === 0 || /^[ \t\r]*$/.test(line.bytes.subarray(0, 64).toString('latin1'))) continue
      const row = jsonRow(line, moved)
      if (row !== undefined) yield { ...row, offset: start + row.offset, line: 0 }
    }
  }
  for await (const chunk of createReadStream(file, { start, end: end - 1, highWaterMark: 1 << 20 })) {
    context.taken?.((chunk as Buffer).length)
    yield* rows(splitter.push(chunk as Buffer))
  }
  yield* rows(splitter.end())
}

function textOf(row: FileRow, { textKey, keep }: SourceSettings, report: JobReport): JobRecord | undefined {
  const fields = typeof row.row === 'string' ? { [textKey]: row.row } : row.row
  // Running text and pages have their text in `text`, whatever the rows of other files call it.
  const text = Object.hasOwn(fields, textKey) ? fields[textKey] : undefined
  if (typeof text !== 'string') {
    const columns = Object.keys(fields).slice(0, 20).join(', ')
    const got = Object.hasOwn(fields, textKey) ? `${JSON.stringify(text).slice(0, 40)} there` : `columns ${columns}`
    const { row: _, ...place } = row
    const detail = `expected a text in '${textKey}', found ${got}. Name the one that holds it: text_column`
    report.bad({ ...place, reason: 'missing-text', detail })
    return undefined
  }
  // Not by assignment, which makes something else of a column named __proto__.
  const kept = keep.filter((key) => key !== textKey && Object.hasOwn(fields, key)).map((key) => [key, fields[key]])
  return { text, fields: Object.fromEntries(kept), offset: row.offset, recordBytes: row.length }
}

/** Running text by paragraphs or lines; offsets count bytes with LF for line ends. */
function* pieces(record: JobRecord, split: 'blank-line' | 'line'): Generator<JobRecord> {
  const between = split === 'line' ? /\n/g : /\n[ \t]*\n\s*/g
  let from = 0
  let offset = record.offset
  const piece = (to: number, next: number): JobRecord => {
    const text = record.text.slice(from, to)
    const bytes = Buffer.byteLength(record.text.slice(from, next))
    const made = { ...record, text, offset, recordBytes: bytes }
    from = next
    offset += bytes
    return made
  }
  for (const match of record.text.matchAll(between)) {
    const made = piece(match.index, match.index + match[0].length)
    if (made.text.trim() !== '') yield made
  }
  const last = piece(record.text.length, record.text.length)
  if (last.text.trim() !== '') yield last
}
