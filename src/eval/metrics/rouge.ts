// ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): F1 of shared words, pairs of words, and the longest common subsequence. Words are lower-case
// runs of letters and digits of any script; nothing is stemmed.

import { countNGrams, sharedCount, totalCount } from './n-grams.ts'

export type RougeName = 'rouge1' | 'rouge2' | 'rougeL'

/** In [0, 1]. */
export function rouge(name: RougeName, gold: string, answer: string): number {
  const [wanted, given] = [wordsOf(gold), wordsOf(answer)]
  if (name === 'rougeL') return f1(longestCommon(wanted, given), given.length, wanted.length)
  const n = name === 'rouge1' ? 1 : 2
  const [a, b] = [countNGrams(wanted, n), countNGrams(given, n)]
  return f1(sharedCount(a, b), totalCount(b), totalCount(a))
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []

function f1(shared: number, given: number, wanted: number): number {
  return shared === 0 ? 0 : (2 * shared) / (given + wanted)
}

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1)
  for (const word of a) {
    const next = new Uint32Array(b.length + 1)
    for (let j = 0; j < b.length; j++) next[j + 1] = word === b[j] ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)
    row = next
  }
  return row[b.length]!
}
