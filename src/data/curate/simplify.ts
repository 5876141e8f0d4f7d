// The text as near-duplicates are looked for in it: lower case, every number 0, punctuation and white space one space, no accents.
// The same steps in the same order as FineWeb's reference implementation, whose signatures come out bit for bit. Most texts take one
// pass with a table; one with characters that the table cannot tell takes the steps one by one.

import { SIMPLIFIED_PUNCTUATION } from './characters.ts'

const NUMBERS = /\p{Nd}+(?:[.,،٫⎖⎗⎘]\p{Nd}+)?/gu
const SEPARATORS: ReadonlySet<number> = new Set(Array.from('.,،٫⎖⎗⎘', (sign) => sign.charCodeAt(0)))
const escaped = SIMPLIFIED_PUNCTUATION.map((code) => `\\u{${code.toString(16)}}`).join('')
// White space as Python has it; what JavaScript counts besides (U+FEFF) is a character there.
const GAPS = new RegExp(
  `[${escaped}\\t\\n\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+`,
  'gu',
)
const NON_ASCII = /[^\x00-\x7f]/
const MARKS = /\p{Mn}+/gu
/** Scripts without spaces get one after each character, so that they have words at all. */
export const UNSPACED: RegExp =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/u
const UNSPACED_ALL = new RegExp(UNSPACED.source, 'gu')

/** What the table says instead of a character: a gap, a digit, a mark that goes, and one that needs all steps. */
const GAP = 1
const NUMBER = 2
const MARK = 3
const HARD = 4
const SPACE = 0x20
const ZERO = 0x30

let table: Uint16Array | undefined

function simpleUnits(): Uint16Array {
  if (table !== undefined) return table
  table = new Uint16Array(0x10000)
  const gap = new RegExp(`^${GAPS.source}$`, 'u')
  for (let unit = 0; unit < 0x10000; unit++) {
    const character = String.fromCharCode(unit)
    const decomposed = unit < 0x80 ? character : character.normalize('NFD').replace(MARKS, '')
    table[unit] =
      unit >= 0xd800 && unit < 0xe000
        ? HARD
        : gap.test(character)
          ? GAP
          : /\p{Nd}/u.test(character)
            ? NUMBER
            : /\p{Mn}/u.test(character)
              ? MARK
              : decomposed.length === 1 && !/\p{M}/u.test(decomposed)
                ? decomposed.charCodeAt(0)
                : HARD
  }
  return table
}

let scratch = Buffer.alloc(1 << 16)

/** Words with one space between them, none at the ends; '' where there is no word. */
export function simplify(text: string): string {
  const lower = text.toLowerCase()
  return inOnePass(lower) ?? inSteps(lower)
}

function inOnePass(lower: string): string | undefined {
  const units = simpleUnits()
  const end = lower.length
  if (scratch.length < 2 * end) scratch = Buffer.alloc(4 * end)
  const out = new Uint16Array(scratch.buffer, scratch.byteOffset, end)
  let length = 0
  let highest = 0
  // A gap becomes a space when something follows it; at the beginning there is none.
  let hasGap = false
  let isBegun = false
  for (let at = 0; at < end; at++) {
    let unit = units[lower.charCodeAt(at)]!
    if (unit === GAP) {
      hasGap = isBegun
      continue
    }
    if (unit === HARD) return undefined
    if (unit === NUMBER) {
      while (at + 1 < end && units[lower.charCodeAt(at + 1)] === NUMBER) at++
      if (at + 2 < end && SEPARATORS.has(lower.charCodeAt(at + 1)) && units[lower.charCodeAt(at + 2)] === NUMBER) {
        at += 2
        while (at + 1 < end && units[lower.charCodeAt(at + 1)] === NUMBER) at++
      }
      unit = ZERO
    }
    if (hasGap) {
      out[length++] = SPACE
      hasGap = false
    }
    isBegun = true
    if (unit === MARK) continue
    if (unit > highest) highest = unit
    out[length++] = unit
  }
  if (highest >= 0x100) return trimSpaces(scratch.toString('utf16le', 0, 2 * length))
  const narrow = new Uint8Array(scratch.buffer, scratch.byteOffset, length)
  for (let i = 0; i < length; i++) narrow[i] = out[i]!
  return trimSpaces(scratch.toString('latin1', 0, length))
}

function inSteps(lower: string): string {
  let simple = trimSpaces(lower.replace(NUMBERS, '0').replace(GAPS, ' '))
  if (NON_ASCII.test(simple)) simple = simple.normalize('NFD').replace(MARKS, '')
  return trimSpaces(simple)
}

/** The same, with a word for each character of a script that writes no spaces. */
export function simplifiedWords(text: string): string {
  return wordsApart(simplify(text))
}

/** Words with one space between them, and spaces around every character of a script that writes none. */
export function wordsApart(words: string): string {
  if (!UNSPACED.test(words)) return words
  return trimSpaces(words.replace(UNSPACED_ALL, ' $& ').replace(/ +/g, ' '))
}

function trimSpaces(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && text.charCodeAt(from) === SPACE) from++
  while (to > from && text.charCodeAt(to - 1) === SPACE) to--
  return from === 0 && to === text.length ? text : text.slice(from, to)
}

/** For tests: both ways. */
export const SIMPLIFIERS: { onePass(lower: string): string | undefined; steps(lower: string): string } = {
  onePass: inOnePass,
  steps: inSteps,
}
