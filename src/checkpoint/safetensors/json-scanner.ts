// A pull parser for small, strict JSON that came from a stranger: safetensors headers and shard indexes.
// It is not JSON.parse: that keeps the last of two equal keys, rounds integers above 2^53, lets `__proto__` set a prototype
// and builds every object before the first check. Here the caller says what it expects and gets it, or an InputError with
// the byte offset in the file.

import { InputError } from '../../errors.ts'

const MAX_DEPTH = 64 // of values that are skipped; nothing legitimate nests deeper than three
const QUOTE = 0x22
const BACKSLASH = 0x5c
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads JSON from `bytes`, which begin at byte `base` of `file`; every method throws an InputError on anything else. An
 * object may have `maxKeys` keys, because a key costs more memory than the six bytes it may take in the file.
 */
export class JsonScanner {
  readonly #bytes: Buffer
  readonly #file: string
  readonly #base: number
  readonly #maxKeys: number
  #at = 0

  constructor(bytes: Uint8Array, file: string, base: number = 0, maxKeys: number = 1_000_000) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#file = file
    this.#base = base
    this.#maxKeys = maxKeys
  }

  /** Throws the InputError for what stands at the current byte. */
  fail(expected: string, got: string = this.#shown()): never {
    throw new InputError(
      `invalid JSON in ${this.#file}:${this.#base + this.#at}: expected ${expected}, got ${got}. The file is damaged or not what its name says; get it again`,
    )
  }

  /** Reads `{…}`: calls `member` after each key, which must read that key's value. A key that repeats is an error. */
  object(member: (key: string) => void): void {
    const seen = new Set<string>()
    this.#sequence('{', '}', 'an object', () => {
      const key = this.string()
      if (seen.has(key)) this.fail('each key once', `${quoted(key)} again`)
      if (seen.size === this.#maxKeys) this.fail(`at most ${this.#maxKeys} keys in an object`, 'more')
      seen.add(key)
      this.#take(':')
      member(key)
    })
  }

  /** Reads `[…]`: calls `element` once per element, which must read it. */
  array(element: () => void): void {
    this.#sequence('[', ']', 'an array', element)
  }

  /** Reads a string that is valid Unicode. */
  string(): string {
    if (this.#next() !== QUOTE) this.fail('a string')
    const start = this.#at
    let end = start + 1
    let isPlain = true
    for (; end < this.#bytes.length && this.#bytes[end] !== QUOTE; end++) {
      const byte = this.#bytes[end]!
      if (byte === BACKSLASH) end++
      if (byte === BACKSLASH || byte < 0x20 || byte > 0x7e) isPlain = false
    }
    if (end >= this.#bytes.length) this.fail('a string that ends', 'the end of the data')
    this.#at = end + 1
    if (isPlain) return this.#bytes.toString('latin1', start + 1, end)
    let text: string | undefined
    try {
      text = JSON.parse(decoder.decode(this.#bytes.subarray(start, end + 1))) as string
    } catch {
      // Bad UTF-8, a control character or an unknown escape: reported below, at the string's first byte.
    }
    if (text?.isWellFormed()) return text
    this.#at = start
    return this.fail('a string of valid UTF-8 without control characters or lone surrogates')
  }

  /** Reads an integer from 0 to 2^53 − 1 in plain digits. */
  unsignedInteger(): number {
    const first = this.#next()
    const start = this.#at
    if (first === undefined || !isDigit(first)) this.fail('an integer of at least 0')
    while (isDigit(this.#bytes[this.#at])) this.#at++
    const digits = this.#bytes.toString('latin1', start, this.#at)
    const isWhole = !isScalarByte(this.#bytes[this.#at]) // 1.0 and 1e3 are numbers, but not integers as written
    const value = Number(digits)
    // Compared as text as well: Number() rounds, so that 2^53 + 1 would look like 2^53.
    if (isWhole && Number.isSafeInteger(value) && String(value) === digits) return value
    this.#at = start
    return this.fail('an integer from 0 to 2^53 - 1 without leading zeros')
  }

  /** Reads past any one value without keeping it. */
  skip(depth: number = 0): void {
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels of nesting`, 'more')
    const first = this.#next()
    if (first === QUOTE) this.string()
    else if (first === 0x7b) this.object(() => this.skip(depth + 1))
    else if (first === 0x5b) this.array(() => this.skip(depth + 1))
    else {
      const start = this.#at
      while (isScalarByte(this.#bytes[this.#at])) this.#at++
      const word = this.#bytes.toString('latin1', start, this.#at)
      if (/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(word)) return
      this.#at = start
      this.fail('a value')
    }
  }

  /** Checks that nothing but whitespace follows. */
  end(): void {
    if (this.#next() !== undefined) this.fail('nothing more')
  }

  #sequence(open: string, close: string, what: string, item: () => void): void {
    if (this.#next() !== open.charCodeAt(0)) this.fail(what)
    this.#at++
    if (this.#next() === close.charCodeAt(0)) {
      this.#at++
      return
    }
    for (;;) {
      item()
      if (this.#next() === close.charCodeAt(0)) break
      this.#take(',')
    }
    this.#at++
  }

  #take(character: string): void {
    if (this.#next() !== character.charCodeAt(0)) this.fail(`'${character}'`)
    this.#at++
  }

  /** The first byte that is not JSON whitespace, without taking it; undefined at the end. */
  #next(): number | undefined {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
      this.#at++
    }
  }

  #shown(): string {
    if (this.#at >= this.#bytes.length) return 'the end of the data'
    return JSON.stringify(this.#bytes.toString('latin1', this.#at, this.#at + 24))
  }
}

/** Text for a message: quoted, escaped, and cut, because a hostile name may have millions of characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function isScalarByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (
    isDigit(byte) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x45 || byte === 0x2b || byte === 0x2d || byte === 0x2e
  )
}
