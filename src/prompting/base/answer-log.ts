// Answers on disk: a line of JSON each at the end of a file that several processes may add to at the same time. Every line has a check
// sum, so that one which is torn or changed is left out and never served; the others stay.

import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, messageOf, UsageError } from '../../errors.ts'
import { hashText } from '../../files/hash.ts'
import { openPlainFile } from '../../files/open-plain-file.ts'
import { isAnswer, isFields } from './is-answer.ts'
import type { ModelAnswer } from './model-call.ts'

const PIECE_BYTES = 1 << 20
/** A longer line is none of ours. */
const LONGEST_LINE = 1 << 28
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
  /** What else its reader wants to know of it, as JSON. */
  readonly about?: Readonly<Record<string, unknown>>
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
  /** How long the file was when it was looked at: a line that has not ended is read again once there is more of it. */
  #seen = 0
  #told = ''
  #isFull = false

  /** `directory` is made where there is none; `name` is the file's in it. `write` as `writeSync`. */
  constructor(
    directory: string,
    {
      maxBytes,
      name = 'answers.jsonl',
      write = writeSync,
      ...events
    }: AnswerLogEvents & { maxBytes: number; name?: string; write?: typeof writeSync },
  ) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw new UsageError(`store: expected a folder for answers, got ${directory} (${messageOf(error)})`)
    }
    this.file = join(directory, name)
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
    try {
      this.add(entry)
    } catch (error) {
      this.#events.onFault(`${this.file}: an answer was not added: ${messageOf(error)}`)
    }
  }

  /** The same; throws where that cannot be done. */
  add(entry: StoredAnswer): void {
    // A line end before it as well: what a process that was killed has left of a line spoils no other one.
    const bytes = Buffer.from(`\n${lineOf(entry)}\n`)
    this.#open('a', (descriptor) => {
      if (fstatSync(descriptor).size + bytes.length > this.#maxBytes) {
        if (!this.#isFull) this.#events.onFault(`${this.file}: full (${this.#maxBytes} bytes), nothing is added`)
        this.#isFull = true
        return
      }
      let written = this.#write(descriptor, bytes)
      // A part is written where room ends: the next try says so in the system's words.
      if (written < bytes.length) written += this.#write(descriptor, bytes.subarray(written))
      if (written < bytes.length) throw new Error(`wrote ${written} of ${bytes.length} bytes`)
    })
  }

  /** Reads what was added since, by whomever. */
  catchUp(): void {
    this.#open('r', (descriptor) => {
      const { size } = fstatSync(descriptor)
      if (size < this.#read) {
        this.#read = 0 // another file by that name
        this.#places.clear()
      } else if (size === this.#seen) return
      this.#seen = size
      let rest: Buffer[] = []
      let length = 0
      let bad = 0
      for (let at = this.#read; at < size; ) {
        const piece = Buffer.alloc(Math.min(PIECE_BYTES, size - at))
        const count = readSync(descriptor, piece, 0, piece.length, at)
        if (count === 0) break
        at += count
        const now = piece.subarray(0, count)
        let from = 0
        for (let end = now.indexOf(10); end >= 0; end = now.indexOf(10, from)) {
          length += end - from
          const line = length > LONGEST_LINE ? undefined : Buffer.concat([...rest, now.subarray(from, end)])
          if (line === undefined || !this.#take(line.toString('utf8'), this.#read, length)) bad++
          this.#read += length + 1
          rest = []
          length = 0
          from = end + 1
        }
        length += count - from
        if (length > LONGEST_LINE) rest = []
        else rest.push(now.subarray(from))
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
    let descriptor: number | undefined
    try {
      descriptor = flags === 'a' ? openSync(this.file, APPEND, 0o600) : openPlainFile(this.file).descriptor
      return use(descriptor)
    } catch (error) {
      if (flags === 'a') throw error
      const fault = messageOf(error)
      if (!hasCode(error, 'ENOENT') && fault !== this.#told)
        this.#events.onFault(`${this.file}: cannot be read: ${fault}`)
      this.#told = fault
      return undefined
    } finally {
      if (descriptor !== undefined) closeSync(descriptor)
    }
  }
}

/** For nobody else to read, since answers may be private; and without waiting where somebody has put a pipe there. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0)

function lineOf(entry: StoredAnswer): string {
  const text = JSON.stringify(entry)
  return `${BEFORE_CHECK}${hashText(text).slice(0, CHECK_LENGTH)}${BEFORE_ENTRY}${text}}`
}

function entryOf(line: string): StoredAnswer | undefined {
  if (!line.startsWith(BEFORE_CHECK)) return undefined
  const from = BEFORE_CHECK.length + CHECK_LENGTH
  const text = line.slice(from + BEFORE_ENTRY.length, -1)
  const check = hashText(text).slice(0, CHECK_LENGTH)
  if (line !== `${BEFORE_CHECK}${check}${BEFORE_ENTRY}${text}}`) return undefined
  let entry: unknown
  try {
    entry = JSON.parse(text)
  } catch {
    return undefined // somebody else's sum is right, too
  }
  if (!isFields(entry)) return undefined
  const { key, at, answer, scope, question, about } = entry
  const isSound = typeof key === 'string' && Number.isFinite(at) && isAnswer(answer)
  const areTexts = [scope, question].every((one) => one === undefined || typeof one === 'string')
  return isSound && areTexts && (about === undefined || isFields(about))
    ? (entry as unknown as StoredAnswer)
    : undefined
}
