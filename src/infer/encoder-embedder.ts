// An encoder and its tokenizer → an `Embedder`.
import { stack } from '../data/batches.ts'
import { type FramingTokenizer, framedText } from '../data/tuning/framed-text.ts'
import { InputError, UsageError } from '../errors.ts'
import type { Embedder, EmbedOptions, TokenVectors } from '../lm/embedder.ts'
import type { Encoder } from '../model/encoder/encoder.ts'
import { meanOf, rowsAt } from '../model/encoder/pool.ts'
import { noGrad, scope, type Tensor } from '../torch/index.ts'

/** How vectors are made of an encoder's states. */
export interface EmbedderOptions {
  /** The mean of a text's tokens, or its first one. Default `mean`. */
  pooling?: 'mean' | 'cls'
  /** States after so many blocks, from 1; default: all of them, and the last norm where there is one. */
  layer?: number
  /** Texts at once. Default 16. */
  batchSize?: number
  /** Tokens of a text at most, with those around it; longer ones are cut. Default: as many as the model reads. */
  maxLength?: number
}

/** Vectors of texts by an encoder. */
export class EncoderEmbedder implements Embedder {
  readonly model: Encoder
  readonly pooling: 'mean' | 'cls'
  private readonly tokenizer: FramingTokenizer
  private readonly layer: number | undefined
  private readonly batchSize: number
  readonly contextLength: number

  constructor(
    model: Encoder,
    tokenizer: FramingTokenizer,
    { pooling = 'mean', layer, batchSize = 16, maxLength = model.window }: EmbedderOptions = {},
  ) {
    const { length } = model.model.layers
    if (pooling !== 'mean' && pooling !== 'cls')
      throw new UsageError(`pooling: expected mean or cls, got ${JSON.stringify(pooling)}`)
    if (layer !== undefined && !(Number.isInteger(layer) && layer >= 1 && layer <= length))
      throw new UsageError(`layer: expected a number from 1 to ${length}, got ${layer}`)
    if (!(Number.isInteger(batchSize) && batchSize >= 1))
      throw new UsageError(`batchSize: expected an integer of at least 1, got ${batchSize}`)
    if (!(Number.isInteger(maxLength) && maxLength >= 1))
      throw new UsageError(`maxLength: expected an integer of at least 1, got ${maxLength}`)
    this.model = model
    this.tokenizer = tokenizer
    this.pooling = pooling
    this.layer = layer
    this.batchSize = batchSize
    this.contextLength = Math.min(maxLength, model.window)
  }

  get dimensions(): number {
    return this.model.config.hiddenSize
  }

  encode(text: string, { truncate = true }: { truncate?: boolean } = {}): number[] {
    return [...framedText(this.tokenizer, text, truncate ? this.contextLength : Number.POSITIVE_INFINITY).ids]
  }

  async embed(texts: readonly (string | readonly number[])[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const vectors: Float32Array[] = Array(texts.length)
    await this.eachBatch(texts, options, (indices, hidden, batch) => {
      const pooled = this.pooling === 'cls' ? rowsAt(hidden, new Int32Array(batch.rows)) : meanOf(hidden, batch)
      const numbers = unit(pooled).data() as Float32Array
      for (const [row, index] of indices.entries())
        vectors[index] = numbers.slice(row * this.dimensions, (row + 1) * this.dimensions)
    })
    return vectors
  }

  async embedTokens(texts: readonly string[], options: EmbedOptions = {}): Promise<TokenVectors[]> {
    const { before, after } = this.tokenizer.frame
    const found: TokenVectors[] = Array(texts.length)
    await this.eachBatch(texts, options, (indices, hidden, batch, ids) => {
      const numbers = unit(hidden).data() as Float32Array
      const rowLength = batch.length * this.dimensions
      for (const [row, index] of indices.entries())
        found[index] = {
          ids: ids[row]!,
          vectors: numbers.slice(row * rowLength, row * rowLength + ids[row]!.length * this.dimensions),
          before: before.length,
          after: after.length,
        }
    })
    return found
  }

  free(): void {
    this.model.free()
  }

  private idsOf(text: string | readonly number[], index: number): Int32Array {
    if (typeof text === 'string') {
      const { ids } = framedText(this.tokenizer, text, this.contextLength)
      if (ids.length > 0) return ids
      throw new UsageError(`text ${index}: expected at least one token, got an empty text`)
    }
    const { vocabSize } = this.model.config
    if (text.length === 0 || text.length > this.contextLength)
      throw new InputError(`text ${index}: expected 1 to ${this.contextLength} tokens, got ${text.length}`)
    const wrong = text.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize))
    if (wrong === undefined) return Int32Array.from(text)
    throw new InputError(`text ${index}: expected token ids from 0 to ${vocabSize - 1}, got ${wrong}`)
  }

  /** Texts of a length share a batch, and little is padded. */
  private async eachBatch(
    texts: readonly (string | readonly number[])[],
    { signal, onProgress }: EmbedOptions,
    take: (
      indices: readonly number[],
      hidden: Tensor,
      batch: ReturnType<typeof stack>,
      ids: readonly Int32Array[],
    ) => void,
  ): Promise<void> {
    const all = texts.map((text, index) => this.idsOf(text, index))
    const order = [...all.keys()].sort((a, b) => all[a]!.length - all[b]!.length)
    for (let start = 0; start < order.length; start += this.batchSize) {
      signal?.throwIfAborted()
      const indices = order.slice(start, start + this.batchSize)
      const ids = indices.map((index) => all[index]!)
      const batch = stack(
        ids.map((each) => ({ ids: each, labels: each })),
        this.model.config.padTokenId ?? 0,
      )
      noGrad(() => scope(() => take(indices, this.model.hidden(batch, this.layer).to('f32'), batch, ids)))
      onProgress?.(start + indices.length, texts.length)
      await new Promise(setImmediate) // signals and other work get their turn
    }
  }
}

/** x / ‖x‖ over the last dimension, [..., D]; what is 0 stays 0. */
function unit(x: Tensor): Tensor {
  return x.div(x.mul(x).sum(-1, true).sqrt().add(1e-12)).contiguous()
}
