// Bad lines: counted by reason, written down with the place where they are, never mixed with the good ones.
// A reader reports each bad line and goes on; `verify` decides at the end whether there were too many.

import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { InputError } from '../../errors.ts'
import { percent } from '../../report/amounts.ts'
import { convertAdvice } from './convert-advice.ts'
import { likelyEncoding } from './encoding.ts'

/** Why a line is bad. */
export type BadReason =
  | 'invalid-utf8'
  | 'nul'
  | 'lone-surrogate'
  | 'bad-json'
  | 'duplicate-key'
  | 'too-deep'
  | 'too-many-columns'
  | 'not-a-row'
  | 'line-too-long'
  | 'bad-csv'
  | 'column-count'
  | 'missing-text'
  | 'truncated'
  | 'damaged'
  | 'no-article'
  | 'bad-warc'
  | 'unreadable-file'

/** A bad line as a reader reports it. `offset` and `length` are bytes of the (decompressed) file, `line` counts from 1. */
export interface BadLine {
  file: string
  line: number
  offset: number
  length: number
  reason: BadReason
  /** What the parser said. */
  detail?: string
  /** The first bytes, for the excerpt. */
  bytes?: Uint8Array
}

/** What a quarantine is told once. */
export interface QuarantineOptions {
  /** A JSONL file for the bad lines, replaced by each run and absent when nothing is bad. Without it they are only counted. */
  path?: string | undefined
  /**
   * The share of all lines, and of all bytes, that may be bad, 0 to 1. One bad line is always allowed unless this is 0, or the line is
   * longer than 64 KiB or than everything else. Default 0.001.
   */
  maxBadFraction?: number | undefined
}

/** Bytes of a bad line that are copied to the quarantine; `offset` and `length` find the rest. */
const EXCERPT_BYTES = 200
/** A bad line of more bytes is no slip. */
const SLIP_BYTES = 64 * 1024
const BUFFERED_CHARACTERS = 64 * 1024
/** Garbage is given up early: after this many bad lines, if they are most of what was read. */
const HOPELESS_LINES = 10_000

/** Counts good and bad lines and writes the bad ones down. */
export class Quarantine {
  readonly path: string | undefined
  readonly maxBadFraction: number
  /** Whether whoever reads has said how much may be bad, and may say it otherwise. */
  private readonly isAdjustable: boolean
  good = 0
  bad = 0
  private goodBytes = 0
  private badBytes = 0
  private goodBefore = 0
  private badBefore = 0
  /** The first bad line of the current file. */
  private firstOfFile: BadLine | undefined
  readonly badByReason: Partial<Record<BadReason, number>> = {}
  private first: BadLine | undefined
  private handle: number | undefined
  private buffered: string[] = []
  private bufferedCharacters = 0

  constructor(options: QuarantineOptions = {}) {
    this.path = options.path
    this.maxBadFraction = options.maxBadFraction ?? 0.001
    this.isAdjustable = options.maxBadFraction !== undefined && options.maxBadFraction > 0
    // A stale file would tell of bad lines that are no longer there.
    if (this.path !== undefined) rmSync(this.path, { force: true })
  }

  /** Counts a bad line. Throws InputError when most of a large input is bad. */
  add(badLine: BadLine): void {
    this.bad++
    this.badBytes += badLine.length
    this.firstOfFile ??= { ...badLine }
    this.badByReason[badLine.reason] = (this.badByReason[badLine.reason] ?? 0) + 1
    this.first ??= { ...badLine }
    if (this.path !== undefined) this.write(badLine)
    const hopeless = Math.max(0.5, this.maxBadFraction)
    if (this.bad >= HOPELESS_LINES && this.bad > hopeless * (this.good + this.bad)) throw this.tooManyBad()
  }

  /** Counts lines that were read well. */
  addGood(lines: number, bytes: number): void {
    this.good += lines
    this.goodBytes += bytes
  }

  /** Throws InputError when the file that ends has bad lines and no good one: it is not what its name says. */
  endFile(file: string): void {
    const bad = this.bad - this.badBefore
    const good = this.good - this.goodBefore
    const first = this.firstOfFile
    this.badBefore = this.bad
    this.goodBefore = this.good
    this.firstOfFile = undefined
    if (good > 0 || first === undefined || this.maxBadFraction === 1) return
    throw new InputError(
      `file ${file}: expected a line that can be read, got ${bad} bad ${bad === 1 ? 'line' : 'lines'}. ${describe(first)}. ${adviceFor(first)}`,
    )
  }

  /** Throws InputError, with the counts, when more lines or bytes are bad than `maxBadFraction` allows or none is good. */
  verify(): void {
    if (this.bad === 0) return
    const least = this.maxBadFraction > 0 && this.good > 0 ? 1 : 0
    const allowed = Math.max(least, Math.floor(this.maxBadFraction * (this.good + this.bad)))
    const isMuch = this.badBytes > SLIP_BYTES || this.badBytes > this.goodBytes
    const isTooMuch = isMuch && this.badBytes > this.maxBadFraction * (this.goodBytes + this.badBytes)
    if (this.bad > allowed || isTooMuch) throw this.tooManyBad()
  }

  /** One line for people about what is left out; undefined where nothing is. */
  leftOut(): string | undefined {
    if (this.first === undefined) return undefined
    const { file, line } = this.first
    const total = this.good + this.bad
    const is = this.bad === 1 ? 'is' : 'are'
    const where = this.path === undefined ? '' : `; ${this.bad === 1 ? 'it is' : 'all are'} in ${this.path}`
    return `${this.bad.toLocaleString('en')} of ${total.toLocaleString('en')} lines cannot be read and ${is} left out (${this.reasons()}, the first at ${placeOf(file, line)})${where}`
  }

  /** Writes what is buffered and closes the file. */
  close(): void {
    this.flush()
    if (this.handle !== undefined) closeSync(this.handle)
    this.handle = undefined
  }

  private write({ file, line, offset, length, reason, detail, bytes }: BadLine): void {
    // Lossy on purpose: the excerpt is for people, the offset is for tools.
    const excerpt = bytes === undefined ? '' : Buffer.from(bytes.subarray(0, EXCERPT_BYTES)).toString('utf8')
    const record = `${JSON.stringify({ file, line, offset, length, reason, detail, excerpt })}\n`
    this.buffered.push(record)
    this.bufferedCharacters += record.length
    if (this.bufferedCharacters > BUFFERED_CHARACTERS) this.flush()
  }

  private flush(): void {
    if (this.buffered.length === 0 || this.path === undefined) return
    if (this.handle === undefined) {
      mkdirSync(dirname(this.path), { recursive: true })
      this.handle = openSync(this.path, 'w')
    }
    const bytes = Buffer.from(this.buffered.join(''))
    for (let done = 0; done < bytes.length; ) done += writeSync(this.handle, bytes, done)
    this.buffered = []
    this.bufferedCharacters = 0
  }

  private reasons(): string {
    return Object.entries(this.badByReason)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(', ')
  }

  private tooManyBad(): InputError {
    const total = this.good + this.bad
    const { file, line } = this.first!
    const bytes = percent(this.badBytes / Math.max(1, this.goodBytes + this.badBytes))
    const where = this.path === undefined ? '' : `; all of them are in ${this.path}`
    return new InputError(
      `bad lines in ${placeOf(file, line)}: expected at most ${this.maxBadFraction * 100} % bad, ` +
        `got ${this.bad} of ${total} (${this.reasons()}; ${bytes} of the bytes). ${describe(this.first!)}${where}. ` +
        `${adviceFor(this.first!)}${this.isAdjustable ? ', or raise max_bad_fraction (--max-bad-fraction; maxBadFraction in code)' : ''}`,
    )
  }
}

/** Line 0 is what belongs to no line, such as the end of a file that is cut short. */
function placeOf(file: string, line: number): string {
  return line === 0 ? file : `${file}:${line}`
}

function describe({ reason, detail }: BadLine): string {
  return `The first is ${reason}${detail === undefined ? '' : ` (${detail})`}`
}

function adviceFor({ file, reason, bytes }: BadLine): string {
  const encoding = reason === 'invalid-utf8' || reason === 'nul' ? bytes && likelyEncoding(bytes) : undefined
  if (encoding === undefined) return 'Mend the data'
  return `It is perhaps ${encoding}: ${convertAdvice(file, encoding)}`
}
