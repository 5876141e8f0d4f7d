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
  /** Tokens of a text at most, those around it included. */
  readonly contextLength: number
  /**
   * The ids that `embed` reads for a text, with those around it, such as `[CLS]` and `[SEP]`; cut at `contextLength` unless `truncate` is
   * false, which tells how long it is.
   */
  encode(text: string, options?: { truncate?: boolean }): number[]
  /**
   * One vector for each text; of length 1, so that their products are cosines. Ids are read as they are, nothing put around them and none
   * cut off: InputError where they are more than `contextLength`, none, or not the model's.
   */
  embed(texts: readonly (string | readonly number[])[], options?: EmbedOptions): Promise<Float32Array[]>
  /** The vectors of each text's tokens. */
  embedTokens(texts: readonly string[], options?: EmbedOptions): Promise<TokenVectors[]>
}

/** Σ a·b: the cosine of two vectors of length 1. */
export function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
