// Whether several samples are of one kind, by the ranks of all their values together (Kruskal and Wallis 1952).

import { ranksOf } from '../../data/ranks.ts'
import { logGamma } from './student-t.ts'

/**
 * Two-sided p of the H statistic, corrected for ties, by χ² with one degree of freedom less than there are samples (scipy.stats.kruskal). NaN
 * for fewer than two samples, an empty one, or values that are the same throughout.
 */
export function kruskalP(samples: readonly (readonly number[])[]): number {
  const all = samples.flat()
  const n = all.length
  if (samples.length < 2 || samples.some(({ length }) => length === 0)) return Number.NaN
  const ranks = ranksOf(all)
  let [next, sum] = [0, 0]
  for (const { length } of samples) {
    const own = ranks.slice(next, next + length).reduce((a, b) => a + b, 0)
    sum += own ** 2 / length
    next += length
  }
  const counts = new Map<number, number>()
  for (const rank of ranks) counts.set(rank, (counts.get(rank) ?? 0) + 1)
  const tied = [...counts.values()].reduce((total, count) => total + count ** 3 - count, 0)
  const h = ((12 / (n * (n + 1))) * sum - 3 * (n + 1)) / (1 - tied / (n ** 3 - n))
  return chiSquareP(h, samples.length - 1)
}

/** The probability that χ² with `freedom` degrees of freedom is at least `x`: the regularized upper incomplete gamma function at (freedom/2, x/2). */
export function chiSquareP(x: number, freedom: number): number {
  if (Number.isNaN(x)) return Number.NaN
  const [a, half] = [freedom / 2, Math.max(0, x) / 2]
  if (half === 0) return 1
  const front = Math.exp(a * Math.log(half) - half - logGamma(a))
  // A series where that is quick, else Legendre's continued fraction from its far end.
  if (half < a + 1) {
    let [term, sum] = [1 / a, 1 / a]
    for (let i = 1; term > sum * 1e-16; i++) {
      term *= half / (a + i)
      sum += term
    }
    return 1 - front * sum
  }
  let tail = 0
  for (let i = 200; i >= 1; i--) tail = (i * (i - a)) / (half + 2 * i + 1 - a - tail)
  return front / (half + 1 - a - tail)
}
