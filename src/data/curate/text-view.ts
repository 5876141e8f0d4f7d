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

/** Numbers for each word: where it begins and ends, and its code points with two flags. */
const FIELDS = 3
const HAS_LETTER = 1
const IS_SYMBOL = 2

/** Where words begin and end in UTF-16 units, and what is known of each. */
export class TextView {
  readonly text: string
  /** Code points of the text: every share of characters is one of these. */
  readonly length: number
  /** Words. */
  readonly count: number
  private readonly words: Int32Array

  constructor(text: string) {
    this.text = text
    this.length = scan(text)
    this.count = found
    this.words = scratch.slice(0, FIELDS * found)
  }

  start(word: number): number {
    return this.words[FIELDS * word]!
  }

  end(word: number): number {
    return this.words[FIELDS * word + 1]!
  }

  /** Code points of a word. */
  lengthOf(word: number): number {
    return this.words[FIELDS * word + 2]! >> 2
  }

  hasLetter(word: number): boolean {
    return (this.words[FIELDS * word + 2]! & HAS_LETTER) !== 0
  }

  /** Whether it is nothing but punctuation. */
  isSymbol(word: number): boolean {
    return (this.words[FIELDS * word + 2]! & IS_SYMBOL) !== 0
  }

  word(index: number): string {
    return this.text.slice(this.start(index), this.end(index))
  }
}

/** Words of the text that is being cut, and how many there are. Made once: memory for each text takes longer than the text. */
let scratch = new Int32Array(FIELDS * 4096)
let found = 0

function add(start: number, end: number, length: number, flags: number): void {
  const at = FIELDS * found
  if (at + FIELDS > scratch.length) {
    const longer = new Int32Array(2 * scratch.length)
    longer.set(scratch)
    scratch = longer
  }
  scratch[at] = start
  scratch[at + 1] = end
  scratch[at + 2] = (length << 2) | flags
  found++
}

/** Finds the words; returns the code points of the text. */
function scan(text: string): number {
  const classes = characterClasses()
  const end = text.length
  let codePoints = end
  let at = 0
  found = 0
  while (at < end) {
    const unit = text.charCodeAt(at)
    let kind = classes[unit]!
    if (kind === SPACE) {
      at++
      continue
    }
    let width = 1
    if (kind === ASTRAL) {
      const code = text.codePointAt(at)!
      width = code > 0xffff ? 2 : 1
      kind = classOf(code)
      codePoints -= width - 1
      if (kind === SPACE) {
        at += width
        continue
      }
    }
    if (kind <= MARK) {
      const start = at
      let astral = width - 1
      let flags = kind === LETTER ? HAS_LETTER : 0
      let last = kind
      at += width
      while (at < end) {
        const next = text.charCodeAt(at)
        const nextKind = classes[next]!
        if (nextKind !== SPACE && nextKind <= MARK) {
          if (nextKind === LETTER) flags = HAS_LETTER
          last = nextKind
          at++
          continue
        }
        if (nextKind === SPACE) break
        if (nextKind === ASTRAL) {
          const code = text.codePointAt(at)!
          const wide = classOf(code)
          if (code <= 0xffff || wide === SPACE || wide > MARK) break
          if (wide === LETTER) flags = HAS_LETTER
          last = wide
          astral++
          codePoints--
          at += 2
          continue
        }
        if (!joins(next, last, at + 1 < end ? classes[text.charCodeAt(at + 1)]! : SPACE)) break
        at++
      }
      add(start, at, at - start - astral, flags)
    } else if (unit === FULL_STOP) {
      const start = at
      while (at < end && text.charCodeAt(at) === FULL_STOP) at++
      add(start, at, at - start, IS_SYMBOL)
    } else {
      // A control character is punctuation, and so is a sign that ends sentences.
      const code = width === 2 ? text.codePointAt(at)! : unit
      add(at, at + width, 1, kind === IDEOGRAPH ? HAS_LETTER : isPunctuation(code) ? IS_SYMBOL : 0)
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
