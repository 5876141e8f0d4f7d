// What a long measurement has found so far, one JSON line for each finding, so that it goes on after a kill or a power cut. The first
// line says what was measured; a journal of something else is refused. Each line is one write; fsync follows at most once a second.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { InputError, UsageError } from '../errors.ts'
import { syncPath, withDiskFullError } from '../files/atomic-write.ts'
import { checkOutputFile } from '../files/output-file.ts'

const FORMAT = 'anneal-journal-1'
const SYNC_MILLISECONDS = 1000

/** What ties a journal to a measurement, such as hashes of model and data, and the options. Values that JSON can hold. */
export type JournalHeader = Readonly<Record<string, string | number | boolean | null>>

/** Measurements on disk, so that a search which was stopped goes on where it was. */
export class Journal {
  readonly path: string
  private readonly descriptor: number
  private readonly found: Map<string, number[]>
  private syncedAt = performance.now()

  private constructor(path: string, descriptor: number, found: Map<string, number[]>) {
    this.path = path
    this.descriptor = descriptor
    this.found = found
  }

  /** Opens or begins the journal at `path`. InputError where it belongs to something else or is damaged before its last line. */
  static open(path: string, header: JournalHeader): Journal {
    const bytes = contentOf(path)
    // Without its line end a line is not whole.
    const end = bytes.lastIndexOf(10) + 1
    const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1)
    checkHeader(path, lines[0] ?? bytes.toString('utf8'), header)
    const found = new Map(lines.slice(1).map((line, i) => entryOf(path, line, i + 2)))
    return withDiskFullError(path, 0, () => {
      const descriptor = openSync(path, 'a')
      ftruncateSync(descriptor, end)
      const journal = new Journal(path, descriptor, found)
      if (lines.length === 0) {
        journal.write(firstLine(header))
        syncPath(dirname(path))
      }
      return journal
    })
  }

  /** How many findings there are. */
  get size(): number {
    return this.found.size
  }

  get(key: string): number[] | undefined {
    return this.found.get(key)
  }

  append(key: string, numbers: number[]): void {
    this.found.set(key, numbers)
    withDiskFullError(this.path, 0, () => this.write({ key, numbers: numbers.map(spelled) }))
  }

  close(): void {
    fsyncSync(this.descriptor)
    closeSync(this.descriptor)
  }

  /** Closes the journal and deletes it: its measurement is done. */
  remove(): void {
    this.close()
    rmSync(this.path)
  }

  private write(line: object): void {
    writeSync(this.descriptor, `${JSON.stringify(line)}\n`)
    const now = performance.now()
    if (now - this.syncedAt < SYNC_MILLISECONDS && this.found.size > 0) return
    fsyncSync(this.descriptor)
    this.syncedAt = now
  }
}

/** Nothing where there is no file yet; says so where there could be none. */
function contentOf(path: string): Buffer {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK)
    checkOutputFile(path, 'journal')
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  } catch (cause) {
    if (cause instanceof UsageError) throw new InputError(cause.message, { cause })
    const { code } = cause as NodeJS.ErrnoException
    throw new InputError(`journal ${path}: expected a file that can be written, got ${code}. Choose another path`, {
      cause,
    })
  }
}

const firstLine = (header: JournalHeader): object => ({ format: FORMAT, of: header })

/** `line` is the first one, or what there is of it: nothing of another file may be cut off. */
function checkHeader(path: string, line: string, header: JournalHeader): void {
  if (JSON.stringify(firstLine(header)).startsWith(line)) return
  const of = /^\{"format":"anneal-journal-1","of":(\{.*\})\}$/.exec(line)?.[1]
  if (of === undefined)
    throw new InputError(`journal in ${path}:1: expected ${FORMAT}, got another file. Choose another path`)
  const found = parse(path, of, 1)
  const key = [...new Set([...Object.keys(header), ...Object.keys(found)])].find((name) => header[name] !== found[name])
  const [expected, got] = [header, found].map((one) => JSON.stringify(one[key ?? '']) ?? 'nothing')
  throw new InputError(
    `journal in ${path}: ${key}: expected ${expected}, got ${got}: it belongs to another search. Remove it to begin anew, or choose another path`,
  )
}

function parse(path: string, line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new InputError(
    `journal in ${path}:${number}: expected a JSON object, got something else. Remove it to begin anew`,
  )
}

function entryOf(path: string, line: string, number: number): [string, number[]] {
  const { key, numbers } = parse(path, line, number)
  const values = Array.isArray(numbers)
    ? numbers.map((value) => (typeof value === 'string' ? Number(value) : value))
    : []
  if (typeof key === 'string' && Array.isArray(numbers) && values.every((value) => typeof value === 'number'))
    return [key, values as number[]]
  throw new InputError(
    `journal in ${path}:${number}: expected a key and its numbers, got something else. Remove it to begin anew`,
  )
}

/** JSON has no infinity and no NaN. */
const spelled = (value: number): number | string => (Number.isFinite(value) ? value : String(value))
