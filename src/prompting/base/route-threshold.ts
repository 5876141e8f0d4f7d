// From which score on a cheaper model's answers may be taken, so that few of them are wrong.

import { UsageError } from '../../errors.ts'
import { trialsFor, upperBound } from './binomial.ts'

/** How a question went with the cheaper model: its score, as `route` sees it, and whether the answer was good enough. */
export interface RouteExample {
  score: number
  isRight: boolean
}

/** What is found. */
export interface RouteThreshold {
  /** For `above`; Infinity where no threshold keeps the bound. */
  above: number
  /** The share of the examples that are at or above it. */
  kept: number
  /** The share of those that were wrong, and its upper bound. */
  wrong: number
  bound: number
}

/**
 * The lowest threshold that keeps wrong answers below a share, with confidence: thresholds are tried from the highest score down, and the
 * last one before the first whose upper bound (Clopper and Pearson 1934, one-sided) is above `wrong` is taken, so that trying many
 * does not weaken the bound.
 *
 * @example
 * const { above } = routeThreshold(examples, { wrong: 0.1 })
 */
export function routeThreshold(
  examples: readonly RouteExample[],
  { wrong, confidence = 0.95 }: { wrong: number; confidence?: number },
): RouteThreshold {
  for (const [name, value] of Object.entries({ wrong, confidence }))
    if (!(value > 0 && value < 1)) throw new UsageError(`${name}: expected a share between 0 and 1, got ${value}`)
  if (examples.length === 0 || examples.some(({ score }) => Number.isNaN(score)))
    throw new UsageError('examples: expected at least one, with scores that are numbers, got others')
  const sorted = [...examples].sort((a, b) => b.score - a.score)
  // No bound of fewer answers can be low enough: the first threshold that is tried.
  const least = trialsFor(wrong, confidence)
  let found: RouteThreshold = { above: Number.POSITIVE_INFINITY, kept: 0, wrong: 0, bound: 1 }
  let faults = 0
  for (const [i, { score, isRight }] of sorted.entries()) {
    if (!isRight) faults++
    const n = i + 1
    if (n < least || sorted[n]?.score === score) continue
    const bound = upperBound(faults, n, confidence)
    if (bound > wrong) break
    found = { above: score, kept: n / sorted.length, wrong: faults / n, bound }
  }
  return found
}
