// What a count says of a rate: Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), which is honest at 0 and 1 and for few trials.

/** A share with its 95 % interval. */
export interface Share {
  count: number
  of: number
  share: number
  low: number
  high: number
}

/** How sure an interval is, and of how much. */
export interface IntervalOptions {
  /** Trials that do not hang together, where some do, such as one question asked in several ways. Default all of them. */
  independent?: number
  /** How many intervals are looked at together, so that each has to be so much surer (Bonferroni). Default 1. */
  looks?: number
}

/** `count` of `of` trials; without trials anything may be. */
export function shareOf(count: number, of: number, { independent = of, looks = 1 }: IntervalOptions = {}): Share {
  if (of === 0) return { count, of, share: 0, low: 0, high: 1 }
  const [p, n, z] = [count / of, independent, quantile(0.025 / looks)]
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2))
  return { count, of, share: p, low: count === 0 ? 0 : middle - half, high: count === of ? 1 : middle + half }
}

/** The normal distribution's upper quantile: what it is above with probability `tail`, which is at most 0.16. */
function quantile(tail: number): number {
  let [low, high] = [1, 40]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (upperTail(middle) > tail) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(Z > z) for z of 1 and more, by Laplace's continued fraction of Mills' ratio. */
function upperTail(z: number): number {
  let fraction = z
  for (let k = 200; k >= 1; k--) fraction = z + k / fraction
  return Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI) / fraction
}
