// What is done to every text before it is judged: one form for what looks the same, and nothing that cannot be seen.

import { strip } from './lines.ts'

/** What is done. */
export interface NormaliseOptions {
  /** The Unicode form; NFC has æ, ø, å and é as one character each. Default NFC. */
  unicode: 'NFC' | 'NFKC' | 'none'
  /** Takes out control and invisible characters, makes line ends LF, drops spaces at line ends and blank lines beyond one. */
  whitespace: boolean
}

export const NORMALISE: NormaliseOptions = { unicode: 'NFC', whitespace: true }

// U+200C and U+200D join or part letters in many scripts and stay.
const INVISIBLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\u200b\u2060\ufeff\ufffe\uffff]+/g
const LINE_ENDS = /\r\n?|[\x85\u2028\u2029]/g
const BLANK = /\n{3,}/g

/** The text in its normal form, without white space at its ends. */
export function normalise(text: string, { unicode, whitespace }: NormaliseOptions = NORMALISE): string {
  let normal = unicode === 'none' ? text : text.normalize(unicode)
  if (!whitespace) return normal
  normal = normal.replace(LINE_ENDS, '\n').replace(INVISIBLE, '')
  if (/[ \t\xa0]\n/.test(normal)) normal = normal.split('\n').map(withoutTrail).join('\n')
  return strip(normal.replace(BLANK, '\n\n'))
}

function withoutTrail(line: string): string {
  let end = line.length
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t' || line[end - 1] === '\xa0')) end--
  return end === line.length ? line : line.slice(0, end)
}
