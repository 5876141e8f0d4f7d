// How alike somebody's turns are to those of a reference, between two numbers that say what that means: how alike the reference is to itself,
// and how alike others are to it.

import { UsageError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import { meanVector, type StyleLikeness, StyleSpace } from './style-space.ts'

/** What a similarity is compared with, and how it is made. */
export interface StyleOptions {
  /** Turns of other people, a list each: the floor. */
  others?: readonly (readonly string[])[]
  /** Whose lists of words; default: what the reference is written in. Elsewhere its most frequent words are the function words. */
  language?: 'en' | 'zh'
  /** How often the reference is cut into halves for the ceiling. Default 50. */
  splits?: number
  seed?: number
}

/** How alike turns are to a reference. All in [0, 1] but `relative`. */
export interface StyleSimilarity {
  /** The mean over groups of features: length, questions, phrases, openings, function words, punctuation. */
  similarity: number
  groups: Readonly<Record<string, number>>
  /** Of the features' means in units of the reference's spread; near 1 for nearly everything. */
  cosine: number
  /** The same of halves of the reference, by dialogues, over many cuts: halves are small, so a twin can be above it. NaN of one dialogue. */
  ceiling: number
  /** The mean over others; NaN without them. */
  floor: number
  /** (similarity − floor) / (ceiling − floor): 0 is as the others, 1 as the reference itself. NaN where either is. */
  relative: number
  /** Of each feature: the means of both, and how far they are apart in units of the reference's spread. */
  features: readonly { name: string; group: string; twin: number; reference: number; distance: number }[]
}

/**
 * Compares turns with those of a reference, which is given by dialogues. Deterministic for a seed.
 *
 * @example
 * const { similarity, ceiling, floor } = styleSimilarity(answers, cases, { others: [turnsOfSomebodyElse] })
 */
export function styleSimilarity(
  twin: readonly string[],
  reference: readonly (readonly string[])[],
  { others = [], language, splits = 50, seed = 0 }: StyleOptions = {},
): StyleSimilarity {
  if (twin.length === 0) throw new UsageError('twin: expected at least one turn, got none')
  const turns = reference.flat()
  if (turns.length === 0) throw new UsageError('reference: expected at least one turn, got none')
  const space = new StyleSpace(turns, language)
  const mean = meanVector(twin.map((turn) => space.vectorOf(turn)))
  const { similarity, groups, cosine } = space.likeness(mean)
  const { ceiling, floor } = styleBounds(space, reference, others, { splits, seed })
  return {
    similarity,
    groups: groups as Record<string, number>,
    cosine,
    ceiling,
    floor,
    relative: (similarity - floor) / (ceiling - floor),
    features: space.features.map(({ name, group }, j) => ({
      name,
      group,
      twin: mean[j]!,
      reference: space.mean[j]!,
      distance: Math.abs(mean[j]! - space.mean[j]!) / space.spread[j]!,
    })),
  }
}

/** How alike halves of the reference are to each other, and others to the whole. */
export function styleBounds(
  space: StyleSpace,
  reference: readonly (readonly string[])[],
  others: readonly (readonly string[])[],
  { splits, seed }: { splits: number; seed: number },
): { ceiling: number; floor: number } {
  const likenessOf = (...sets: Float64Array[]): StyleLikeness => space.likeness(sets[0]!, sets[1])
  const dialogues = reference
    .filter((turns) => turns.length > 0)
    .map((turns) => turns.map((turn) => space.vectorOf(turn)))
  const random = new PythonRandom(seed)
  let sum = 0
  for (let split = 0; split < splits && dialogues.length > 1; split++) {
    const order = [...dialogues]
    random.shuffle(order)
    const half = order.length >> 1
    sum += likenessOf(meanVector(order.slice(0, half).flat()), meanVector(order.slice(half).flat())).similarity
  }
  const floors = others
    .filter((turns) => turns.length > 0)
    .map((turns) => likenessOf(meanVector(turns.map((turn) => space.vectorOf(turn)))).similarity)
  return {
    ceiling: dialogues.length > 1 ? sum / splits : Number.NaN,
    floor: floors.length > 0 ? floors.reduce((a, b) => a + b, 0) / floors.length : Number.NaN,
  }
}
