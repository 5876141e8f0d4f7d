// Classes of characters as the filters of FineWeb know them, in tables: looked up for every character of a corpus.

/** Ends of sentences in all scripts. Code points, or from one to another. */
const TERMINAL: readonly (number | readonly [number, number])[] = [
  0x21,
  0x2e,
  0x3f,
  0x589,
  [0x61d, 0x61f],
  0x6d4,
  [0x700, 0x702],
  0x7f9,
  0x837,
  0x839,
  [0x83d, 0x83e],
  [0x964, 0x965],
  [0x104a, 0x104b],
  0x1362,
  [0x1367, 0x1368],
  0x166e,
  [0x1735, 0x1736],
  [0x17d4, 0x17d6],
  [0x17d9, 0x17da],
  0x1803,
  0x1809,
  [0x1944, 0x1945],
  [0x1aa8, 0x1aab],
  [0x1b5a, 0x1b5b],
  [0x1b5e, 0x1b5f],
  [0x1b7d, 0x1b7e],
  [0x1c3b, 0x1c3c],
  [0x1c7e, 0x1c7f],
  [0x203c, 0x203d],
  [0x2047, 0x2049],
  0x2e2e,
  0x2e3c,
  [0x2e53, 0x2e54],
  0x3002,
  0xa4ff,
  [0xa60e, 0xa60f],
  0xa6f3,
  0xa6f7,
  [0xa876, 0xa877],
  [0xa8ce, 0xa8cf],
  0xa92f,
  [0xa9c8, 0xa9c9],
  [0xaa5d, 0xaa5f],
  [0xaaf0, 0xaaf1],
  0xabeb,
  0xfe52,
  [0xfe56, 0xfe57],
  0xff01,
  0xff0e,
  0xff1f,
  0xff61,
  [0x10a56, 0x10a57],
  [0x10f55, 0x10f59],
  [0x10f86, 0x10f89],
  [0x11047, 0x11048],
  [0x110be, 0x110c1],
  [0x11141, 0x11143],
  [0x111c5, 0x111c6],
  0x111cd,
  [0x111de, 0x111df],
  [0x11238, 0x11239],
  [0x1123b, 0x1123c],
  0x112a9,
  [0x1144b, 0x1144c],
  [0x115c2, 0x115c3],
  [0x115c9, 0x115d7],
  [0x11641, 0x11642],
  [0x1173c, 0x1173e],
  0x11944,
  0x11946,
  [0x11a42, 0x11a43],
  [0x11a9b, 0x11a9c],
  [0x11c41, 0x11c42],
  [0x11ef7, 0x11ef8],
  [0x11f43, 0x11f44],
  [0x16a6e, 0x16a6f],
  0x16af5,
  [0x16b37, 0x16b38],
  0x16b44,
  0x16e98,
  0x1bc9f,
  0x1da88,
]

/** Punctuation beside those; control characters count as such, but for tab and line feed. */
const OTHER: readonly (number | readonly [number, number])[] = [
  [0x21, 0x2f],
  [0x3a, 0x40],
  [0x5b, 0x60],
  [0x7b, 0x7e],
  0xab,
  0xb4,
  0xbb,
  [0x2013, 0x2014],
  0x2019,
  [0x201c, 0x201e],
  0x2026,
  0x2236,
  0x2501,
  0x25ba,
  [0x3001, 0x3002],
  [0x3008, 0x300d],
  [0x3010, 0x3011],
  0xff01,
  0xff05,
  [0xff08, 0xff09],
  0xff0c,
  0xff0e,
  0xff11,
  [0xff1a, 0xff1b],
  0xff1f,
  0xff5e,
  [0x00, 0x08],
  [0x0b, 0x0c],
  [0x0d, 0x1f],
  [0x7f, 0x9f],
]

/** What a table says of a UTF-16 unit; of half a character outside the first plane, `ASTRAL`. */
export const SPACE = 0
export const LETTER = 1
export const DIGIT = 2
/** Marks that belong to the letter before them. */
export const MARK = 3
export const SYMBOL = 4
/** Letters of scripts that write no spaces: each is a word. */
export const IDEOGRAPH = 5
export const ASTRAL = 6

function expand(ranges: readonly (number | readonly [number, number])[]): number[] {
  return ranges.flatMap((range) =>
    typeof range === 'number' ? [range] : Array.from({ length: range[1] - range[0] + 1 }, (_, i) => range[0] + i),
  )
}

const terminal: ReadonlySet<number> = new Set(expand(TERMINAL))
const punctuation: ReadonlySet<number> = new Set([...expand(TERMINAL), ...expand(OTHER)])
const ASCII_PUNCTUATION = Uint8Array.from({ length: 0x80 }, (_, code) => (punctuation.has(code) ? 1 : 0))
/** The part of it that simplifying turns into spaces. */
export const SIMPLIFIED_PUNCTUATION: readonly number[] = expand(OTHER)

const NO_SPACES =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/u

let table: Uint8Array | undefined

/** The class of each UTF-16 unit; made when it is first asked for. */
export function characterClasses(): Readonly<Uint8Array> {
  if (table !== undefined) return table
  table = new Uint8Array(0x10000)
  for (let unit = 0; unit < 0x10000; unit++) table[unit] = unit >= 0xd800 && unit < 0xe000 ? ASTRAL : classOf(unit)
  return table
}

/** The class of a code point. */
export function classOf(code: number): number {
  const character = String.fromCodePoint(code)
  if (/[\s\x1c-\x1f\x85]/u.test(character) && code !== 0xfeff) return SPACE
  if (/\p{L}/u.test(character)) return NO_SPACES.test(character) ? IDEOGRAPH : LETTER
  if (/\p{N}/u.test(character)) return DIGIT
  return /\p{M}/u.test(character) ? MARK : SYMBOL
}

/** Whether it ends a sentence in some script. */
export function isTerminal(code: number): boolean {
  return terminal.has(code)
}

/** Whether it is punctuation, ends of sentences included. */
export function isPunctuation(code: number): boolean {
  return code < 0x80 ? ASCII_PUNCTUATION[code] === 1 : punctuation.has(code)
}
