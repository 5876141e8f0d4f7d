// Records of comma- or tab-separated text by RFC 4180: quoted fields, doubled quotes, line breaks inside quotes.
// When a quote is never closed, or something follows a closing quote, only the line where the record began is given up
// and reading goes on with the line after it, so that one stray quote does not swallow the rest of the file.

import { isUtf8 } from 'node:buffer'
import type { BadReason } from '../quarantine.ts'
import type { Line } from './line-splitter.ts'

/** A record, or a line that belongs to none. */
export type DelimitedOutcome =
  | { fields: string[]; first: Line; length: number }
  | { reason: BadReason; detail?: string; first: Line }

/** How records are written. */
export interface DelimitedOptions {
  delimiter: string
  maxRecordBytes: number
  /** Takes quotes of a line that breaks the quoting rules as ordinary characters: many TSV files know no quoting. */
  takesStrayQuotes: boolean
}

/** A record may span lines, but an open quote must not make us hold the rest of a large file as lines. */
const MAX_RECORD_LINES = 100_000

type Step = 'complete' | 'open' | 'broken'

/** Push lines, take records; `end` settles a record that is still open. */
export class DelimitedRecords {
  private readonly options: DelimitedOptions
  private fields: string[] = []
  /** The quoted field that a line break left open. */
  private openField: string | undefined
  private lines: Line[] = []
  private bytes = 0

  constructor(options: DelimitedOptions) {
    this.options = options
  }

  push(line: Line): DelimitedOutcome[] {
    const outcomes: DelimitedOutcome[] = []
    // The lines to read, last first.
    const waiting = [line]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const again of this.take(next, outcomes).reverse()) waiting.push(again)
    }
    return outcomes
  }

  end(): DelimitedOutcome[] {
    const outcomes: DelimitedOutcome[] = []
    while (this.lines.length > 0) {
      for (const line of this.giveUp('a quote is not closed', outcomes)) {
        for (const outcome of this.push(line)) outcomes.push(outcome)
      }
    }
    return outcomes
  }

  /** Reads one line; returns the lines to read again. */
  private take(line: Line, outcomes: DelimitedOutcome[]): Line[] {
    if (this.lines.length === 0 && line.bytes.length === 0) return []
    this.lines.push(line)
    this.bytes += line.length + 1
    const isTooLong = this.bytes > this.options.maxRecordBytes + 1 || this.lines.length > MAX_RECORD_LINES
    if (line.isTooLong || isTooLong) return this.giveUp('too long', outcomes)
    if (!isUtf8(line.bytes) || line.bytes.includes(0)) return this.giveUp('a line of it is not text', outcomes)
    const step = this.scan(line.bytes.toString('utf8'))
    if (step === 'open') return []
    if (step === 'broken') return this.giveUp('a character follows a closing quote', outcomes)
    const first = this.lines[0]!
    outcomes.push({ fields: this.fields, first, length: line.offset + line.length - first.offset })
    this.clear()
    return []
  }

  /** Reads the fields of one line into the record. */
  private scan(text: string): Step {
    const { delimiter } = this.options
    let i = 0
    if (this.openField === undefined) {
      this.fields = []
    } else {
      const end = this.quoted(text, 0)
      if (end === -1) return 'open'
      if (end < text.length && text[end] !== delimiter) return 'broken'
      if (end === text.length) return 'complete'
      i = end + 1
    }
    for (;;) {
      if (text[i] === '"') {
        this.openField = ''
        i = this.quoted(text, i + 1)
        if (i === -1) return 'open'
        if (i < text.length && text[i] !== delimiter) return 'broken'
      } else {
        const next = text.indexOf(delimiter, i)
        const end = next === -1 ? text.length : next
        this.fields.push(text.slice(i, end))
        i = end
      }
      if (i >= text.length) return 'complete'
      i++
    }
  }

  /** Reads on in a quoted field from `start`; returns where it ends, or −1 when the line ends first. */
  private quoted(text: string, start: number): number {
    let i = start
    for (;;) {
      const quote = text.indexOf('"', i)
      if (quote === -1) {
        this.openField += `${text.slice(i)}\n`
        return -1
      }
      this.openField += text.slice(i, quote)
      if (text[quote + 1] !== '"') {
        this.fields.push(this.openField!)
        this.openField = undefined
        return quote + 1
      }
      this.openField += '"'
      i = quote + 2
    }
  }

  /** Gives up the first line of the record and returns the others, to be read again. */
  private giveUp(detail: string, outcomes: DelimitedOutcome[]): Line[] {
    const [first, ...others] = this.lines as [Line, ...Line[]]
    this.clear()
    if (first.isTooLong) outcomes.push({ reason: 'line-too-long', first })
    else if (first.bytes.includes(0)) outcomes.push({ reason: 'nul', first })
    else if (!isUtf8(first.bytes)) outcomes.push({ reason: 'invalid-utf8', first })
    else if (this.options.takesStrayQuotes) {
      const fields = first.bytes.toString('utf8').split(this.options.delimiter)
      outcomes.push({ fields, first, length: first.length })
    } else outcomes.push({ reason: 'bad-csv', detail, first })
    return others
  }

  private clear(): void {
    this.fields = []
    this.openField = undefined
    this.lines = []
    this.bytes = 0
  }
}
