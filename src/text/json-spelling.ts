// What JSON.parse forgets and Python keeps: that 1.0 is no whole number, the digits of whole numbers beyond 2^53, and that the keys
// "10" and "9" stood in this order. Chat templates print all three. The data stays what JSON.parse gives; what it forgot
// is remembered beside it, by object, for whoever asks.

import { randomUUID } from 'node:crypto'

/** What was written of an object or list and is not in it. */
export interface JsonSpelling {
  /** Numbers as they were written, by key or index. */
  readonly numbers: ReadonlyMap<string, string>
  /** The keys in the order in which they were written; undefined where the object has them so. */
  readonly keys: readonly string[] | undefined
}

const spellings = new WeakMap<object, JsonSpelling>()

/** What is remembered of an object or list that was given to `rememberSpelling`, or is in one. */
export function jsonSpelling(value: object): JsonSpelling | undefined {
  return spellings.get(value)
}

/**
 * `JSON.stringify` with numbers as they were written: the identifier 9007199254740993 stays that number, also where the value had to be a string.
 * The data may have changed since: what is no such number any more is written as it is.
 */
export function stringifySpelled(value: unknown): string {
  if (!isSpelled(value)) return JSON.stringify(value)
  return JSON.stringify(value, function (this: unknown, key, inner: unknown) {
    const spelled = typeof this === 'object' && this !== null ? spellings.get(this)?.numbers.get(key) : undefined
    const isStill = spelled !== undefined && (typeof inner === 'string' ? spelled === inner : Number(spelled) === inner)
    return isStill ? MARK + spelled : inner
  }).replaceAll(MARKED, '$1')
}

function isSpelled(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return spellings.has(value) || Object.values(value).some(isSpelled)
}

// Nobody's text has it: it is another one in each process.
const MARK = `\uE000${randomUUID()}:`
const MARKED = new RegExp(`"${MARK}(-?[0-9.eE+-]+)"`, 'g')

// A number with a point or an exponent, one of 16 digits or more, or a key of digits.
const WORTH_A_LOOK = /[:[,]\s*-?(?:\d+(?:\.0*(?!\d)|\.?\d*[eE])|\d{16})|"\d+"\s*:/

/** Remembers that numbers of an object were written in another way than JSON would write them, by key: `1.0`. */
export function rememberNumbers(value: object, numbers: ReadonlyMap<string, string>): void {
  spellings.set(value, { numbers, keys: undefined })
}

/** Remembers the spelling of a text that `JSON.parse` made `value` of. */
export function rememberSpelling(text: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || !WORTH_A_LOOK.test(text)) return
  try {
    new Walker(text).value(value)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // nested deeper than any reader takes
  }
}

/** Goes through a text and its value side by side. */
class Walker {
  readonly #text: string
  readonly #token = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null|[[\]{},:]))/y

  constructor(text: string) {
    this.#text = text
  }

  #next(): { string?: string; number?: string; mark?: string } {
    const [, string, number, mark] = this.#token.exec(this.#text)!
    return {
      ...(string !== undefined && { string }),
      ...(number !== undefined && { number }),
      ...(mark !== undefined && { mark }),
    }
  }

  /** Reads one value; returns how a number was written where its value does not tell. */
  value(value: unknown, first = this.#next()): string | undefined {
    if (first.number !== undefined) return isTold(first.number) ? undefined : first.number
    if (first.mark !== '[' && first.mark !== '{') return undefined
    const numbers = new Map<string, string>()
    const keys = new Set<string>()
    const isList = first.mark === '['
    let token = this.#next()
    for (let i = 0; token.mark !== ']' && token.mark !== '}'; i++) {
      const key = isList ? String(i) : (JSON.parse(token.string!) as string)
      keys.add(key)
      if (!isList) {
        this.#next() // the colon
        token = this.#next()
      }
      const inner = (value as Record<string, unknown> | undefined)?.[key]
      const number = this.value(inner, token)
      // Of a key that is given twice the last value counts.
      if (number === undefined) numbers.delete(key)
      else numbers.set(key, number)
      token = this.#next()
      if (token.mark === ',') token = this.#next()
    }
    const isOrdered = isList || ![...keys].some((key) => /^\d+$/.test(key))
    if (typeof value === 'object' && value !== null && (numbers.size > 0 || !isOrdered)) {
      spellings.set(value, { numbers, keys: isOrdered ? undefined : [...keys] })
    }
    return undefined
  }
}

/** True where a number's value says all that its spelling does: an int in range, or a float that is not whole. */
function isTold(spelled: string): boolean {
  const value = Number(spelled)
  if (/[.e]/i.test(spelled)) return !Number.isSafeInteger(value)
  return Number.isSafeInteger(value)
}
