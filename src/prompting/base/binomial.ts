// Bounds on a probability that was seen k times in n: exact ones (Clopper and Pearson 1934, Biometrika 26, 404–413).

/**
 * The largest probability with which at most `seen` of `count` would still be seen once in 1 / (1 − confidence) times; 1 where nothing was counted.
 * With nothing seen, 1 − (1 − confidence)^(1/count): at 95 % about 3 / count, the rule of three.
 */
export function upperBound(seen: number, count: number, confidence: number): number {
  if (seen >= count) return 1
  return solve((p) => atMost(seen, count, p) > 1 - confidence)
}

/** The other side: the smallest probability with which at least `seen` of `count` would be seen as often; 0 where none was. */
export function lowerBound(seen: number, count: number, confidence: number): number {
  return 1 - upperBound(count - seen, count, confidence)
}

/** Trials without a single one that show a probability of at most `bound`. */
export function trialsFor(bound: number, confidence: number): number {
  return Math.ceil(Math.log(1 - confidence) / Math.log1p(-bound))
}

/** Where a condition that holds for small numbers stops to hold. */
function solve(holds: (p: number) => boolean): number {
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (holds(middle)) low = middle
    else high = middle
  }
  return high
}

/** P(X ≤ seen) for X of `count` trials with probability p in (0, 1). */
function atMost(seen: number, count: number, p: number): number {
  let term = count * Math.log1p(-p)
  let sum = Math.exp(term)
  const odds = Math.log(p) - Math.log1p(-p)
  for (let i = 1; i <= seen; i++) {
    term += Math.log(count - i + 1) - Math.log(i) + odds
    sum += Math.exp(term)
  }
  return sum
}
