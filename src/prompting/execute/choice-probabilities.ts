// How probable each of several texts is where nothing else can be said: a walk down the tree of their tokens.

import { UnsupportedError, UsageError } from '../../errors.ts'
import type { Lm, ScoreOptions, TokenLogProb } from '../../lm/lm.ts'

/** A choice among texts. */
export interface Chosen<Option extends string = string> {
  /** The likeliest. */
  value: Option
  /** Of each, together 1. */
  probabilities: Record<Option, number>
}

/**
 * The probability of each token sequence behind `ids` among these: at each place the model's probabilities of the tokens with which one of
 * them goes on are made to sum to 1. Where one ends and others go on, its end has what those leave of the whole.
 */
export async function choiceProbabilities(
  lm: Lm,
  ids: readonly number[],
  sequences: readonly (readonly number[])[],
  { adapter, cacheSalt, signal }: Pick<ScoreOptions, 'adapter' | 'cacheSalt' | 'signal'> = {},
): Promise<number[]> {
  if (lm.scoreTokens === undefined)
    throw new UnsupportedError('choose: expected a model that tells the probabilities of tokens, got one that does not')
  if (ids.length === 0) throw new UsageError('choose: expected a text of at least one token before it, got none')
  const keys = sequences.map((sequence) => sequence.join(' '))
  if (new Set(keys).size < keys.length) throw new UsageError('choose: expected options that differ, got two alike')
  const places = await lm.scoreTokens(
    sequences.map((sequence) => [...ids, ...sequence]),
    {
      from: sequences.map(() => ids.length),
      logprobTokenIds: [...new Set(sequences.flat())],
      ...(adapter !== undefined && { adapter }),
      ...(cacheSalt !== undefined && { cacheSalt }),
      ...(signal !== undefined && { signal }),
    },
  )
  const shares = sequences.map(() => 1)
  const isBelow = (sequence: readonly number[], prefix: readonly number[]): boolean =>
    prefix.length <= sequence.length && prefix.every((id, i) => sequence[i] === id)
  for (const [one, sequence] of sequences.entries())
    for (let depth = 0; depth <= sequence.length; depth++) {
      const prefix = sequence.slice(0, depth)
      const longer = sequences.findIndex((other) => other.length > depth && isBelow(other, prefix))
      if (longer < 0) break // it ends, and nothing goes on from there
      const place = places[longer]![ids.length + depth] as TokenLogProb
      const next = new Set(
        sequences.filter((other) => other.length > depth && isBelow(other, prefix)).map((other) => other[depth]!),
      )
      const of = (id: number): number => Math.exp(place.named!.find((each) => each.id === id)!.logprob)
      const sum = [...next].reduce((total, id) => total + of(id), 0)
      const mayEnd = sequences.some((other) => other.length === depth && isBelow(other, prefix))
      const whole = mayEnd ? Math.max(1, sum) : sum
      shares[one]! *=
        depth === sequence.length ? Math.max(0, 1 - sum) : whole === 0 ? 1 / next.size : of(sequence[depth]!) / whole
    }
  return shares
}
