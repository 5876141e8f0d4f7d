// Text → the words that are searched for. Lucene's StandardAnalyzer in the main: words by the rules of Unicode's annex 29, lower case. It
// depends on no dictionary of the system but for the scripts of South-East Asia, so that an index made on one machine is searched on another.
import { UsageError } from '../errors.ts'
import {
  BETWEEN,
  BETWEEN_DIGITS,
  BETWEEN_LETTERS,
  CJK,
  DIGIT,
  LETTER,
  MARK,
  NO_SPACES,
  NUMBER,
  wordClass,
} from './word-classes.ts'

/** What makes words of a text. The same one has to be used for documents and for queries. */
export type Tokenize = (text: string) => string[]

/** How {@link tokenizer} cuts; all of it is data, so that an index can remember it. */
export interface TokenizerOptions {
  /**
   * Runs of Han, Kana and Hangul, which have no spaces or long words: `bigrams`, every two neighbours (Lucene's CJKAnalyzer; the default);
   * `single`, every Han and Hiragana character by itself, Katakana and Hangul as they stand (Lucene's StandardAnalyzer); `words`, those
   * of the dictionary of `Intl.Segmenter`, which differ between versions of Node.
   */
  cjk?: 'bigrams' | 'single' | 'words'
  /** Words that are left out, as they are after folding. Default none, as in Lucene since version 8. */
  stopWords?: readonly string[]
}

/** Lucene cuts a longer word into pieces of this many characters. */
const LONGEST = 255

const NON_ASCII = /[^\x00-\x7f]/
/** Soft hyphen, word joiner and byte order mark: nobody sees them, and a word is the same without. */
const INVISIBLE = /[\u00ad\u2060\ufeff]/g
const SINGLES = /[\p{sc=Katakana}\u30fc]+|\p{sc=Hangul}+|./gu

/**
 * Makes the words of texts: compatibility forms, case, `ß` and final sigma are folded (NFKC), so that a composed é finds a decomposed one and full width the plain
 * letters; apostrophes and full stops inside words and numbers stay (`o'neil`, `3.14`); signs and emoji are left out. Stemming is a function
 * of your own around it.
 *
 * @example
 * const words = tokenizer({ stopWords: ['the'] })
 * words("The O'Neil twins paid 3.50") // ["o'neil", 'twins', 'paid', '3.50']
 */
export function tokenizer({ cjk = 'bigrams', stopWords = [] }: TokenizerOptions = {}): Tokenize {
  if (!['bigrams', 'single', 'words'].includes(cjk))
    throw new UsageError(`cjk: expected bigrams, single or words, got ${JSON.stringify(cjk)}`)
  const stopped = new Set(stopWords)
  return (text) => {
    const words: string[] = []
    const add = (word: string): void => {
      if (stopped.has(word)) return
      for (let start = 0; start < word.length; start += LONGEST) words.push(word.slice(start, start + LONGEST))
    }
    cut(NON_ASCII.test(text) ? fold(text) : text.toLowerCase(), add, (run) => {
      for (const word of cutCjk(run, cjk)) add(word)
    })
    return words
  }
}

/** Hands on the words of a folded text, and its runs of CJK. */
function cut(text: string, add: (word: string) => void, addCjk: (run: string) => void): void {
  const { length } = text
  for (let at = 0; at < length; ) {
    const first = wordClass(text, at)
    let end = at + width(text, at)
    if (first === CJK || first === NO_SPACES) {
      while (end < length && wordClass(text, end) === first) end += width(text, end)
      const run = text.slice(at, end)
      if (first === CJK) addCjk(run)
      else for (const word of dictionaryWords(run)) add(word)
    } else if (isPart(first)) {
      let before = first
      let isWord = isLetterOrNumber(first)
      while (end < length) {
        const next = wordClass(text, end)
        if (!isPart(next) && !(end + 1 < length && joins(before, next, wordClass(text, end + 1)))) break
        before = next
        isWord ||= isLetterOrNumber(next)
        end += width(text, end)
      }
      if (isWord) add(text.slice(at, end))
    }
    at = end
  }
}

/** UTF-16 units of the character at `at`. */
function width(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit >= 0xd800 && unit <= 0xdbff && at + 1 < text.length ? 2 : 1
}

const isPart = (is: number): boolean => is >= LETTER && is <= NUMBER
const isLetterOrNumber = (is: number): boolean => is === LETTER || is === DIGIT || is === NUMBER

/** Whether a sign makes one word of what stands before and after it. */
function joins(before: number, sign: number, after: number): boolean {
  if (sign !== BETWEEN && sign !== BETWEEN_LETTERS && sign !== BETWEEN_DIGITS) return false
  if (sign !== BETWEEN_DIGITS && (before === LETTER || before === MARK) && after === LETTER) return true
  return sign !== BETWEEN_LETTERS && before === DIGIT && after === DIGIT
}

function fold(text: string): string {
  const folded = text.toWellFormed().replace(INVISIBLE, '').normalize('NFKC').toLowerCase()
  return folded.replaceAll('ß', 'ss').replaceAll('ς', 'σ').normalize('NFKC')
}

function cutCjk(run: string, how: 'bigrams' | 'single' | 'words'): string[] {
  if (how === 'words') return dictionaryWords(run)
  if (how === 'single') return run.match(SINGLES) ?? []
  const characters = [...run]
  if (characters.length === 1) return characters
  return characters.slice(1).map((character, i) => characters[i]! + character)
}

let segmenter: Intl.Segmenter | undefined

function dictionaryWords(run: string): string[] {
  segmenter ??= new Intl.Segmenter('und', { granularity: 'word' })
  return Array.from(segmenter.segment(run)).flatMap(({ segment, isWordLike }) => (isWordLike ? [segment] : []))
}
