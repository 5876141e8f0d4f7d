// Answers on disk: a line of JSON each at the end of a file that several processes may add to at the same time. Every line has a check
// sum, so that one which is torn or changed is left out and never served; the others stay.

import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, messageOf, UsageError } from '../../errors.ts'
import { hashText } from '../../files/hash.ts'
import type { ModelAnswer } from './model-call.ts'

const PIECE_BYTES = 1 << 20
const CHECK_LENGTH = 16
const BEFORE_CHECK = '{"check":"'
const BEFORE_ENTRY = '","entry":'

/** An answer, and what it was made for. */
export interface StoredAnswer {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly answer: ModelAnswer
  /** Where like questions may get it too: the hash of all but the question, and the question. */
  readonly scope?: string
  readonly question?: string
}

/** What is told of the file. */
export interface AnswerLogEvents {
  /** Of each line that is found, those of other processes too. */
  onEntry: (entry: StoredAnswer) => void
  onFault: (fault: string) => void
}

/** A file of answers. */
export class AnswerLog {
  readonly file: string
  readonly #maxBytes: number
  readonly #events: AnswerLogEvents
  readonly #places = new Map<string, { offset: number; length: number }>()
  /** Bytes of the file that were read: up to the end of its last whole line. */
  #read = 0
  #isFull = false

  /** `directory` is made where there is none. `write` as `writeSync`. */
  constructor(
    directory: string,
    { maxBytes, write = writeSync, ...events }: AnswerLogEvents & { maxBytes: number; write?: typeof writeSync },
  ) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw new UsageError(`store: expected a folder for answers, got ${directory} (${messageOf(error)})`)
    }
    this.file = join(directory, 'answers.jsonl')
    this.#maxBytes = maxBytes
    this.#events = events
    this.#write = write
    this.catchUp()
  }

  readonly #write: typeof writeSync

  /** The last answer of this key, read and checked anew. */
  get(key: string): StoredAnswer | undefined {
    this.catchUp()
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    const entry = this.#open('r', (descriptor) => {
      const line = Buffer.alloc(place.length)
      const count = readSync(descriptor, line, 0, place.length, place.offset)
      return entryOf(line.toString('utf8', 0, count))
    })
    if (entry?.key === key) return entry
    this.#places.delete(key)
    this.#events.onFault(`${this.file}: left out an answer that is not what was written`)
    return undefined
  }

  /** Adds an answer. Where that cannot be done, it is told and the file stays as good as it was. */
  put(entry: StoredAnswer): void {
    // A line end before it as well: what a process that was killed has left of a line spoils no other one.
    const bytes = Buffer.from(`\n${lineOf(entry)}\n`)
    try {
      this.#open('a', (descriptor) => {
        if (fstatSync(descriptor).size + bytes.length > this.#maxBytes) {
          if (!this.#isFull) this.#events.onFault(`${this.file}: full (${this.#maxBytes} bytes), nothing is added`)
          this.#isFull = true
          return
        }
        const written = this.#write(descriptor, bytes)
        if (written < bytes.length) throw new Error(`wrote ${written} of ${bytes.length} bytes`)
      })
    } catch (error) {
      this.#events.onFault(`${this.file}: an answer was not added: ${messageOf(error)}`)
    }
  }

  /** Reads what was added since, by whomever. */
  catchUp(): void {
    this.#open('r', (descriptor) => {
      const { size } = fstatSync(descriptor)
      if (size < this.#read) {
        this.#read = 0 // another file by that name
        this.#places.clear()
      }
      let rest = Buffer.alloc(0)
      let bad = 0
      for (let at = this.#read; at < size; ) {
        const piece = Buffer.alloc(Math.min(PIECE_BYTES, size - at))
        const count = readSync(descriptor, piece, 0, piece.length, at)
        if (count === 0) break
        at += count
        const all = Buffer.concat([rest, piece.subarray(0, count)])
        let from = 0
        for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, from)) {
          if (!this.#take(all.toString('utf8', from, end), this.#read, end - from)) bad++
          this.#read += end + 1 - from
          from = end + 1
        }
        rest = all.subarray(from)
      }
      if (bad > 0) this.#events.onFault(`${this.file}: left out ${bad} lines that are not whole`)
    })
  }

  #take(line: string, offset: number, length: number): boolean {
    if (line === '') return true
    const entry = entryOf(line)
    if (entry === undefined) return false
    this.#places.set(entry.key, { offset, length })
    this.#events.onEntry(entry)
    return true
  }

  #open<T>(flags: 'r' | 'a', use: (descriptor: number) => T): T | undefined {
    let descriptor: number
    try {
      descriptor = openSync(this.file, flags, 0o600) // answers may be private
    } catch (error) {
      if (flags === 'a') throw error
      if (!hasCode(error, 'ENOENT')) this.#events.onFault(`${this.file}: cannot be read: ${messageOf(error)}`)
      return undefined
    }
    try {
      return use(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
}

function lineOf(entry: StoredAnswer): string {
  const text = JSON.stringify(entry)
  return `${BEFORE_CHECK}${hashText(text).slice(0, CHECK_LENGTH)}${BEFORE_ENTRY}${text}}`
}

function entryOf(line: string): StoredAnswer | undefined {
  const from = BEFORE_CHECK.length + CHECK_LENGTH
  const text = line.slice(from + BEFORE_ENTRY.length, -1)
  const check = hashText(text).slice(0, CHECK_LENGTH)
  if (line !== `${BEFORE_CHECK}${check}${BEFORE_ENTRY}${text}}`) return undefined
  return JSON.parse(text) as StoredAnswer // as it was written, so it parses
}
