// What was found, in the order of a scorer that reads query and document.
import { InputError } from '../errors.ts'
import type { Reranker } from '../lm/reranker.ts'
import type { Hit } from './document.ts'

/** Scores of documents by a query, in the order of the documents; the larger the better. */
export type ScoreDocuments = (
  query: string,
  documents: readonly string[],
  options: { signal?: AbortSignal },
) => readonly number[] | Promise<readonly number[]>

/**
 * Scores hits again by a `Reranker` (`openReranker`, `embeddingReranker`, `judgeReranker`) or by a function of your own; best first, equal
 * scores as they were. `k`: how many to keep, default all. InputError where there is not one finite score for each.
 *
 * @example
 * const hits = await rerank(query, await index.search(query, { k: 50 }), reranker, { k: 5 })
 */
export async function rerank<T extends Pick<Hit, 'text' | 'score'>>(
  query: string,
  hits: readonly T[],
  by: Reranker | ScoreDocuments,
  { k = hits.length, signal }: { k?: number; signal?: AbortSignal } = {},
): Promise<T[]> {
  if (hits.length === 0) return []
  const texts = hits.map(({ text }) => text)
  const options = signal === undefined ? {} : { signal }
  const scores =
    typeof by === 'function' ? await by(query, texts, options) : (await by.rank(query, texts, options)).scores
  const wrong = scores.findIndex((score) => !Number.isFinite(score))
  if (scores.length !== hits.length || wrong >= 0)
    throw new InputError(
      `reranker: expected ${hits.length} finite scores, one for each document, got ${scores.length}${wrong >= 0 ? ` with ${scores[wrong]} at ${wrong}` : ''}`,
    )
  return hits
    .map((hit, i) => ({ ...hit, score: scores[i]! }))
    .sort((a, b) => b.score - a.score)
    .slice(0, k)
}
