// The numbers of continuations that stand beside whatever else is asked of them, so that a model that says nothing, the same thing over and
// over, or something in another language is not taken for a better one.

import type { MetricConfig } from '../../task-config.ts'
import { isRight, type Look } from './look-at.ts'

const share = (looks: readonly Look[], isOne: (look: Look) => boolean): number =>
  looks.filter(isOne).length / looks.length

/** Shares of a document's continuations, and lists of numbers of those in the right language. */
export function companionScores(looks: readonly Look[]): Record<string, number | number[]> {
  const right = looks.filter(isRight)
  const list = (of: (look: Look) => number | undefined): number[] =>
    right.map(of).filter((value): value is number => value !== undefined)
  const perplexity = list((look) => look.perplexity)
  const tokens = looks.map((look) => look.tokens).filter((value): value is number => value !== undefined)
  const distinct = [0, 1, 2].map((n) => list((look) => look.distinct?.[n]))
  return {
    right_language: share(looks, isRight),
    empty: share(looks, ({ isEmpty }) => isEmpty),
    repeated: share(looks, (look) => look.isRepeated),
    ...(tokens.length > 0 && { length: tokens }),
    ...Object.fromEntries(distinct.flatMap((values, n) => (values.length > 0 ? [[`dist_${n + 1}`, values]] : []))),
    ...(perplexity.length > 0 && {
      judge_perplexity: perplexity,
      judge_bits_per_byte: list((look) => look.bitsPerByte),
      judged: perplexity.length,
    }),
  }
}

/** How they are aggregated. */
export const COMPANIONS: readonly MetricConfig[] = [
  { metric: 'right_language', aggregation: 'mean', higher_is_better: true },
  { metric: 'empty', aggregation: 'mean', higher_is_better: false },
  { metric: 'repeated', aggregation: 'mean', higher_is_better: false },
  { metric: 'length', aggregation: 'mean_of_all' },
  ...[1, 2, 3].map((n) => ({ metric: `dist_${n}`, aggregation: 'mean_of_all', higher_is_better: true })),
  { metric: 'judge_perplexity', aggregation: 'median_of_all', higher_is_better: false },
  { metric: 'judge_bits_per_byte', aggregation: 'median_of_all', higher_is_better: false },
  { metric: 'judged', aggregation: 'sum' },
]
