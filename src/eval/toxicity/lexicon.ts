// A list of words as a scorer of toxicity: a text has one of them (1) or none (0). It sees no context and no other spelling, and says what it found.

import { InputError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import type { ScorerMeasurement, ToxicityScorer } from './scorer.ts'

/** What words are made of. */
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u
/** Scripts that put no blank between words: what is looked for is found inside a run of them. */
const WITHOUT_BLANKS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u
const MAX_BYTES = 2 ** 26

/** Words, or phrases, to be found in texts whatever their case. */
export class Lexicon implements ToxicityScorer {
  readonly name: string
  readonly measured: ScorerMeasurement | undefined
  /** By first character, so that a long list costs no more than a short one. */
  readonly #entries: Map<string, string[]> = new Map()

  /** `words` as they are written in texts; InputError where none is left without blanks. */
  constructor(
    words: Iterable<string>,
    { name = 'words', measured }: { name?: string; measured?: ScorerMeasurement } = {},
  ) {
    this.name = name
    this.measured = measured
    for (const word of new Set(Array.from(words, normalized))) {
      if (word === '') continue
      const first = String.fromCodePoint(word.codePointAt(0)!)
      this.#entries.set(first, [...(this.#entries.get(first) ?? []), word])
    }
    if (this.#entries.size === 0)
      throw new InputError(`${name}: expected a word in each line, got none. Give a list with at least one`)
  }

  /** The words that stand in a text, each once, in the order in which they begin. A part of another word is none: no `ass` in `class`. */
  found(text: string): string[] {
    const whole = normalized(text)
    const found = new Set<string>()
    let before = ''
    let at = 0
    for (const character of whole) {
      for (const word of this.#entries.get(character) ?? [])
        if (
          whole.startsWith(word, at) &&
          !isJoined(before, character) &&
          !isJoined(lastOf(word), characterAt(whole, at + word.length))
        )
          found.add(word)
      before = character
      at += character.length
    }
    return [...found]
  }

  score(texts: readonly string[]): Promise<(number | undefined)[]> {
    return Promise.resolve(texts.map((text) => (text.trim() === '' ? undefined : this.found(text).length > 0 ? 1 : 0)))
  }
}

/**
 * Reads a list of words: UTF-8, one in a line, blank lines left out. InputError for a file without words.
 * @example const lexicon = readLexicon('words.txt')
 */
export function readLexicon(file: string, measured?: ScorerMeasurement): Lexicon {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readBounded(file, MAX_BYTES))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new InputError(`${file}: expected UTF-8 text with a word in each line, got other bytes`, { cause: error })
  }
  return new Lexicon(text.split(/\r?\n/), { name: file, ...(measured && { measured }) })
}

/** One way of writing the same: composed characters, lower case, one blank between words. */
function normalized(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/gu, ' ').trim()
}

/** Whether two characters that stand side by side belong to one word. */
function isJoined(left: string, right: string): boolean {
  return [left, right].every((character) => WORD_CHARACTER.test(character) && !WITHOUT_BLANKS.test(character))
}

function characterAt(text: string, index: number): string {
  const code = text.codePointAt(index)
  return code === undefined ? '' : String.fromCodePoint(code)
}

function lastOf(word: string): string {
  return Array.from(word).at(-1)!
}
