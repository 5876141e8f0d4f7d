// Soft tokens: vectors that are read in the place of tokens. One is written as a negative id, −1 for the first row and −2 for the second, so
// that a sequence with soft tokens, wherever they stand in it, is a plain list of ids that can be padded, packed, cut and cached.
import { ops, scope, type Tensor } from '../torch/index.ts'
import type { EmbeddingLike } from './embedding.ts'
import { InputLayer } from './input-layer.ts'

/** The vectors as part of a model's tree: `prompt_encoder.embedding`. */
export class SoftTokens extends InputLayer {
  /** [n, D] in the units that enter the first block, as PEFT stores it; f32. */
  embedding: Tensor

  constructor(embedding: Tensor) {
    super()
    this.embedding = embedding
  }

  get length(): number {
    return this.embedding.size(0)
  }

  /** Negative ids are rows of the vectors, which have the embedding's scale in them already; all others are words. */
  embed(ids: Tensor, words: EmbeddingLike, scale: number): Tensor {
    return scope(() => {
      const isSoft = ops.ltScalar(ids, 0).unsqueeze(-1) // [B, T, 1]
      const plain = words.forward(ops.clampMin(ids, 0)) // [B, T, D]
      const scaled = this.embedding.div(scale).to(plain.dtype)
      const soft = ops.embedding(scaled, ops.clampMin(ops.rsubScalar(ids, -1), 0)) // [B, T, D]: row −1 − id
      return ops.where(isSoft, soft, plain)
    })
  }

  /** The ids of all rows, in their order. */
  get ids(): number[] {
    return Array.from({ length: this.length }, (_, i) => -1 - i)
  }
}
