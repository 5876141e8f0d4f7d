// LoftQ: quantization and a low-rank correction found together, so that a LoRA adapter starts where the quantized model lost.
// Paper: LoftQ, arXiv:2310.08659v4, Algorithm 1. R ← W; repeat T times: Q ← quantize(R), (A, B) ← SVD_r(W − Q), R ← W − B·A.
// Departs: the best of the T rounds is kept, since rounding with new scales need not come closer in every round; the product of the
// start values is divided by LoRA's scale α/r, so that any α starts at W; the SVD is a randomised one (Halko et al. 2011,
// arXiv:0909.4061, Algorithms 4.4 and 5.1), of which `oversampling: Infinity` is the full one.
// Shapes: W [out, in], A [r, in], B [out, r].
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'

/** LoftQ's rank and rounds. */
export interface LoftqOptions {
  /** r of the adapter; at most min(out, in) is used, the rest stays 0. */
  rank: number
  /** What LoRA multiplies B·A by: α/r, or α/√r with rsLoRA. Default 1. */
  scale?: number
  /** T. Default 5, as in the paper. */
  iterations?: number
  /** Directions beyond the rank that the randomised SVD looks at. Default 8. */
  oversampling?: number
  seed?: number
}

/** A quantized matrix and the adapter that makes up for a part of its error. */
export interface LoftqStart {
  base: QuantizedWeight
  /** [r, in] */
  A: Tensor
  /** [out, r] */
  B: Tensor
  /** ‖W − Q‖ without a correction, and ‖W − (Q + scale·B·A)‖ with it, both Frobenius. */
  before: number
  after: number
}

/** Stored base and start values of an adapter for one matrix; what is returned lives until it is freed. `quantize` is any quantizer. */
export function loftq(
  weight: Tensor,
  quantize: (matrix: Tensor) => QuantizedWeight,
  { rank, scale = 1, iterations = 5, oversampling = 8, seed = 0 }: LoftqOptions,
): LoftqStart {
  const generator = new Generator(seed)
  return noGrad(() =>
    scope(() => {
      const target = weight.to('f32')
      let best: LoftqStart | undefined
      let correction: Tensor | null = null // scale·B·A
      let before = 0
      for (let round = 0; round < iterations; round++) {
        const base = scope(() => quantize(correction === null ? target : target.sub(correction)))
        const { A, B, residue } = scope(() => {
          const lost = target.sub(base.dequantize())
          if (round === 0) before = lost.norm().item()
          const factors = leadingFactors(lost, rank, oversampling, generator)
          const product = factors.B.matmul(factors.A)
          return { ...factors, residue: lost.sub(product).norm(), product }
        })
        const after = residue.item()
        correction?.free()
        correction = scope(() => B.matmul(A)).keep()
        if (best !== undefined && best.after <= after) {
          base.free()
          continue
        }
        for (const old of best ? [best.base, best.A, best.B] : []) old.free()
        const half = 1 / Math.sqrt(scale)
        best = { base, A: A.mul(half).keep(), B: B.mul(half).keep(), before, after }
      }
      correction?.free()
      return best!
    }),
  )
}

/** U√S [out, r] and √S·Vᵀ [r, in] of the r largest singular values. */
function leadingFactors(
  matrix: Tensor,
  rank: number,
  oversampling: number,
  generator: Generator,
): { A: Tensor; B: Tensor } {
  const [rows = 0, columns = 0] = matrix.shape
  const least = Math.min(rows, columns)
  const width = Math.min(least, rank + oversampling)
  const range = width < least ? rangeOf(matrix, width, generator) : null // [out, width]
  const [left, values, right] = ops.svd(range === null ? matrix : range.t().matmul(matrix), false)
  const count = Math.min(rank, least)
  const roots = values.narrow(0, 0, count).sqrt()
  const B = (range === null ? left : range.matmul(left)).narrow(1, 0, count).mul(roots)
  const A = right.narrow(0, 0, count).mul(roots.unsqueeze(1))
  return { A: padded(A, 0, rank), B: padded(B, 1, rank) }
}

/** Orthonormal columns that span nearly all of the matrix's leading directions: two rounds of subspace iteration. */
function rangeOf(matrix: Tensor, width: number, generator: Generator): Tensor {
  const sketch = ops.normal_(ops.empty([matrix.size(1), width], 'f32'), 0, 1, generator).to(matrix.device)
  let [range] = ops.qr(matrix.matmul(sketch))
  for (let i = 0; i < 2; i++) {
    const [back] = ops.qr(matrix.t().matmul(range))
    range = ops.qr(matrix.matmul(back))[0]
  }
  return range
}

function padded(factor: Tensor, dim: number, size: number): Tensor {
  if (factor.size(dim) === size) return factor.contiguous()
  const shape = factor.shape
  shape[dim] = size - factor.size(dim)
  return ops.cat([factor, ops.zeros(shape, 'f32', null, factor.device)], dim)
}
