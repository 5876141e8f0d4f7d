// From which similarity on two questions may have one answer: a threshold with a bound on how often different ones would.

import { UsageError } from '../../errors.ts'
import { dotProduct } from '../../lm/embedder.ts'
import { checkOptionNames } from '../../option-names.ts'
import { lowerBound, trialsFor, upperBound } from './binomial.ts'
import { type Embed, unitVectors } from './embed.ts'
import { differingFact, QUESTION_FACTS, type QuestionFact, questionFacts } from './question-facts.ts'

/** Two questions, and whether one answer does for both. */
export interface QuestionPair {
  readonly a: string
  readonly b: string
  readonly same: boolean
}

/** How sure it is to be. */
export interface CalibrateOptions {
  /** Share of pairs of different questions that may be taken for the same, at most. Default 0.001. */
  falseHits?: number
  /** How sure that bound is to be. Default 0.95. */
  confidence?: number
  /** As the cache will have it. */
  exact?: readonly QuestionFact[]
  /** Takes a threshold above all different pairs where they are too few to show `falseHits`; `different.upper` says what they do show. */
  unproven?: boolean
}

/** How many pairs of one kind were hits. */
export interface HitRate {
  readonly pairs: number
  readonly hits: number
  readonly rate: number
  /** One-sided bounds of `confidence`. */
  readonly lower: number
  readonly upper: number
}

/** A threshold, and what is known of it. */
export interface Calibration {
  /** For `cached`. */
  readonly threshold: number
  readonly exact: readonly QuestionFact[]
  readonly falseHits: number
  readonly confidence: number
  /** Pairs of different questions: hits are wrong. */
  readonly different: HitRate
  /** Pairs of the same question: hits are what is saved. */
  readonly same: HitRate
}

/** Thresholds are whole thousandths. */
const STEPS = 1000

const OPTIONS: Readonly<Record<keyof CalibrateOptions, true>> = {
  falseHits: true,
  confidence: true,
  exact: true,
  unproven: true,
}

/**
 * The smallest threshold at which the upper bound (Clopper and Pearson 1934) of the share of different pairs that would be hits is at most
 * `falseHits`. Thresholds are tried from 1 down until the bound is passed, one fixed sequence, so that trying many does not weaken it
 * (Angelopoulos et al. 2021, arXiv:2110.01052); none is lower than the least similarity of a same pair. The bound holds for pairs like
 * these, drawn independently: near misses count for what users ask only as far as users ask such.
 *
 * UsageError where the different pairs are too few: with none wrong, 0.001 with confidence 0.95 takes 2,995.
 *
 * @example
 * const threshold = await calibrate(embed, pairs, { falseHits: 0.001 })
 * const cheap = cached(model, { embed, threshold })
 */
export async function calibrate(
  embed: Embed,
  pairs: readonly QuestionPair[],
  options: CalibrateOptions = {},
): Promise<Calibration> {
  checkOptionNames('calibrate', options, OPTIONS)
  const { falseHits = 0.001, confidence = 0.95, exact = QUESTION_FACTS, unproven = false } = options
  for (const [name, value] of Object.entries({ falseHits, confidence }))
    if (!(value > 0 && value < 1)) throw new UsageError(`${name}: expected a share between 0 and 1, got ${value}`)
  const count = pairs.filter(({ same }) => !same).length
  const needed = trialsFor(falseHits, confidence)
  if (count < needed && !unproven)
    throw new UsageError(
      `pairs: expected at least ${needed} pairs of different questions to show at most ${falseHits} false hits with confidence ${confidence}, got ${count}. Add some, allow more by \`falseHits\`, or give \`unproven\``,
    )
  const scores = await pairSimilarities(embed, pairs, exact)
  const of = (same: boolean): number[] => scores.filter((_, i) => pairs[i]!.same === same)
  const [alike, different] = [of(true), of(false)]
  const bound = (hits: number): number => upperBound(hits, count, confidence)
  const isFine = (hits: number): boolean => (count < needed ? hits === 0 : bound(hits) <= falseHits)
  const least = Math.max(1, Math.floor(Math.min(1, ...alike.filter(Number.isFinite)) * STEPS))
  let step = STEPS + 1
  while (step > least && isFine(hitsOf(different, (step - 1) / STEPS))) step--
  if (step > STEPS)
    throw new UsageError(
      `pairs: expected different questions that are told apart, got ${hitsOf(different, 1)} with a similarity of 1. Use another embedder, or hold more \`exact\``,
    )
  const threshold = step / STEPS
  const rate = (values: readonly number[]): HitRate => rateOf(hitsOf(values, threshold), values.length, confidence)
  return { threshold, exact, falseHits, confidence, different: rate(different), same: rate(alike) }
}

const hitsOf = (scores: readonly number[], threshold: number): number =>
  scores.filter((score) => score >= threshold).length

/** A rate with its bounds. */
export function rateOf(hits: number, pairs: number, confidence: number): HitRate {
  return {
    pairs,
    hits,
    rate: pairs === 0 ? 0 : hits / pairs,
    lower: pairs === 0 ? 0 : lowerBound(hits, pairs, confidence),
    upper: pairs === 0 ? 1 : upperBound(hits, pairs, confidence),
  }
}

/** The cosine of each pair; −Infinity where they differ in a fact, or one has no direction. */
export async function pairSimilarities(
  embed: Embed,
  pairs: readonly QuestionPair[],
  exact: readonly QuestionFact[],
): Promise<number[]> {
  const texts = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))]
  const vectors = await unitVectors(embed, texts)
  const read = new Map(texts.map((text, i) => [text, { facts: questionFacts(text), vector: vectors[i]! }]))
  return pairs.map((pair) => {
    const [a, b] = [read.get(pair.a)!, read.get(pair.b)!]
    if (differingFact(a.facts, b.facts, exact) !== undefined) return Number.NEGATIVE_INFINITY
    // Rounding: a text is as like itself as can be.
    const cosine = Math.min(1, Math.round(dotProduct(a.vector, b.vector) * 1e6) / 1e6)
    return cosine === 0 ? Number.NEGATIVE_INFINITY : cosine
  })
}
