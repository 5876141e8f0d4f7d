// Whether a continuation says anything new: tokens that its prompt does not have, and tokens that it says again.

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
    const known = new Set(grams(prompt, n))
    const own = new Set(grams(continuation, n).filter((gram) => !known.has(gram)))
    return own.size / continuation.length
  })
}

/** Whether at least half of a continuation's 3-grams, of which there are at least 4, have come before in it. */
export function isRepeated(continuation: readonly unknown[]): boolean {
  const all = grams(continuation, REPEATED_N)
  return all.length >= LEAST && (all.length - new Set(all).size) / all.length >= REPEATED
}

function grams(tokens: readonly unknown[], n: number): string[] {
  return Array.from({ length: Math.max(0, tokens.length - n + 1) }, (_, i) => JSON.stringify(tokens.slice(i, i + n)))
}
