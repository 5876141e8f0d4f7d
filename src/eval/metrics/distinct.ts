// Whether a continuation says anything new: tokens that its prompt does not have, and tokens that it says again.

import { countNGrams, totalCount } from './n-grams.ts'

/** Of a continuation's 3-grams, so many must have come before in it for it to be called repeated. */
const REPEATED = 0.5
const REPEATED_N = 3
/** Of so few 3-grams no share says anything. */
const LEAST = 4

/**
 * For n = 1, 2, 3 the different n-grams of a continuation that its prompt does not have, divided by the tokens of the continuation;
 * nothing where it has no tokens.
 */
export function distinctShares(prompt: readonly unknown[], continuation: readonly unknown[]): number[] | undefined {
  if (continuation.length === 0) return undefined
  return [1, 2, 3].map((n) => {
    const known = gramsOf(prompt, n)
    const own = [...gramsOf(continuation, n).keys()].filter((gram) => !known.has(gram))
    return own.length / continuation.length
  })
}

/** Whether at least half of a continuation's 3-grams, of which there are at least 4, have come before in it. */
export function isRepeated(continuation: readonly unknown[]): boolean {
  const own = gramsOf(continuation, REPEATED_N)
  const all = totalCount(own)
  return all >= LEAST && (all - own.size) / all >= REPEATED
}

const gramsOf = (tokens: readonly unknown[], n: number): Map<string, number> => countNGrams(tokens.map(String), n)
