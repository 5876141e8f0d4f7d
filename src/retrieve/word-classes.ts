// What a character is to the rules of words (Unicode's annex 29), looked up in a table that fills as characters come.

export const OTHER = 1
export const LETTER = 2
export const DIGIT = 3
/** Belongs to the character before it: accents, and the joiners of scripts that write letters together. */
export const MARK = 4
/** `_` and its like join words and are none by themselves. */
export const CONNECTOR = 5
/** Numbers that are no decimal digits, such as Ⅷ. */
export const NUMBER = 6
/** Joins two letters, two digits, or both, where it stands between them. */
export const BETWEEN_LETTERS = 7
export const BETWEEN_DIGITS = 8
export const BETWEEN = 9
/** Han, Kana and Hangul. */
export const CJK = 10
/** Scripts of South-East Asia, which have no spaces. */
export const NO_SPACES = 11

const RULES: readonly (readonly [RegExp, number])[] = [
  [/[:\u00b7]/, BETWEEN_LETTERS],
  [/[,;]/, BETWEEN_DIGITS],
  [/[.'\u2019]/, BETWEEN],
  [/[\u30fc]|(?=[\p{L}\p{N}\p{M}])[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{sc=Hangul}]/u, CJK],
  [/[\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u, NO_SPACES],
  [/\p{Nd}/u, DIGIT],
  [/\p{N}/u, NUMBER],
  [/\p{L}/u, LETTER],
  [/[\p{M}\u200c\u200d]/u, MARK],
  [/\p{Pc}/u, CONNECTOR],
]

/** Classes of the first 65,536 characters; 0 as long as nobody asked. */
const table = new Uint8Array(0x10000)
const beyond = new Map<number, number>()

/** The class of the character at `at`. */
export function wordClass(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  if (unit < 0xd800 || unit > 0xdbff) {
    if (table[unit] === 0) table[unit] = classify(String.fromCharCode(unit))
    return table[unit]!
  }
  const point = text.codePointAt(at)!
  const known = beyond.get(point)
  if (known !== undefined) return known
  const found = classify(String.fromCodePoint(point))
  beyond.set(point, found)
  return found
}

function classify(character: string): number {
  return RULES.find(([rule]) => rule.test(character))?.[1] ?? OTHER
}
