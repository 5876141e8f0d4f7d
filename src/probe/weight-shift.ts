// How far training has moved a weight, in the measures of SnakModel's analysis (Zhang et al., NoDaLiDa 2025, §5): the mean change of a number,
// the angles between what the matrix spans before and after, and how far each token's embedding has gone.
import { UsageError } from '../errors.ts'
import { noGrad, ops, scope, type Tensor } from '../torch/index.ts'

/** One weight before and after. */
export interface WeightShift {
  /** Mean of |W − W′|. */
  meanAbs: number
  /** ‖W′ − W‖ / ‖W‖ (Frobenius); null where W is zero. */
  relative: number | null
  /**
   * Mean principal angle between the column spaces, in degrees. Null for vectors and for matrices [m, n] with m ≤ n, which span
   * everything before and after: the measure says nothing of them.
   */
  angle: number | null
  /** The same between the spaces of the `topK` strongest left singular vectors, which tells something of every matrix. Null for vectors. */
  topAngle: number | null
}

/** How much is measured. */
export interface WeightShiftOptions {
  /** Singular vectors of `topAngle`; default 16, at most half of what there are. */
  topK?: number
  /** False: no angles, whose decompositions take long for large matrices. */
  angles?: boolean
}

/**
 * Compares weights of one shape, [n] or [m, n].
 *
 * @example
 * weightShift(base.parameter, trained.parameter).meanAbs
 */
export function weightShift(
  before: Tensor,
  after: Tensor,
  { topK = 16, angles = true }: WeightShiftOptions = {},
): WeightShift {
  if (before.shape.join() !== after.shape.join())
    throw new UsageError(`weights: expected one shape, got [${before.shape}] and [${after.shape}]`)
  return noGrad(() =>
    scope(() => {
      const [a, b] = [before.to('f64'), after.to('f64')]
      const change = b.sub(a)
      const norm = a.norm().item()
      const [rows = 0, columns = 0] = a.shape
      const isMatrix = a.dim === 2 && angles && rows > 0 && columns > 0
      // One value is a direction; half of what there are, so that there is something outside.
      const count = Math.min(topK, Math.floor(Math.min(rows, columns) / 2))
      return {
        meanAbs: change.abs().mean().item(),
        relative: norm === 0 ? null : change.norm().item() / norm,
        angle: isMatrix && rows > columns ? meanAngle(ops.qr(a)[0], ops.qr(b)[0]) : null,
        topAngle: isMatrix && count > 0 ? meanAngle(strongest(a, count), strongest(b, count)) : null,
      }
    }),
  )
}

/** The `count` strongest left singular vectors, [m, count]. */
function strongest(matrix: Tensor, count: number): Tensor {
  return ops.svd(matrix, false)[0].narrow(1, 0, count)
}

/** Mean principal angle in degrees between the spans of orthonormal columns, [m, k] each (Björck and Golub, 1973: small ones by their sines). */
function meanAngle(a: Tensor, b: Tensor): number {
  const inner = a.transpose(0, 1).matmul(b) // [k, k]
  const cosines = ops.svd(inner, false)[1].toArray()
  const sines = ops.svd(b.sub(a.matmul(inner)), false)[1].toArray()
  // Cosines fall and sines fall: the largest angle has the least cosine and the greatest sine.
  const limit = (value: number): number => Math.min(1, Math.max(-1, value))
  const radians = cosines.map((cosine, i) =>
    cosine ** 2 < 0.5 ? Math.acos(limit(cosine)) : Math.asin(limit(sines[cosines.length - 1 - i]!)),
  )
  return (radians.reduce((sum, angle) => sum + angle, 0) / radians.length) * (180 / Math.PI)
}

/** How far the rows of an embedding have gone. */
export interface RowShift {
  /** Σ |E − E′| of each row. */
  rows: Float64Array
  least: number
  mean: number
  most: number
  /** Share of rows above the mean, and of rows that moved at all. */
  aboveMean: number
  moved: number
}

/** Of an embedding [V, D] before and after, token by token. */
export function rowShift(before: Tensor, after: Tensor): RowShift {
  if (before.dim !== 2 || before.shape.join() !== after.shape.join())
    throw new UsageError(`embeddings: expected one shape [V, D], got [${before.shape}] and [${after.shape}]`)
  const rows = noGrad(() =>
    scope(() => Float64Array.from(after.to('f64').sub(before.to('f64')).abs().sum([1], false).toArray())),
  )
  const mean = rows.reduce((sum, value) => sum + value, 0) / rows.length
  const share = (test: (value: number) => boolean): number => rows.filter(test).length / rows.length
  return {
    rows,
    least: rows.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    mean,
    most: rows.reduce((a, b) => Math.max(a, b), 0),
    aboveMean: share((value) => value > mean),
    moved: share((value) => value > 0),
  }
}
