// y = x Wᵀ + b with W as the blocks of a GGUF file, and the embedding whose rows are looked up in such blocks.
import { autocastDtype, type Tensor } from '../torch/index.ts'
import type { EmbeddingLike } from './embedding.ts'
import type { GgmlWeight } from './ggml-weight.ts'
import { Layer } from './layer.ts'
import type { LinearLike } from './linear.ts'

/** A linear layer whose matrix lies in a GGUF file and is never trained: gradients go through to x. */
export class GgmlLinear extends Layer implements LinearLike {
  readonly weight: GgmlWeight
  /** [outFeatures] or null */
  bias: Tensor | null

  constructor(weight: GgmlWeight, bias: Tensor | null = null) {
    super()
    this.weight = weight
    this.bias = bias
  }

  get inFeatures(): number {
    return this.weight.shape[1]!
  }
  get outFeatures(): number {
    return this.weight.shape[0]!
  }

  forward(x: Tensor): Tensor {
    const dtype = autocastDtype()
    if (dtype === null) return this.weight.multiply(x, this.bias)
    return this.weight.multiply(x.to(dtype), this.bias?.to(dtype))
  }

  /** The dequantized matrix, in f32. */
  dense(): Tensor {
    return this.weight.dequantize()
  }
}

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
