// What a training run says of each of its examples: the coordinates of a data map (Swayamdipta et al. 2020, Dataset Cartography) on the
// gold label and on the label that the model predicts (Lopetegui et al. 2025), and the scores by which label errors are found.

import { ranksOf } from '../ranks.ts'
import type { Dynamics, DynamicsExample } from './dynamics-files.ts'

/** Whose probability is followed over the epochs: the gold label's, that of each epoch's own prediction, or of the last prediction. */
export type Track = 'gold' | 'pred-epoch' | 'pred-final'

/** An example never predicted right has been forgotten so often, as in the original. */
export const NEVER_LEARNT = 1000

/** One example's place. Probabilities are in 0 … 1, losses in nats. */
export interface Coordinates {
  guid: string
  /** Ids of labels: its own, and the one of the highest mean probability. */
  gold: number
  predicted: number
  /** Mean and standard deviation (over epochs, not of a sample: ddof 0) of the tracked probability. */
  confidence: number
  variability: number
  /** The same of the gold label, and of each epoch's prediction, whatever is tracked. */
  goldConfidence: number
  predictedConfidence: number
  /** Epochs in which the gold label was predicted. */
  correctness: number
  /** How often right became wrong; {@link NEVER_LEARNT} where it was never right. */
  forgetting: number
  /** Area under the margin: mean of the gold label's logit less the highest other (Pleiss et al. 2020). */
  aum: number
  /** −ln p(gold) after the last epoch; of cross-fitted runs the held-out loss (Chong et al. 2022). */
  loss: number
  /** Confident learning (Northcutt et al. 2021): of the labels that are as probable as they usually are where they stand, the most probable is another one. */
  isConfidentError: boolean
  /** 0 … 1, the mean rank by loss, margin and gold confidence: 1 is the likeliest error. */
  borda: number
}

/** How coordinates are made. */
export interface CoordinateOptions {
  /** Default `gold`. */
  track?: Track
  /** Widens variability for the few epochs: √(var + var²/(epochs − 1)), as the original's `include_ci`. */
  includeCi?: boolean
}

/** Coordinates of all examples, in their order. */
export function coordinatesOf(
  dynamics: Dynamics,
  { track = 'gold', includeCi = false }: CoordinateOptions = {},
): Coordinates[] {
  const { epochs, labels } = dynamics
  const size = labels.length
  const last = dynamics.examples.map(({ logits }) => softmax(logits, (epochs - 1) * size, size))
  const thresholds = labels.map((_, label) =>
    mean(dynamics.examples.flatMap(({ gold }, i) => (gold === label ? [last[i]![label]!] : []))),
  )
  const places = dynamics.examples.map((example, i) => ({
    ...placeOf(example, { epochs, size, track, includeCi }),
    isConfidentError: isConfidentError(last[i]!, example.gold, thresholds),
    borda: 0,
  }))
  const ranks = [
    rankShares(places.map(({ loss }) => loss)),
    rankShares(places.map(({ aum }) => -aum)),
    rankShares(places.map(({ goldConfidence }) => -goldConfidence)),
  ]
  for (const [i, place] of places.entries()) place.borda = mean(ranks.map((rank) => rank[i]!))
  return places
}

function placeOf(
  { guid, gold, logits }: DynamicsExample,
  { epochs, size, track, includeCi }: { epochs: number; size: number; track: Track; includeCi: boolean },
): Omit<Coordinates, 'isConfidentError' | 'borda'> {
  const probabilities = Array.from({ length: epochs }, (_, epoch) => softmax(logits, epoch * size, size))
  const predictions = probabilities.map(argMax)
  const final = predictions.at(-1)!
  const golds = probabilities.map((row) => row[gold]!)
  const own = probabilities.map((row, epoch) => row[predictions[epoch]!]!)
  const followed = track === 'gold' ? golds : track === 'pred-epoch' ? own : probabilities.map((row) => row[final]!)
  const means = Array.from({ length: size }, (_, label) => mean(probabilities.map((row) => row[label]!)))
  const right = predictions.map((label) => label === gold)
  const margins = Array.from({ length: epochs }, (_, epoch) => {
    const row = logits.subarray(epoch * size, (epoch + 1) * size)
    return (
      row[gold]! -
      row.reduce((most, logit, label) => (label === gold ? most : Math.max(most, logit)), Number.NEGATIVE_INFINITY)
    )
  })
  return {
    guid,
    gold,
    predicted: argMax(means),
    confidence: mean(followed),
    variability: deviation(followed, includeCi),
    goldConfidence: mean(golds),
    predictedConfidence: mean(own),
    correctness: right.filter(Boolean).length,
    forgetting: right.includes(true)
      ? right.filter((isRight, epoch) => !isRight && right[epoch - 1] === true).length
      : NEVER_LEARNT,
    aum: mean(margins),
    loss: -Math.log(Math.max(golds.at(-1)!, Number.MIN_VALUE)),
  }
}

function deviation(values: readonly number[], includeCi: boolean): number {
  const center = mean(values)
  const variance = mean(values.map((value) => (value - center) ** 2))
  const widened = includeCi && values.length > 1 ? variance + variance ** 2 / (values.length - 1) : variance
  return Math.sqrt(widened)
}

function isConfidentError(row: readonly number[], gold: number, thresholds: readonly number[]): boolean {
  const confident = row.flatMap((p, label) => (p >= thresholds[label]! ? [label] : []))
  if (confident.length === 0) return false
  return confident.reduce((best, label) => (row[label]! > row[best]! ? label : best)) !== gold
}

/** 0 … 1 by rank: 0 is the smallest value, 1 the largest. */
export function rankShares(values: readonly number[]): number[] {
  return ranksOf(values).map((rank) => (rank - 1) / Math.max(1, values.length - 1))
}

function softmax(logits: Float32Array, start: number, size: number): number[] {
  const row = Array.from(logits.subarray(start, start + size))
  const most = Math.max(...row)
  const powers = row.map((logit) => Math.exp(logit - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

function argMax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0)
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length
}
