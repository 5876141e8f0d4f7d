// Gaussian process regression on a few dozen points: Matérn 5/2 × constant + noise, zero mean, on normalised values.
// Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): Algorithm 2.1 → fit, Eq. 4.17 → matern, Eq. 5.8 →
// likelihood. The constant has a closed form, so the marginal likelihood is maximised over two numbers, by a grid and a compass search:
// no random number, no start value to choose.

/** What a fitted process says of one point. */
export interface Prediction {
  mean: number
  /** Standard deviation of the function itself, without the noise of an observation. */
  deviation: number
}

export interface GaussianProcess {
  predict(x: readonly number[]): Prediction
  /** In units of the normalised values: variance of the function, length scale, variance of the noise. */
  readonly constant: number
  readonly lengthScale: number
  readonly noise: number
  /** ln p(values | points) of the normalised values. */
  readonly logLikelihood: number
}

/** Fixes what would otherwise be fitted. */
export interface Hyperparameters {
  constant: number
  lengthScale: number
  noise: number
}

/** Noise is at least this share of the constant: below it, the matrix is not positive definite in floating point. */
const LEAST_NOISE = 1e-8
const MOST_NOISE = 10

/** Fits a process to values at points (rows of equal length, at least one). */
export function fitGaussianProcess(
  points: readonly (readonly number[])[],
  values: readonly number[],
  fixed?: Hyperparameters,
): GaussianProcess {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count) || 1
  const normal = values.map((value) => (value - mean) / spread)
  const distances = points.map((a) => points.map((b) => distance(a, b)))

  const solveWith = (lengthScale: number, ratio: number): Solution | null =>
    solve(distances, normal, lengthScale, ratio)
  const [lengthScale, ratio] = fixed
    ? [fixed.lengthScale, fixed.noise / fixed.constant]
    : maximise((length, noise) => concentrated(solveWith(length, noise), count), typical(distances))
  const { factor, weights, quadratic, logDeterminant } = solveWith(lengthScale, ratio)!
  const constant = fixed?.constant ?? bestConstant(quadratic, count)
  return {
    constant,
    lengthScale,
    noise: ratio * constant,
    logLikelihood: -0.5 * (quadratic / constant + logDeterminant + count * Math.log(2 * Math.PI * constant)), // Eq. 5.8
    predict(x) {
      const near = points.map((point) => matern(distance(point, x) / lengthScale))
      const share = forward(factor, near)
      const variance = constant * Math.max(0, 1 - dot(share, share))
      return { mean: mean + spread * dot(near, weights), deviation: spread * Math.sqrt(variance) }
    },
  }
}

/** E max(0, best − f) for f ~ N(mean, deviation²): how much a point promises to improve on the least value so far. */
export function expectedImprovement({ mean, deviation }: Prediction, best: number): number {
  const gain = best - mean
  if (deviation === 0) return Math.max(0, gain)
  const z = gain / deviation
  return gain * normalCdf(z) + (deviation * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI)
}

/** Lower triangular L with L·Lᵀ = matrix, or null where the matrix is not positive definite. */
export function cholesky(matrix: readonly (readonly number[])[]): number[][] | null {
  const factor: number[][] = []
  for (const [i, row] of matrix.entries()) {
    const mine: number[] = []
    for (let j = 0; j < i; j++) {
      const other = factor[j]!
      let sum = row[j]!
      for (let k = 0; k < j; k++) sum -= mine[k]! * other[k]!
      mine.push(sum / other[j]!)
    }
    const rest = row[i]! - dot(mine, mine)
    if (!(rest > 0)) return null
    mine.push(Math.sqrt(rest))
    factor.push(mine)
  }
  return factor
}

/** Everything about M + ratio·I, where M has variance 1. */
interface Solution {
  factor: number[][]
  /** (M + ratio·I)⁻¹ y */
  weights: number[]
  /** yᵀ (M + ratio·I)⁻¹ y */
  quadratic: number
  logDeterminant: number
}

function solve(distances: number[][], y: number[], lengthScale: number, ratio: number): Solution | null {
  const matrix = distances.map((row, i) =>
    row.slice(0, i + 1).map((d, j) => matern(d / lengthScale) + (i === j ? ratio : 0)),
  )
  const factor = cholesky(matrix)
  if (factor === null) return null
  const half = forward(factor, y)
  return {
    factor,
    weights: backward(factor, half),
    quadratic: dot(half, half),
    logDeterminant: 2 * factor.reduce((sum, row, i) => sum + Math.log(row[i]!), 0),
  }
}

/** dL/dc = 0 gives c = yᵀ(M + ratio·I)⁻¹y / n. Values that are all the same would make it 0. */
function bestConstant(quadratic: number, count: number): number {
  return Math.max(quadratic / count, 1e-12)
}

/** The likelihood at the best constant, up to terms that do not change. */
function concentrated(solution: Solution | null, count: number): number {
  if (solution === null) return Number.NEGATIVE_INFINITY
  return -0.5 * (count * Math.log(bestConstant(solution.quadratic, count)) + solution.logDeterminant)
}

/** The (length scale, noise share) with the highest value: a grid over decades, then steps that halve, all in logarithms. */
function maximise(value: (lengthScale: number, ratio: number) => number, unit: number): [number, number] {
  const [lowest, highest] = [Math.log(LEAST_NOISE), Math.log(MOST_NOISE)]
  const at = ([a, b]: [number, number]): number => value(unit * Math.exp(a), Math.exp(b))
  let best: [number, number] = [0, lowest]
  let bestValue = at(best)
  const tryPoint = (a: number, b: number): boolean => {
    // Within e^±5 typical distances: beyond, points are all alike or have nothing to do with each other.
    const point: [number, number] = [Math.min(5, Math.max(-5, a)), Math.min(highest, Math.max(lowest, b))]
    const found = at(point)
    if (!(found > bestValue)) return false
    best = point
    bestValue = found
    return true
  }
  for (let a = -3; a <= 5; a += 1) for (let b = lowest; b <= highest; b += 2.3) tryPoint(a, b)
  for (let step = 1; step > 1e-4; ) {
    const [a, b] = best
    const moved = [
      [step, 0],
      [-step, 0],
      [0, step],
      [0, -step],
    ].map(([da, db]) => tryPoint(a + da!, b + db!))
    if (!moved.includes(true)) step /= 2
  }
  return [unit * Math.exp(best[0]), Math.exp(best[1])]
}

/** Matérn 5/2 of a distance in length scales. */
function matern(d: number): number {
  const s = Math.sqrt(5) * d
  return (1 + s + (s * s) / 3) * Math.exp(-s)
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0))
}

/** Mean distance between two points; 1 where there is none. */
function typical(distances: number[][]): number {
  const pairs = distances.flatMap((row, i) => row.slice(0, i))
  return pairs.reduce((sum, d) => sum + d, 0) / pairs.length || 1
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** L⁻¹ y */
function forward(factor: number[][], y: readonly number[]): number[] {
  const x: number[] = []
  for (const [i, row] of factor.entries()) {
    let sum = y[i]!
    for (let k = 0; k < i; k++) sum -= row[k]! * x[k]!
    x.push(sum / row[i]!)
  }
  return x
}

/** L⁻ᵀ y */
function backward(factor: number[][], y: readonly number[]): number[] {
  const x = [...y]
  for (let i = factor.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < factor.length; k++) x[i]! -= factor[k]![i]! * x[k]!
    x[i]! /= factor[i]![i]!
  }
  return x
}

/** Φ(z): a series near 0 and a continued fraction in the tails, to about 1e-12. */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  let tail: number
  if (x < 3) {
    let term = x
    let sum = x
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    tail = 0.5 - sum / Math.sqrt(Math.PI)
  } else {
    let fraction = x
    for (let n = 40; n >= 1; n--) fraction = x + n / 2 / fraction
    tail = Math.exp(-x * x) / (2 * Math.sqrt(Math.PI) * fraction)
  }
  return z > 0 ? 1 - tail : tail
}
