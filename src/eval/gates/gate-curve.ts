// What a gate's scores are worth at every threshold: accuracy against the share of questions for which something is retrieved.
import { UsageError } from '../../errors.ts'
import type { Rightness } from './gate-record.ts'

/** One threshold: questions that score at least this are looked up. */
export interface CurvePoint {
  /** Infinity for the first point, where nothing is. */
  threshold: number
  /** The share of questions that are looked up (the paper's POR). */
  retrieved: number
  accuracy: number
}

/** The points from none to all, and the area under them. */
export interface GateCurve {
  points: readonly CurvePoint[]
  /** The mean accuracy over all shares, between the points in a straight line. */
  area: number
  /** Above that of a gate that draws lots, (none + all) / 2. */
  gain: number
}

/** One point for each score that occurs. UsageError where there is not one number for each question. */
export function gateCurve(scores: readonly number[], outcomes: readonly Rightness[]): GateCurve {
  const n = outcomes.length
  if (n === 0 || scores.length !== n || !scores.every(Number.isFinite))
    throw new UsageError(
      `scores: expected a finite number for each of ${n} questions, got ${scores.length === n ? 'others' : scores.length}`,
    )
  const order = scores.map((_, i) => i).sort((a, b) => (scores[a] === scores[b] ? 0 : scores[b]! - scores[a]!))
  let right = outcomes.filter(({ closed }) => closed).length
  const points: CurvePoint[] = [{ threshold: Number.POSITIVE_INFINITY, retrieved: 0, accuracy: right / n }]
  for (const [place, i] of order.entries()) {
    right += Number(outcomes[i]!.retrieved) - Number(outcomes[i]!.closed)
    const threshold = scores[i]!
    if (place + 1 < n && scores[order[place + 1]!] === threshold) continue
    points.push({ threshold, retrieved: (place + 1) / n, accuracy: right / n })
  }
  let area = 0
  for (const [i, { retrieved, accuracy }] of points.slice(1).entries())
    area += ((retrieved - points[i]!.retrieved) * (accuracy + points[i]!.accuracy)) / 2
  return { points, area, gain: area - (points[0]!.accuracy + points.at(-1)!.accuracy) / 2 }
}

/**
 * The threshold with the highest accuracy; of equal ones the one that retrieves least. Infinity where nothing is better than no retrieval.
 * Chosen on other questions than those that are reported: a fixed one, such as 0.5, is worse where the labels are not balanced.
 */
export function bestThreshold(scores: readonly number[], outcomes: readonly Rightness[]): number {
  const { points } = gateCurve(scores, outcomes)
  return points.reduce((best, point) => (point.accuracy > best.accuracy + 1e-12 ? point : best)).threshold
}
