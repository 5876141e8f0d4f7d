// How good a ranking is, where it is known which documents answer a query.
import { InputError } from '../errors.ts'

/** Measures of one or many rankings at a cut-off. */
export interface RankingMetrics {
  /** The share of relevant documents among the first k. */
  recall: number
  /** Whether one of the first k is relevant, 0 or 1. */
  hit: number
  /** The share of the first k that is relevant. */
  precision: number
  /** 1/rank of the first relevant one of the first k, 0 where there is none; its mean is MRR. */
  reciprocalRank: number
  /** Normalised discounted cumulative gain with gains 2^grade − 1 and log₂(rank + 1) (Burges et al. 2005); with grades of 1 also trec_eval's. */
  ndcg: number
}

/**
 * Measures a ranking of ids by the ids that are relevant, each with its grade (≥ 1) or, in a set or list, grade 1. InputError where none is relevant, or
 * an id is ranked twice.
 *
 * @example
 * rankingMetrics(['b', 'a', 'c'], ['a'], 3) // { recall: 1, hit: 1, precision: 1/3, reciprocalRank: 0.5, ndcg: 0.63… }
 */
export function rankingMetrics(
  ranked: readonly string[],
  relevant: ReadonlyMap<string, number> | Iterable<string>,
  k: number,
): RankingMetrics {
  if (!Number.isInteger(k) || k < 1) throw new InputError(`k: expected a whole number of at least 1, got ${k}`)
  if (new Set(ranked).size < ranked.length) throw new InputError('ranked: expected every id once, got one twice')
  const grades =
    relevant instanceof Map
      ? (relevant as ReadonlyMap<string, number>)
      : new Map([...(relevant as Iterable<string>)].map((id) => [id, 1]))
  const ideal = [...grades.values()].filter((grade) => grade > 0).sort((a, b) => b - a)
  if (ideal.length === 0) throw new InputError('relevant: expected at least one document, got none')
  const found = ranked.slice(0, k).map((id) => Math.max(0, grades.get(id) ?? 0))
  const first = found.findIndex((grade) => grade > 0)
  const count = found.filter((grade) => grade > 0).length
  return {
    recall: count / ideal.length,
    hit: count > 0 ? 1 : 0,
    precision: count / k,
    reciprocalRank: first < 0 ? 0 : 1 / (first + 1),
    ndcg: gain(found) / gain(ideal.slice(0, k)),
  }
}

function gain(grades: readonly number[]): number {
  return grades.reduce((sum, grade, i) => sum + (2 ** grade - 1) / Math.log2(i + 2), 0)
}

/** The mean of each measure. InputError where there are none. */
export function meanMetrics(all: readonly RankingMetrics[]): RankingMetrics {
  if (all.length === 0) throw new InputError('metrics: expected at least one ranking, got none')
  const mean = (name: keyof RankingMetrics): number => all.reduce((sum, each) => sum + each[name], 0) / all.length
  return {
    recall: mean('recall'),
    hit: mean('hit'),
    precision: mean('precision'),
    reciprocalRank: mean('reciprocalRank'),
    ndcg: mean('ndcg'),
  }
}
