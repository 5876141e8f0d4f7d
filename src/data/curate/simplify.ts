// The text as near-duplicates are looked for in it: lower case, every number 0, punctuation and white space one space, no accents.
// The same steps in the same order as FineWeb's reference implementation, whose signatures come out bit for bit.

import { SIMPLIFIED_PUNCTUATION } from './characters.ts'

const NUMBERS = /\p{Nd}+(?:[.,،٫⎖⎗⎘]\p{Nd}+)?/gu
const escaped = SIMPLIFIED_PUNCTUATION.map((code) => `\\u{${code.toString(16)}}`).join('')
// White space as Python has it; what JavaScript counts besides (U+FEFF) is a character there.
const GAPS = new RegExp(
  `[${escaped}\\t\\n\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+`,
  'gu',
)
const NON_ASCII = /[^\x00-\x7f]/
const MARKS = /\p{Mn}+/gu
/** Scripts without spaces get one after each character, so that they have words at all. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/u
const UNSPACED_ALL = new RegExp(UNSPACED.source, 'gu')

/** Words with one space between them, none at the ends; '' where there is no word. */
export function simplify(text: string): string {
  let simple = text.toLowerCase().replace(NUMBERS, '0').replace(GAPS, ' ')
  if (NON_ASCII.test(simple)) simple = simple.normalize('NFD').replace(MARKS, '')
  return trimSpaces(simple)
}

/** The same, with a word for each character of a script that writes no spaces. */
export function simplifiedWords(text: string): string {
  const simple = simplify(text)
  if (!UNSPACED.test(simple)) return simple
  return trimSpaces(simple.replace(UNSPACED_ALL, ' $& ').replace(/ +/g, ' '))
}

function trimSpaces(text: string): string {
  const from = text.charCodeAt(0) === 0x20 ? 1 : 0
  const to = text.length > from && text.charCodeAt(text.length - 1) === 0x20 ? text.length - 1 : text.length
  return from === 0 && to === text.length ? text : text.slice(from, to)
}
