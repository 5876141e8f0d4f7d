// y = x Wᵀ + b with W stored in a quantized format and frozen: gradients go through to x. Where nothing records, y is computed from the
// codes themselves; else, and in the backward pass, from a dequantized matrix that lives for that product only.
import { autocastDtype, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'
import type { LinearLike } from './linear.ts'
import type { QuantizedWeight } from './quant/quantized-weight.ts'

/** A linear layer whose matrix is stored in 2 to 8 bits and never trained. */
export class QuantLinear extends Layer implements LinearLike {
  readonly weight: QuantizedWeight
  /** [outFeatures] or null */
  bias: Tensor | null

  constructor(weight: QuantizedWeight, bias: Tensor | null = null) {
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
