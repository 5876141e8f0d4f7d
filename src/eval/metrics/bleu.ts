// BLEU of a corpus (Papineni et al. 2002) as sacrebleu 2 computes it by default: tokenization 13a, n-grams up to four, exponential
// smoothing of orders without a match, the brevity penalty against the reference of the nearest length.

import { splitSpaces } from '../../text/jinja/white-space.ts'
import { countNGrams } from './n-grams.ts'

/** Lengths of the runs of words that are compared. */
export const ORDERS: readonly [1, 2, 3, 4] = [1, 2, 3, 4]

/** What BLEU is made of: runs that a reference has too and all of them, for each order, and the words of answers and of the nearest references. */
export interface BleuCounts {
  matches: number[]
  totals: number[]
  given: number
  wanted: number
}

/** `answers[i]` is judged by any of `references[i]`; in [0, 100]. */
export function bleu(answers: readonly string[], references: readonly (readonly string[])[]): number {
  return bleuOf(bleuCounts(answers, references))
}

/** What it is made of; counts of parts of a corpus add up to those of the whole. */
export function bleuCounts(answers: readonly string[], references: readonly (readonly string[])[]): BleuCounts {
  const found: BleuCounts = { matches: ORDERS.map(() => 0), totals: ORDERS.map(() => 0), given: 0, wanted: 0 }
  for (const [i, answer] of answers.entries()) {
    const words = tokenize13a(answer)
    const others = references[i]!.map(tokenize13a)
    found.given += words.length
    found.wanted += nearest(
      words.length,
      others.map(({ length }) => length),
    )
    for (const [at, n] of ORDERS.entries()) {
      const counts = others.map((other) => countNGrams(other, n))
      for (const [gram, count] of countNGrams(words, n)) {
        found.totals[at]! += count
        found.matches[at]! += Math.min(count, Math.max(...counts.map((known) => known.get(gram) ?? 0)))
      }
    }
  }
  return found
}

/** In [0, 100]. */
export function bleuOf({ matches, totals, given, wanted }: BleuCounts): number {
  if (matches.every((count) => count === 0)) return 0
  let smoothing = 1
  let sum = 0
  for (const [at, total] of totals.entries()) {
    // Too short for an order: the geometric mean has a zero in it.
    if (total === 0) return 0
    if (matches[at] === 0) smoothing *= 2
    sum += Math.log(matches[at] === 0 ? 100 / (smoothing * total) : (100 * matches[at]!) / total)
  }
  const brevity = given < wanted ? Math.exp(1 - wanted / given) : 1
  return brevity * Math.exp(sum / ORDERS.length)
}

/** Of equally near ones the shorter. */
export function nearest(length: number, others: readonly number[]): number {
  return [...others].sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b)[0] ?? 0
}

/** Words and marks, as mteval-v13a.pl parts them. */
export function tokenize13a(text: string): string[] {
  let line = text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ')
  if (line.includes('&'))
    line = line.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>')
  const parted = ` ${line} `
    .replaceAll(/([{-~[-` -&(-+:-@/])/g, ' $1 ')
    .replaceAll(/([^0-9])([.,])/gu, '$1 $2 ')
    .replaceAll(/([.,])([^0-9])/gu, ' $1 $2')
    .replaceAll(/([0-9])(-)/g, '$1 $2 ')
  return splitSpaces(parted).filter((word) => word !== '')
}
