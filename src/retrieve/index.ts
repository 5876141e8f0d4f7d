// The subpath `anneal/retrieve`: finding documents by their words and by vectors, in memory and on disk. Nothing here needs LibTorch.
export { Bm25 } from './bm25.ts'
export type { Bm25Options, CollectionStats } from './bm25-formula.ts'
export type { Hit, RetrievalDocument, Retriever } from './document.ts'
export { type FlatVectorOptions, FlatVectors, type VectorHit } from './flat-vectors.ts'
export { type FuseOptions, fuse, type Ranked } from './fuse.ts'
export { meanMetrics, type RankingMetrics, rankingMetrics } from './metrics.ts'
export { rerank, type ScoreDocuments } from './rerank.ts'
export { snippet } from './snippet.ts'
export {
  type AddCounts,
  type IndexWriter,
  type NewDocument,
  type WriteIndexOptions,
  writeIndex,
} from './store/index-writer.ts'
export {
  checkIndex,
  type IndexInfo,
  indexInfo,
  type OpenIndexOptions,
  openIndex,
  type SearchIndex,
  type SearchOptions,
} from './store/search-index.ts'
export type { EmbeddingSettings, IndexEmbedder, IndexOptions, IndexSettings, NamedTokenizer } from './store/settings.ts'
export { type Tokenize, type TokenizerOptions, tokenizer } from './tokenize.ts'
export type { Metric } from './vector-block.ts'
