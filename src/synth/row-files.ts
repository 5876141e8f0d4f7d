// rows.jsonl and rejects.jsonl, in the order of the seeds: what is settled of them is always a beginning of the seeds, so that a run that was
// killed anywhere goes on behind it, and the files become what they would have been.

import { createHash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { withDiskFullError } from '../files/atomic-write.ts'
import { openPlainFile } from '../files/open-plain-file.ts'

export const ROWS = 'rows.jsonl'
export const REJECTS = 'rejects.jsonl'

/** A try that was refused. */
export interface Reject {
  /** Of the seed, from 0; null for what is made once before all rows. */
  readonly row: number | null
  /** From 1. */
  readonly attempt: number
  readonly reason: string
  readonly text: string
  /** Nothing came of the seed: it has no row. */
  readonly isLast?: true
}

/** What came of a seed: a row, or none, and what was refused on the way. */
export interface Settled {
  readonly row?: unknown
  readonly rejects: readonly Reject[]
}

/** The two files of a folder. */
export class RowFiles {
  readonly #rows: string
  readonly #rejects: string
  readonly #write: typeof writeSync
  /** Seeds that are settled: the first so many. */
  settled = 0
  rows = 0
  /** Tries that were refused, those of seeds that have a row included. */
  refused = 0
  #rowBytes = 0
  #rejectBytes = 0

  /** Makes the files, and takes away what a kill has left half done. `write` as `writeSync`. */
  constructor(directory: string, write: typeof writeSync = writeSync) {
    this.#rows = join(directory, ROWS)
    this.#rejects = join(directory, REJECTS)
    this.#write = write
    const rows = wholeLines(this.#rows)
    this.rows = rows.length
    this.#rowBytes = bytesOf(rows)
    const rejects = wholeLines(this.#rejects).map((line) => ({ line, reject: rejectOf(line, this.#rejects) }))
    const last = rejects.filter(({ reject }) => reject.isLast === true)
    if (last.some(({ reject: { row } }, i) => i > 0 && (row ?? -1) <= (last[i - 1]!.reject.row ?? -1)))
      throw new InputError(`${this.#rejects}: expected one last reject of a seed, got two. Restore it`)
    this.settled = rows.length + last.length
    const kept = rejects.filter(({ reject: { row } }) => (row === null ? this.settled > 0 : row < this.settled))
    this.refused = kept.length
    if (kept.filter(({ reject }) => reject.isLast).length !== last.length)
      throw new InputError(`${this.#rows}: expected a row of each seed before the last reject, got fewer. Restore it`)
    this.#rejectBytes = bytesOf(kept.map(({ line }) => line))
    if (kept.some((one, i) => one !== rejects[i]))
      throw new InputError(`${this.#rejects}: expected rejects in the order of the seeds, got another. Restore it`)
    cut(this.#rows, this.#rowBytes)
    cut(this.#rejects, this.#rejectBytes)
  }

  /** Adds what came of the next seed, or was refused before all of them. DiskFullError leaves both files as they were. */
  add({ row, rejects }: Settled, isSeed = true): void {
    // A row is settled by its own line: rejects without it are taken away at the next start.
    if (rejects.length > 0) {
      this.#rejectBytes += this.#append(this.#rejects, rejects, this.#rejectBytes)
      this.refused += rejects.length
    }
    if (!isSeed) return
    if (row !== undefined) {
      this.#rowBytes += this.#append(this.#rows, [row], this.#rowBytes)
      this.rows++
    }
    this.settled++
  }

  #append(file: string, values: readonly unknown[], at: number): number {
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
    withDiskFullError(file, 0, () => {
      const descriptor = openSync(file, 'a')
      try {
        try {
          for (let done = 0; done < bytes.length; ) done += this.#write(descriptor, bytes, done)
        } catch (error) {
          ftruncateSync(descriptor, at)
          throw error
        }
      } finally {
        closeSync(descriptor)
      }
    })
    return bytes.length
  }
}

/** The rows that there are. */
export function* readMadeRows(directory: string): Generator<unknown, void, undefined> {
  const file = join(directory, ROWS)
  for (const [i, line] of wholeLines(file).entries()) {
    let row: unknown
    try {
      row = JSON.parse(line.toString('utf8'))
    } catch (cause) {
      throw new InputError(`${file}:${i + 1}: expected a row in JSON, got something else. Restore it`, { cause })
    }
    yield row
  }
}

/** Hashes of the first `every`, 2 · `every`, … rows, for as many as there are, and of all. */
export function hashesOfRows(directory: string, every: number): { marks: string[]; sha256: string } {
  const hash = createHash('sha256')
  const marks: string[] = []
  for (const [i, line] of wholeLines(join(directory, ROWS)).entries()) {
    hash.update(line).update('\n')
    if ((i + 1) % every === 0) marks.push(hash.copy().digest('hex').slice(0, 16))
  }
  return { marks, sha256: hash.digest('hex') }
}

/** The rejects that there are. */
export const readRejects = (directory: string): Reject[] =>
  wholeLines(join(directory, REJECTS)).map((line) => rejectOf(line, join(directory, REJECTS)))

/** The lines of a file that have an end; none where there is no file. */
function wholeLines(file: string): Buffer[] {
  if (!existsSync(file)) return []
  const bytes = contentOf(file)
  const lines: Buffer[] = []
  let from = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    lines.push(bytes.subarray(from, end))
    from = end + 1
  }
  return lines
}

/** What is no plain file, such as a pipe, would be waited for without end. */
function contentOf(file: string): Buffer {
  const { descriptor } = openPlainFile(file)
  try {
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const bytesOf = (lines: readonly Buffer[]): number => lines.reduce((sum, line) => sum + line.length + 1, 0)

function rejectOf(line: Buffer, file: string): Reject {
  try {
    const value = JSON.parse(line.toString('utf8')) as Reject
    const { row, attempt, reason, text } = value
    const isPlace = row === null || (Number.isInteger(row) && row >= 0)
    if (isPlace && Number.isInteger(attempt) && typeof reason === 'string' && typeof text === 'string') return value
  } catch {
    // Told below.
  }
  throw new InputError(`${file}: expected rejects of a synthesis, got a line of something else. Restore it`)
}

function cut(file: string, bytes: number): void {
  const descriptor = openSync(file, 'a')
  try {
    if (fstatSync(descriptor).size > bytes) ftruncateSync(descriptor, bytes)
  } finally {
    closeSync(descriptor)
  }
}
