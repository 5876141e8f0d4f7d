// A text cut into words once, for all filters: where each word stands and how long it is. Words are about those for which the
// published thresholds were set (a language's tokenizer, which splits punctuation off): runs of letters, digits and marks, with an
// apostrophe or full stop inside; runs of full stops; every other sign by itself; every ideograph by itself.

import {
  ASTRAL,
  characterClasses,
  classOf,
  DIGIT,
  IDEOGRAPH,
  isPunctuation,
  LETTER,
  MARK,
  SPACE,
} from './characters.ts'

const APOSTROPHE = 0x27
const RIGHT_QUOTE = 0x2019
const FULL_STOP = 0x2e
const COMMA = 0x2c

/** Where words begin and end in UTF-16 units, and what is known of each. */
export class TextView {
  readonly text: string
  /** Code points of the text: every share of characters is one of these. */
  readonly length: number
  /** Words. */
  readonly count: number
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Code points of each word. */
  readonly lengths: Int32Array
  /** Whether a word has a letter, and whether it has something that is no punctuation. */
  readonly hasLetter: Uint8Array
  readonly isSymbol: Uint8Array

  constructor(text: string) {
    this.text = text
    const words = new WordList(text.length)
    const units = scan(text, words)
    this.length = units
    this.count = words.count
    this.starts = words.starts.subarray(0, words.count)
    this.ends = words.ends.subarray(0, words.count)
    this.lengths = words.lengths.subarray(0, words.count)
    this.hasLetter = words.hasLetter.subarray(0, words.count)
    this.isSymbol = words.isSymbol.subarray(0, words.count)
  }

  word(index: number): string {
    return this.text.slice(this.starts[index], this.ends[index])
  }
}

/** Arrays that grow. */
class WordList {
  count = 0
  starts: Int32Array
  ends: Int32Array
  lengths: Int32Array
  hasLetter: Uint8Array
  isSymbol: Uint8Array

  constructor(units: number) {
    const room = Math.max(16, units >> 2)
    this.starts = new Int32Array(room)
    this.ends = new Int32Array(room)
    this.lengths = new Int32Array(room)
    this.hasLetter = new Uint8Array(room)
    this.isSymbol = new Uint8Array(room)
  }

  add(start: number, end: number, length: number, hasLetter: boolean, isSymbol: boolean): void {
    if (this.count === this.starts.length) this.grow()
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.lengths[this.count] = length
    this.hasLetter[this.count] = hasLetter ? 1 : 0
    this.isSymbol[this.count] = isSymbol ? 1 : 0
    this.count++
  }

  private grow(): void {
    const room = 2 * this.starts.length
    const longer = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.starts = longer(this.starts, new Int32Array(room))
    this.ends = longer(this.ends, new Int32Array(room))
    this.lengths = longer(this.lengths, new Int32Array(room))
    this.hasLetter = longer(this.hasLetter, new Uint8Array(room))
    this.isSymbol = longer(this.isSymbol, new Uint8Array(room))
  }
}

/** Finds the words; returns the code points of the text. */
function scan(text: string, words: WordList): number {
  const classes = characterClasses()
  const end = text.length
  let codePoints = end
  let at = 0
  while (at < end) {
    const unit = text.charCodeAt(at)
    let kind = classes[unit]!
    let width = 1
    if (kind === ASTRAL) {
      const code = text.codePointAt(at)!
      width = code > 0xffff ? 2 : 1
      kind = classOf(code)
      codePoints -= width - 1
    }
    if (kind === SPACE) {
      at += width
    } else if (kind === LETTER || kind === DIGIT || kind === MARK) {
      const start = at
      let astral = width - 1
      let hasLetter = kind === LETTER
      let last = kind
      at += width
      while (at < end) {
        const next = text.charCodeAt(at)
        let nextKind = classes[next]!
        let nextWidth = 1
        if (nextKind === ASTRAL) {
          const code = text.codePointAt(at)!
          nextWidth = code > 0xffff ? 2 : 1
          nextKind = classOf(code)
        }
        if (nextKind === LETTER || nextKind === DIGIT || nextKind === MARK) {
          hasLetter ||= nextKind === LETTER
          astral += nextWidth - 1
          codePoints -= nextWidth - 1
          at += nextWidth
          last = nextKind
        } else if (joins(next, last, at + 1 < end ? classes[text.charCodeAt(at + 1)]! : SPACE)) {
          at += 1
        } else break
      }
      words.add(start, at, at - start - astral, hasLetter, false)
    } else if (unit === FULL_STOP) {
      const start = at
      while (at < end && text.charCodeAt(at) === FULL_STOP) at++
      words.add(start, at, at - start, false, true)
    } else {
      // A control character is punctuation, and so is a sign that ends sentences.
      const code = width === 2 ? text.codePointAt(at)! : unit
      words.add(at, at + width, 1, kind === IDEOGRAPH, kind !== IDEOGRAPH && isPunctuation(code))
      at += width
    }
  }
  return codePoints
}

/** Whether a sign inside a word belongs to it: `don't`, `U.S`, `3,14`. */
function joins(unit: number, before: number, after: number): boolean {
  if (unit === APOSTROPHE || unit === RIGHT_QUOTE) return before === LETTER && after === LETTER
  if (unit === FULL_STOP) return (after === LETTER || after === DIGIT) && before !== MARK
  return unit === COMMA && before === DIGIT && after === DIGIT
}

/** Code points of a string. */
export function codePoints(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdbff) continue
    const next = text.charCodeAt(i + 1)
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--
      i++
    }
  }
  return count
}

/** `a / b`, and 0 where there is nothing to divide by: an empty text has no share of anything. */
export function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b
}
