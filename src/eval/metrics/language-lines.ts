// Whether an answer is in the language that it should be in, line by line, after Marchisio et al. (2024): lines of fewer than five words say
// nothing; one line in another language fails an answer; in scripts that are not Latin, one English word in a right answer is told apart.

import type { LanguageIdentifier } from '../../data/language/identifier.ts'

/** A line of fewer words is left out. */
const FEWEST_WORDS = 5
/** A less probable language is none. */
const LEAST_PROBABLE = 0.3
/** An English word has more letters than this. */
const SHORT_WORD = 3
/** Where an English word is one: in Latin script it may be a name, or a word of the language. */
export const NOT_LATIN: ReadonlySet<string> = new Set(['ar', 'hi', 'ja', 'ko', 'ru', 'zh'])
/** Written without blanks between words. */
const UNSPACED: ReadonlySet<string> = new Set(['ja', 'th', 'zh'])
const PUNCTUATION = /[!-/:-@[-`{-~]/g

/** What was found of an answer's lines. */
export interface AnswerLines {
  /** Long enough to tell a language. */
  lines: number
  /** Of those, in the right one. */
  right: number
  /** Where all are right and English words are looked for: whether there is one. */
  hasEnglish?: boolean
}

/** Reads the lines of an answer. `english`: lower-case words; others and short ones are not looked for. */
export function answerLines(
  answer: string,
  language: string,
  identifier: LanguageIdentifier,
  english?: ReadonlySet<string>,
): AnswerLines {
  const text = answer.split('\nQ:')[0]!.trim().replaceAll(PUNCTUATION, '').replaceAll('—', ' ').replaceAll('،', '')
  const lines = text
    .split('\n')
    .map((line) => ({ line, words: wordsOf(line, language) }))
    .filter(({ words }) => words.length >= FEWEST_WORDS)
  const right = lines.filter(
    ({ line }) => identifier.identify(line, { minLetters: 0, minProbability: LEAST_PROBABLE }).language === language,
  ).length
  const isLooked = english !== undefined && NOT_LATIN.has(language) && lines.length > 0 && right === lines.length
  return {
    lines: lines.length,
    right,
    ...(isLooked && { hasEnglish: lines.some(({ words }) => words.some((word) => english.has(word))) }),
  }
}

/** English words as they are looked for, from a list with one in a line. */
export function englishWords(list: string): Set<string> {
  const words = list.split(/\r?\n/).map((word) => word.trim())
  return new Set(
    words.filter((word) => word.length > SHORT_WORD && word === word.toLowerCase() && /\p{Ll}/u.test(word)),
  )
}

function wordsOf(line: string, language: string): string[] {
  if (!UNSPACED.has(language)) return line.split(/\s+/).filter((word) => word !== '')
  const segments = new Intl.Segmenter(language, { granularity: 'word' }).segment(line)
  return Array.from(segments)
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => segment.trim())
}
