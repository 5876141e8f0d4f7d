// y = x Wᵀ + b with W stored in few bits and never trained: gradients go through to x. Where `inference` runs, integers are multiplied as
// such, x rounded to 8 bits with a scale for 32 numbers, and a row gets the same bits whatever rows are beside it; else, and in the backward
// pass, a dense matrix is made that lives for that product only (native/frozen.cc).
import { autocastDtype, ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'
import type { LinearLike } from './linear.ts'

/** A matrix [out, in] that is multiplied with as it is stored. */
export interface FrozenWeight extends Layer {
  /** [out, in] */
  readonly shape: readonly number[]
  /** What the operators read it from, and six numbers that say how: native/frozen.h. */
  readonly parts: readonly (Tensor | null)[]
  readonly layout: readonly number[]
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

  /** x [..., in] → [..., out] in the dtype of x, or in autocast's. */
  forward(x: Tensor): Tensor {
    const { parts, layout } = this.weight
    const dtype = autocastDtype()
    if (dtype === null) return ops.frozenLinear(x, this.bias, null, parts, layout)
    return ops.frozenLinear(x.to(dtype), this.bias?.to(dtype), null, parts, layout)
  }

  /** The dequantized matrix, in f32. */
  dense(): Tensor {
    return this.weight.dequantize()
  }
}
