// y = x Wᵀ + b with W as the blocks of a GGUF file, and the embedding whose rows are looked up in such blocks.
import type { Tensor } from '../torch/index.ts'
import type { EmbeddingLike } from './embedding.ts'
import { FrozenLinear } from './frozen-linear.ts'
import type { GgmlWeight } from './ggml-weight.ts'
import { Layer } from './layer.ts'
import type { LinearLike } from './linear.ts'

/** A linear layer whose matrix lies in a GGUF file and is never trained. */
export class GgmlLinear extends FrozenLinear<GgmlWeight> {}

/** Rows of a matrix [vocabulary, width] in blocks, looked up by id. */
export class GgmlEmbedding extends Layer implements EmbeddingLike {
  readonly weight: GgmlWeight

  constructor(weight: GgmlWeight) {
    super()
    this.weight = weight
  }

  get device(): string {
    return this.weight.device
  }
  /** ids [...] of i64 → [..., hiddenSize], f32 */
  forward(ids: Tensor): Tensor {
    return this.weight.rows(ids)
  }
  /** The head of a tied model: the same blocks. */
  head(): LinearLike {
    return new GgmlLinear(this.weight)
  }
  /** The dequantized matrix, in f32. */
  dense(): Tensor {
    return this.weight.dequantize()
  }
}
