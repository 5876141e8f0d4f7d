// Several sources in one training set, each with its share, such as text of a language to learn and of the language that must not be
// forgotten. What an epoch visits is a pure function of seed, epoch and position, so a mixed run resumes like any other.

import { UsageError } from '../errors.ts'
import { type Order, order } from './order.ts'
import type { Dataset } from './sample.ts'

/**
 * `concat`: every sample once an epoch. `interleave_under`: an epoch ends where the first source would be read up at the shares asked
 * for; `interleave_over`: where the last one is, so that the others are read more than once.
 */
export type MixStrategy = 'concat' | 'interleave_under' | 'interleave_over'

/** What an epoch visits: `length` samples, by their indices in the sources laid end to end. */
export interface Visits {
  readonly length: number
  readonly order: Order
  /** Samples of each source in an epoch. */
  readonly counts: readonly number[]
}

/** How sources are mixed. */
export interface MixOptions {
  strategy: MixStrategy
  /** Shares of the samples of an epoch, in the order of the sources; they are divided by their sum. Default equal ones. */
  probabilities?: readonly number[]
  seed: number
}

/**
 * Plans the epochs of a mixture of sources with `lengths` samples each. A source goes on in the next epoch where it ended in this one, and
 * none of its samples comes again before all have come.
 */
export function mixVisits(lengths: readonly number[], { strategy, probabilities, seed }: MixOptions): Visits {
  const counts = samplesPerEpoch(lengths, strategy, probabilities)
  const offsets = startsOf(lengths)
  const places = startsOf(counts)
  const length = counts.reduce((sum, count) => sum + count, 0)
  const shuffled = order(length, seed)
  const within = lengths.map((size) => order(size, seed))
  return {
    length,
    counts,
    order: (epoch, position) => {
      const place = shuffled(epoch, position)
      let source = 0
      while (place >= places[source]! + counts[source]!) source++
      // The how-manieth sample of its source this is since the beginning.
      const drawn = epoch * counts[source]! + place - places[source]!
      const size = lengths[source]!
      return offsets[source]! + within[source]!(Math.floor(drawn / size), drawn % size)
    },
  }
}

/** Sources laid end to end. */
export function concatenated<T>(sources: readonly Dataset<T>[]): Dataset<T> {
  const starts = startsOf(sources.map(({ length }) => length))
  return {
    length: sources.reduce((sum, { length }) => sum + length, 0),
    get: (index) => {
      let source = sources.length - 1
      while (index < starts[source]!) source--
      return sources[source]!.get(index - starts[source]!)
    },
  }
}

function samplesPerEpoch(
  lengths: readonly number[],
  strategy: MixStrategy,
  probabilities: readonly number[] = lengths.map(() => 1),
): number[] {
  if (probabilities.length !== lengths.length)
    throw new UsageError(
      `probabilities: expected one for each of ${lengths.length} sources, got ${probabilities.length}`,
    )
  for (const share of probabilities)
    if (!(share > 0 && Number.isFinite(share)))
      throw new UsageError(`probabilities: expected numbers above 0, got ${share}. Leave out a source that is not read`)
  const empty = lengths.indexOf(0)
  if (empty !== -1) throw new UsageError(`sources: expected samples in each, got none in source ${empty + 1}`)
  if (strategy === 'concat') return [...lengths]
  const sum = probabilities.reduce((total, share) => total + share, 0)
  // So many samples an epoch has where a source is read exactly once.
  const spans = lengths.map((length, i) => (length * sum) / probabilities[i]!)
  const span = strategy === 'interleave_under' ? Math.min(...spans) : Math.max(...spans)
  return probabilities.map((share) => Math.max(1, Math.round((span * share) / sum)))
}

function startsOf(lengths: readonly number[]): number[] {
  let start = 0
  return lengths.map((length) => {
    start += length
    return start - length
  })
}
