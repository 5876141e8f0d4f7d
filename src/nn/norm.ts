// Normalisation over the last dimension.
import { ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'

/** A norm by either formula. */
export interface Norm extends Layer {
  forward(x: Tensor): Tensor
}

/** x / √(mean(x²) + eps) · (weight + offset) (arXiv:1910.07467); Gemma stores weight − 1, hence `offset` 1. */
export class RmsNorm extends Layer implements Norm {
  weight: Tensor
  readonly eps: number
  readonly offset: number

  constructor(weight: Tensor, eps: number, offset = 0) {
    super()
    this.weight = weight
    this.eps = eps
    this.offset = offset
  }

  forward(x: Tensor): Tensor {
    return ops.rmsNorm(x, this.weight, this.eps, this.offset)
  }
}

/** (x − mean) / √(variance + eps) · weight + bias (arXiv:1607.06450). */
export class LayerNorm extends Layer implements Norm {
  weight: Tensor
  /** Null where the family has none (ModernBERT). */
  bias: Tensor | null
  readonly eps: number

  constructor(weight: Tensor, bias: Tensor | null, eps: number) {
    super()
    this.weight = weight
    this.bias = bias
    this.eps = eps
  }

  forward(x: Tensor): Tensor {
    return ops.layerNorm(x, [this.weight.size(0)], this.weight, this.bias, this.eps)
  }
}
