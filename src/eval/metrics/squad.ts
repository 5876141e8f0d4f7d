// Exact match and F1 of an answer's words, as SQuAD's script counts them (Rajpurkar et al. 2016): lower case, without punctuation and
// English articles.

import { splitSpaces } from '../../text/jinja/white-space.ts'
/** Words of an answer as they are compared. */
export function squadWords(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replaceAll(/[!-/:-@[-`{-~]/g, '')
    // Python's \b knows the letters of all scripts: the end of "tía" is no article.
    .replaceAll(/(?<![\p{L}\p{N}])(?:an?|the)(?![\p{L}\p{N}])/gu, ' ')
  return splitSpaces(plain).filter((word) => word !== '')
}

/** 1 where both have the same words in the same order, else 0. */
export function squadExactMatch(gold: string, answer: string): number {
  return squadWords(gold).join(' ') === squadWords(answer).join(' ') ? 1 : 0
}

/** The harmonic mean of precision and recall over words; of two empty answers 1. */
export function squadF1(gold: string, answer: string): number {
  const [wanted, given] = [squadWords(gold), squadWords(answer)]
  if (wanted.length === 0 || given.length === 0) return wanted.length === given.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1)
  let common = 0
  for (const word of given) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    common++
  }
  if (common === 0) return 0
  const [precision, recall] = [common / given.length, common / wanted.length]
  return (2 * precision * recall) / (precision + recall)
}
