// chrF (Popović 2015) and chrF++ (2017) of a corpus as sacrebleu 2 computes them: n-grams of up to six characters without white space, and
// of up to two words for chrF++; F with β = 2 of the mean precision and recall over the orders that both sides have.

import { splitSpaces } from '../../text/jinja/white-space.ts'
import { countNGrams, sharedCount, totalCount } from './n-grams.ts'

const CHARACTER_ORDERS = 6
const PUNCTUATION = /[!-/:-@[-`{-~]/

/** `answers[i]` is judged by the best of `references[i]`; in [0, 100]. `wordOrder` 2 is chrF++. */
export function chrf(
  answers: readonly string[],
  references: readonly (readonly string[])[],
  wordOrder: 0 | 2 = 0,
): number {
  const sums = new Float64Array(3 * (CHARACTER_ORDERS + wordOrder))
  for (const [i, answer] of answers.entries()) {
    let best: number[] = []
    let bestScore = -1
    const given = gramsOf(answer, wordOrder)
    for (const reference of references[i]!) {
      const counts = statistics(given, gramsOf(reference, wordOrder))
      const score = scoreOf(counts)
      if (score > bestScore) [best, bestScore] = [counts, score]
    }
    for (const [at, count] of best.entries()) sums[at]! += count
  }
  return scoreOf(sums)
}

function gramsOf(text: string, wordOrder: number): Map<string, number>[] {
  const characters = Array.from(splitSpaces(text).join(''))
  const grams = Array.from({ length: CHARACTER_ORDERS }, (_, n) => countNGrams(characters, n + 1, ''))
  const words = wordOrder === 0 ? [] : splitWords(text)
  for (let n = 1; n <= wordOrder; n++) grams.push(countNGrams(words, n, ' '))
  return grams
}

/** Words, with a mark at the end, or else at the beginning, set apart. */
function splitWords(text: string): string[] {
  return splitSpaces(text)
    .filter((word) => word !== '')
    .flatMap((word) => {
      const characters = Array.from(word)
      if (characters.length === 1) return [word]
      if (PUNCTUATION.test(characters.at(-1)!)) return [characters.slice(0, -1).join(''), characters.at(-1)!]
      if (PUNCTUATION.test(characters[0]!)) return [characters[0]!, characters.slice(1).join('')]
      return [word]
    })
}

/** Three numbers for each order: n-grams of the answer, of the reference, and shared. */
function statistics(given: readonly Map<string, number>[], wanted: readonly Map<string, number>[]): number[] {
  return given.flatMap((grams, i) => {
    const other = wanted[i]!
    return [other.size > 0 ? totalCount(grams) : 0, totalCount(other), sharedCount(grams, other)]
  })
}

function scoreOf(counts: ArrayLike<number>): number {
  let precision = 0
  let recall = 0
  let orders = 0
  for (let at = 0; at < counts.length; at += 3) {
    const [given, wanted, shared] = [counts[at]!, counts[at + 1]!, counts[at + 2]!]
    if (given === 0 || wanted === 0) continue
    precision += shared / given
    recall += shared / wanted
    orders++
  }
  if (precision + recall === 0) return 0
  precision /= orders
  recall /= orders
  return (100 * 5 * precision * recall) / (4 * precision + recall)
}
