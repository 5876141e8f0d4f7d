// y = x Wᵀ + b, and the interface of everything that acts as a weight matrix.
import { autocastDtype, ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'

/** Anything that acts as a weight matrix: `Linear`, a LoRA around one, a quantized one; they nest. */
export interface LinearLike extends Layer {
  readonly inFeatures: number
  readonly outFeatures: number
  /** [outFeatures] or null */
  readonly bias: Tensor | null
  /** x [..., inFeatures] → [..., outFeatures]. */
  forward(x: Tensor): Tensor
  /** The matrix it stands for, [outFeatures, inFeatures], as a tensor of its own. */
  dense(): Tensor
}

/** y = x Wᵀ + b: x [..., in], weight [out, in], bias [out] or none, y [..., out]. */
/** True for layers that act as a weight matrix. */
export function isLinearLike(layer: Layer): layer is LinearLike {
  return 'inFeatures' in layer && 'outFeatures' in layer && 'dense' in layer
}

/** A weight matrix as plain numbers: y = x Wᵀ + b. */
export class Linear extends Layer implements LinearLike {
  /** [outFeatures, inFeatures] */
  weight: Tensor
  /** [outFeatures] or null */
  bias: Tensor | null

  constructor(weight: Tensor, bias: Tensor | null = null) {
    super()
    this.weight = weight
    this.bias = bias
  }

  get inFeatures(): number {
    return this.weight.size(1)
  }
  get outFeatures(): number {
    return this.weight.size(0)
  }

  forward(x: Tensor): Tensor {
    const dtype = autocastDtype()
    if (dtype === null) return ops.linear(x, this.weight, this.bias)
    if (dtype === 'bf16') return ops.mixedLinear(x, this.weight, this.bias)
    return ops.linear(x.to(dtype), this.weight.to(dtype), this.bias?.to(dtype))
  }

  dense(): Tensor {
    return this.weight.alias()
  }
}
