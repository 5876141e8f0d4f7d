// One list out of several: what words find and what vectors find, put together.
import { UsageError } from '../errors.ts'

/** Something that was found, by its id. */
export interface Ranked {
  id: string
  score: number
}

/** How lists are put together. */
export interface FuseOptions {
  /**
   * `rrf`: by ranks, Σ weight/(k + rank) with ranks from 1 (Cormack et al. 2009), which needs no scores that compare; the default. `weighted`: Σ weight·score, with each list's scores
   * brought to 0 to 1 by its smallest and largest.
   */
  by?: 'rrf' | 'weighted'
  /** One for each list. Default 1 each. */
  weights?: readonly number[]
  /** Of `rrf`. Default 60. */
  k?: number
}

/**
 * Puts ranked lists together, best first; equal scores in the order in which ids were first seen. What a list does not have gets nothing from it, and every id
 * comes once, with the other fields of where it was first seen.
 *
 * @example
 * fuse([words.search(query), vectors.search(vector)]).slice(0, 5)
 */
export function fuse<T extends Ranked>(
  lists: readonly (readonly T[])[],
  { by = 'rrf', weights = lists.map(() => 1), k = 60 }: FuseOptions = {},
): T[] {
  if (by !== 'rrf' && by !== 'weighted') throw new UsageError(`by: expected rrf or weighted, got ${JSON.stringify(by)}`)
  if (weights.length !== lists.length || !weights.every((weight) => Number.isFinite(weight)))
    throw new UsageError(`weights: expected ${lists.length} numbers, one for each list, got ${weights.join(', ')}`)
  if (!(k > 0)) throw new UsageError(`k: expected a number above 0, got ${k}`)
  const fused = new Map<string, T>()
  for (const [i, list] of lists.entries()) {
    const value = by === 'rrf' ? (_: T, rank: number) => 1 / (k + rank) : evened(list)
    const seen = new Set<string>()
    for (const [rank, item] of list.entries()) {
      if (seen.has(item.id)) continue
      seen.add(item.id)
      const before = fused.get(item.id)
      fused.set(item.id, {
        ...(before ?? item),
        score: (before?.score ?? 0) + weights[i]! * value(item, rank + 1),
      })
    }
  }
  return [...fused.values()].sort((a, b) => b.score - a.score)
}

/** Scores from 0 to 1; where all are the same, 1. */
function evened<T extends Ranked>(list: readonly T[]): (item: T) => number {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { score } of list) {
    least = Math.min(least, score)
    most = Math.max(most, score)
  }
  return ({ score }) => (most > least ? (score - least) / (most - least) : 1)
}
