// Texts as vectors: all that retrieval, clustering and scores of meaning may know of an encoder.

/** How a call of an embedder is followed and stopped. */
export interface EmbedOptions {
  signal?: AbortSignal
  /** Hears how many texts are done. */
  onProgress?: (done: number, total: number) => void
}

/** The vectors of one text's tokens, those around the text included. */
export interface TokenVectors {
  /** [tokens] */
  ids: Int32Array
  /** [tokens · dimensions], row-major, each of length 1. */
  vectors: Float32Array
  /** How many tokens stand before and after the text itself, such as `[CLS]` and `[SEP]`. */
  before: number
  after: number
}

/** Gives texts vectors. A text that is longer than the model reads is cut there. */
export interface Embedder {
  /** Numbers of a vector. */
  readonly dimensions: number
  /** One vector for each text; of length 1, so that their products are cosines. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>
  /** The vectors of each text's tokens. */
  embedTokens(texts: readonly string[], options?: EmbedOptions): Promise<TokenVectors[]>
}

/** Σ a·b: the cosine of two vectors of length 1. */
export function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
