// Parts of a data map: its three regions, what is likely an error or common to several labels, and subsets to train on.

import { UsageError } from '../../errors.ts'
import { type Coordinates, rankShares } from './coordinates.ts'

/** Easy to learn, ambiguous, hard to learn. */
export type Region = 'easy' | 'ambiguous' | 'hard'
/** A likely error: another label than its own is predicted, and surely. Likely common: no label is predicted surely. */
export type Flag = 'error' | 'common'

/** The share of examples that the original calls ambiguous: a third, by variability. */
const AMBIGUOUS = 0.3319

/** By the tracked probability: the third of highest variability is ambiguous; of the others, what has a mean of one half or more is easy. */
export function regionsOf(places: readonly Coordinates[]): Region[] {
  const ranks = rankShares(places.map(({ variability }) => variability))
  return places.map(({ confidence }, i) =>
    ranks[i]! > 1 - AMBIGUOUS ? 'ambiguous' : confidence >= 0.5 ? 'easy' : 'hard',
  )
}

/**
 * Flags the share `fraction` (default 0.1) at most for each reason: `common` have the lowest confidence in what was predicted; `error` the
 * lowest in their own label, of those whose prediction is another one with a confidence above the median.
 */
export function flagsOf(places: readonly Coordinates[], fraction = 0.1): (Flag | undefined)[] {
  if (!(fraction >= 0 && fraction <= 1))
    throw new UsageError(`fraction: expected a number from 0 to 1, got ${fraction}`)
  const gold = rankShares(places.map(({ goldConfidence }) => goldConfidence))
  const own = rankShares(places.map(({ predictedConfidence }) => predictedConfidence))
  return places.map((place, i) =>
    gold[i]! < fraction && own[i]! >= 0.5 && place.predicted !== place.gold
      ? 'error'
      : own[i]! < fraction
        ? 'common'
        : undefined,
  )
}

/** What a subset is chosen by; each is sorted so that the most telling come first. */
export type SelectionMetric =
  | 'variability'
  | 'confidence'
  | 'correctness'
  | 'forgetting'
  | 'closeness'
  | 'predicted'
  | 'borda'

export const SELECTION_METRICS: readonly SelectionMetric[] = [
  'variability',
  'confidence',
  'correctness',
  'forgetting',
  'closeness',
  'predicted',
  'borda',
]

/** The shares that the original tries. */
export const FRACTIONS: readonly number[] = [0.01, 0.05, 0.1, 0.1667, 0.25, 0.3319, 0.5, 0.75]

/** How a subset is chosen. */
export interface SelectionOptions {
  /** Highest variability, forgetting, closeness to the threshold, Borda first; lowest confidence (gold's or the predicted label's), correctness. */
  metric: SelectionMetric
  /** Above 0, up to 1. The original takes one example more than its share. */
  fraction: number
  /** The other end of the order. */
  worst?: boolean
  /** Seven of ten from the beginning, three from the end of the order. */
  bothEnds?: boolean
}

/** Places of the chosen examples, in the data's order; equal ones are taken in that order too. */
export function selectExamples(
  places: readonly Coordinates[],
  { metric, fraction, worst = false, bothEnds = false }: SelectionOptions,
): number[] {
  if (!(fraction > 0 && fraction <= 1))
    throw new UsageError(`fraction: expected a number above 0, up to 1, got ${fraction}`)
  if (worst && bothEnds) throw new UsageError('worst: expected either it or bothEnds, got both')
  const values = places.map((place) => KEYS[metric](place))
  const sign = worst ? -1 : 1
  const order = places.map((_, i) => i).sort((a, b) => sign * (values[a]! - values[b]!) || a - b)
  const count = Math.round(fraction * places.length)
  if (count === 0)
    throw new UsageError(`fraction: expected a share of one example or more of ${places.length}, got ${fraction}`)
  const head = bothEnds ? Math.round(0.7 * count) : count
  const chosen = [...order.slice(0, head), ...(head < count ? order.slice(-(count - head)) : [])]
  return chosen.sort((a, b) => a - b)
}

/** What comes first has the smallest number. */
const KEYS: Readonly<Record<SelectionMetric, (place: Coordinates) => number>> = {
  variability: ({ variability }) => -variability,
  confidence: ({ goldConfidence }) => goldConfidence,
  correctness: ({ correctness }) => correctness,
  forgetting: ({ forgetting }) => -forgetting,
  closeness: ({ goldConfidence }) => -goldConfidence * (1 - goldConfidence),
  predicted: ({ predictedConfidence }) => predictedConfidence,
  borda: ({ borda }) => -borda,
}
