// y = x Wᵀ + b with W stored in few bits and never trained: gradients go through to x. In inference y is computed from what is stored; else,
// and in the backward pass, from a dense matrix that lives for that product only.
import { autocastDtype, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'
import type { LinearLike } from './linear.ts'

/** A matrix [out, in] that is multiplied with as it is stored. */
export interface FrozenWeight extends Layer {
  /** [out, in] */
  readonly shape: readonly number[]
  /** x [..., in] → x·Wᵀ + bias [..., out] in the dtype of x. */
  multiply(x: Tensor, bias?: Tensor | null): Tensor
  /** The matrix in f32, as a tensor of its own. */
  dequantize(): Tensor
}

/** A linear layer whose matrix is a `FrozenWeight`. */
export abstract class FrozenLinear<W extends FrozenWeight = FrozenWeight> extends Layer implements LinearLike {
  readonly weight: W
  /** [outFeatures] or null */
  bias: Tensor | null

  constructor(weight: W, bias: Tensor | null = null) {
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
