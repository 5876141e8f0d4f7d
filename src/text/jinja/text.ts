// Texts as Python counts and classifies them: by code points, with Python's idea of white space, letters and digits.

import { spend } from './budget.ts'
import { isSpace, SPACE } from './white-space.ts'

const SURROGATE = /[\ud800-\udfff]/

/** What can be indexed and cut by code points: the text itself where those are its UTF-16 units. */
export function codePoints(text: string): string | string[] {
  spend(text.length / 512)
  if (!SURROGATE.test(text)) return text
  spend(text.length / 8)
  return Array.from(text)
}

/** How many code points stand before a place in a text. */
export function codePointIndex(text: string, at: number): number {
  return at <= 0 ? at : SURROGATE.test(text) ? Array.from(text.slice(0, at)).length : at
}

/** The part of a text from one code point to another, each counted from the end where negative, as in a slice. */
export function slicePoints(text: string, start: number | undefined, stop: number | undefined): string {
  const points = codePoints(text)
  const part = points.slice(start, stop)
  return typeof part === 'string' ? part : part.join('')
}

/** Text without some characters at its ends: those of `characters`, or white space. */
export function strip(text: string, characters: string | undefined, side: 'both' | 'left' | 'right'): string {
  if (characters === undefined) return stripSpace(text, side)
  const points = codePoints(text)
  const stripped = new Set(characters)
  let start = 0
  let end = points.length
  if (side !== 'right') while (start < end && stripped.has(points[start]!)) start++
  if (side !== 'left') while (end > start && stripped.has(points[end - 1]!)) end--
  const part = points.slice(start, end)
  return typeof part === 'string' ? part : part.join('')
}

function stripSpace(text: string, side: 'both' | 'left' | 'right'): string {
  let start = 0
  let end = text.length
  if (side !== 'right') while (start < end && isSpace(text.charCodeAt(start))) start++
  if (side !== 'left') while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** Words between white space, at most `most` of them cut off from the left or the right; the rest keeps its inner white space. */
export function splitWords(text: string, most: number, fromRight: boolean): string[] {
  const step = fromRight ? -1 : 1
  const edge = fromRight ? -1 : text.length
  const words: string[] = []
  const push = (from: number, to: number): void => {
    words.push(fromRight ? text.slice(to + 1, from + 1) : text.slice(from, to))
  }
  for (let at = fromRight ? text.length - 1 : 0; ; ) {
    while (at !== edge && isSpace(text.charCodeAt(at))) at += step
    if (at === edge) break
    if (words.length === most) {
      push(at, edge)
      break
    }
    const from = at
    while (at !== edge && !isSpace(text.charCodeAt(at))) at += step
    push(from, at)
  }
  return fromRight ? words.reverse() : words
}

/** Parts between a separator, at most `most` cuts from the left or the right. */
export function splitAt(text: string, separator: string, most: number, fromRight: boolean): string[] {
  const parts = text.split(separator)
  if (most < 0 || parts.length <= most + 1) return parts
  if (fromRight) return [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)]
  return [...parts.slice(0, most), parts.slice(most).join(separator)]
}

const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g

/** The lines of a text, with or without their ends. */
export function splitLines(text: string, keepsEnds: boolean): string[] {
  const lines: string[] = []
  let at = 0
  for (const { index, 0: end } of text.matchAll(LINE_END)) {
    lines.push(text.slice(at, keepsEnds ? index + end.length : index))
    at = index + end.length
  }
  if (at < text.length) lines.push(text.slice(at))
  return lines
}

/** With a capital at its start, a real title case letter where there is one. */
function titleLetter(char: string): string {
  const upper = char.toUpperCase()
  const [first = '', ...rest] = upper
  return first + rest.join('').toLowerCase()
}

/** `str.capitalize` */
export function capitalize(text: string): string {
  const [first = ''] = text
  return titleLetter(first) + lower(text.slice(first.length))
}

/** `str.title`: every run of letters starts with a capital. */
export function titleCase(text: string): string {
  let isAfterLetter = false
  let title = ''
  for (const char of text) {
    title += isAfterLetter ? char.toLowerCase() : titleLetter(char)
    isAfterLetter = IS_CASED.test(char)
  }
  return title
}

/** `str.swapcase` */
export function swapCase(text: string): string {
  return Array.from(text, (char) => (/\p{Lu}/u.test(char) ? char.toLowerCase() : char.toUpperCase())).join('')
}

/** `str.lower` */
export function lower(text: string): string {
  return text.toLowerCase()
}

const IS_CASED = /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u

/** Tests of all characters, by the name of Python's method; a text without characters is none of these, `isascii` and `isprintable` apart. */
export const CHARACTER_TESTS: Readonly<Record<string, (text: string) => boolean>> = {
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isdecimal: (text) => /^\p{Nd}+$/u.test(text),
  isdigit: (text) => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468]+$/u.test(text),
  isnumeric: (text) => /^[\p{N}零〇一二三四五六七八九十百千万億兆]+$/u.test(text),
  isspace: (text) => new RegExp(`^${SPACE}+$`).test(text),
  isascii: (text) => /^[\0-\x7f]*$/.test(text),
  isprintable: (text) => /^(?: |[^\p{C}\p{Z}])*$/u.test(text),
  isidentifier: (text) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(text),
  islower: (text) => IS_CASED.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text),
  isupper: (text) => IS_CASED.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text),
  istitle: (text) => IS_CASED.test(text) && titleCase(text) === text,
}
