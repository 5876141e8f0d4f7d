// A query → documents of an index on disk, with the model that the index was made with where vectors are asked for.
import type { Hit } from '../../retrieve/document.ts'
import { rerank } from '../../retrieve/rerank.ts'
import { indexInfo, openIndex } from '../../retrieve/store/search-index.ts'
import type { Watch } from '../../work.ts'
import { openEmbedder } from './build-index.ts'

/** How an index is asked. */
export interface AskIndexOptions {
  /** Default 10. */
  k?: number | undefined
  /** Default `words`, which needs no model. */
  by?: 'words' | 'vectors' | 'both' | undefined
  /** The encoder, where it is not any more where it was when the index was made. */
  embed?: string | undefined
  /** A model that reads query and documents together and orders the best anew; see `openReranker`. */
  rerank?: string | undefined
  /** Of `rerank`: how many it reads. Default 50. */
  candidates?: number | undefined
  device?: 'auto' | 'cpu' | 'cuda' | undefined
}

/** Opens an index, asks it once and closes it. A program that asks more than once opens it with `openIndex`. */
export async function askIndex(
  directory: string,
  query: string,
  { k = 10, by = 'words', embed, rerank: ranker, candidates = 50, device }: AskIndexOptions = {},
  watch: Watch = {},
): Promise<Hit[]> {
  const { settings, state } = indexInfo(directory)
  const known = (state as { embed?: string } | undefined)?.embed
  const name =
    by === 'words' || settings.embedding === undefined ? undefined : (embed ?? known ?? settings.embedding.name)
  const embedder = name === undefined ? undefined : await openEmbedder(name, { device }, watch)
  try {
    const index = openIndex(directory, embedder === undefined ? {} : { embedder: embedder.embedder })
    try {
      const hits = await index.search(query, { k: ranker === undefined ? k : Math.max(k, candidates), by })
      return ranker === undefined ? hits : await reranked(query, hits, ranker, { k, device }, watch)
    } finally {
      index.close()
    }
  } finally {
    embedder?.free()
  }
}

async function reranked(
  query: string,
  hits: Hit[],
  name: string,
  { k, device }: { k: number; device: AskIndexOptions['device'] },
  watch: Watch,
): Promise<Hit[]> {
  const { openReranker } = await import('../open-reranker.ts')
  const reranker = await openReranker(name, device === undefined ? {} : { device }, watch)
  try {
    return await rerank(query, hits, reranker, { k })
  } finally {
    reranker.free()
  }
}
