// Reads the front of a file of unknown origin value by value. What a length field claims is compared with the bytes that are
// left before anything is allocated, so a few bytes can never ask for gigabytes.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { InputError } from '../errors.ts'

const CHUNK_BYTES = 1 << 20

/** A header goes on behind the bytes that are there; at least `needed` would be. */
export class HeaderCutError extends InputError {
  readonly needed: number
  constructor(file: string, needed: number) {
    super(`truncated ${file}: expected at least ${needed} bytes, got fewer. Get it again`)
    this.needed = needed
  }
}

/** A position in an open file that only moves forward. */
export class FileCursor {
  readonly file: string
  readonly size: number
  position = 0
  readonly #descriptor: number
  readonly #available: number
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0

  /** Opens a plain file; an InputError for a directory, a pipe or nothing. Of a file of which only the first bytes came, `available` says how many. */
  constructor(file: string, available: number = Number.POSITIVE_INFINITY) {
    this.file = file
    this.#available = available
    try {
      // Opening a named pipe would wait for a writer.
      if (!statSync(file).isFile()) throw new InputError(`cannot read ${file}: expected a file, got something else`)
      this.#descriptor = openSync(file, 'r')
    } catch (error) {
      if (error instanceof InputError) throw error
      const code = (error as NodeJS.ErrnoException).code
      throw new InputError(`cannot read ${file}: expected a readable file, got ${code}. Check the path`, {
        cause: error,
      })
    }
    this.size = fstatSync(this.#descriptor).size
  }

  get remaining(): number {
    return this.size - this.position
  }

  /** The next `length` bytes, valid until the next call. */
  bytes(length: number, what: string): Buffer {
    if (length > this.remaining) this.fail(what, `${length} bytes`, `${this.remaining} to the end of the file`)
    if (this.position + length > this.#available) throw new HeaderCutError(this.file, this.position + length)
    const offset = this.position - this.#start
    if (offset + length > this.#buffer.length) this.#fill(length)
    const from = this.position - this.#start
    this.position += length
    return this.#buffer.subarray(from, from + length)
  }

  u32(what: string): number {
    return this.bytes(4, what).readUInt32LE()
  }

  /** An unsigned 64-bit count of at most `limit`. */
  count(what: string, limit: number): number {
    const value = this.bytes(8, what).readBigUInt64LE()
    if (value > BigInt(limit)) this.fail(what, `at most ${limit}`, `${value}`, this.position - 8)
    return Number(value)
  }

  fail(what: string, expected: string, got: string, at: number = this.position): never {
    throw new InputError(
      `bad ${what} in ${this.file}:${at}: expected ${expected}, got ${got}. The file is damaged or hostile; get it again`,
    )
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #fill(length: number): void {
    const wanted = Math.min(Math.max(length, CHUNK_BYTES), this.remaining)
    // A long string must not keep a larger buffer alive than it needs.
    const buffer = Buffer.allocUnsafe(wanted)
    let filled = 0
    while (filled < wanted) {
      const count = readSync(this.#descriptor, buffer, filled, wanted - filled, this.position + filled)
      if (count === 0) this.fail('length', `${wanted} more bytes`, `${filled}: the file shrank`)
      filled += count
    }
    this.#buffer = buffer
    this.#start = this.position
  }
}
