// GPTQ: columns are rounded one after the other, and what each loses is made up for by the columns that are still open, as far as the
// inputs seen in calibration allow.
// Paper: GPTQ, arXiv:2210.17323v2, Algorithm 1; damping of 1 % and blocks of 128 columns as there. Departs: scales are fixed before
// the first column (the largest number of each block, as for rounding), because blocks of 64 numbers may begin in one row and end in
// the next; inputs are those of the dense model, so that a matrix can be stored in every format before any assignment is chosen.
// Shapes: W [out, in], H = Σ xxᵀ [in, in] over calibration inputs x.
import { NonFiniteError } from '../../errors.ts'
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { blocksOf, encode, levelsOf, type NormalFloat, nearestCodes } from './normal-float-blocks.ts'

const DAMPING = 0.01
const COLUMNS = 128

/** Quantizes a matrix for the inputs whose second moment is `hessian`. */
export function gptq(weight: Tensor, hessian: Tensor, format: NormalFloat): QuantizedWeight {
  return noGrad(() =>
    scope(() => {
      const [rows = 0, columns = 0] = weight.shape
      const blocks = blocksOf(weight, format)
      const scales = ops.amax(blocks.abs(), [1])
      const perEntry = scales
        .unsqueeze(1)
        .expand(-1, blocks.size(1))
        .reshape(-1)
        .narrow(0, 0, rows * columns)
      const scaleOf = ops.clampMin(perEntry, 1e-12).view(rows, columns)
      const codes = roundColumns(weight.to('f32').clone(), scaleOf, inverseFactor(hessian), format)
      // The last block is filled up with code 0, which nothing reads.
      return encode(format, weight.shape, blocksOf(codes, format), scales)
    }),
  )
}

/** The codes [out, in], as f32, of W, which is used up. `factor`: upper triangular, [in, in]. */
function roundColumns(weight: Tensor, scales: Tensor, factor: Tensor, format: NormalFloat): Tensor {
  const columns = weight.size(1)
  const codes = ops.zerosLike(weight)
  for (let first = 0; first < columns; first += COLUMNS) {
    const count = Math.min(COLUMNS, columns - first)
    const errors = ops.zeros([weight.size(0), count], 'f32', null, weight.device)
    for (let i = 0; i < count; i++) {
      scope(() => {
        const at = first + i
        const column = weight.narrow(1, at, 1)
        const scale = scales.narrow(1, at, 1)
        const code = nearestCodes(column.div(scale), format)
        const error = column.sub(levelsOf(code, format).mul(scale)).div(factor.narrow(0, at, 1).narrow(1, at, 1))
        const rest = count - i
        const open = weight.narrow(1, at, rest)
        open.copy_(open.sub(error.matmul(factor.narrow(0, at, 1).narrow(1, at, rest))))
        codes.narrow(1, at, 1).copy_(code)
        errors.narrow(1, i, 1).copy_(error)
      })
    }
    const last = first + count
    if (last === columns) break
    scope(() => {
      const open = weight.narrow(1, last, columns - last)
      open.copy_(open.sub(errors.matmul(factor.narrow(0, first, count).narrow(1, last, columns - last))))
    })
  }
  return codes
}

/** The upper Cholesky factor of (H + λI)⁻¹, λ = 1 % of the mean diagonal. Inputs that never occur get the damping alone. */
function inverseFactor(hessian: Tensor): Tensor {
  return scope(() => {
    const matrix = hessian.to('f64')
    const size = matrix.size(0)
    const damping = matrix.mul(identity(size, matrix.device)).sum().div(size).mul(DAMPING)
    if (!(Number.isFinite(damping.item()) && damping.item() > 0))
      throw new NonFiniteError(
        `gptq: expected finite inputs that are not all 0, got a mean square of ${damping.item()}`,
      )
    const inverse = ops.choleskyInverse(ops.cholesky(matrix.add(identity(size, matrix.device).mul(damping))))
    return ops.cholesky(inverse, true).to('f32')
  })
}

function identity(size: number, device: string): Tensor {
  return ops.eye(size, 'f64', null, device)
}
