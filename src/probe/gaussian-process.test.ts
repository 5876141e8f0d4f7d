import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cholesky, expectedImprovement, fitGaussianProcess } from './gaussian-process.ts'

const QUERIES = [
  [0.5, 0.5],
  [3, 3],
  [1, 1],
]

// Goldens: scikit-learn 1.9.1, GaussianProcessRegressor(ConstantKernel * Matern(nu=2.5) + WhiteKernel, normalize_y=True). Its
// deviations are of observations: the noise is in them.
const SEVEN = {
  points: [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [2, 1],
    [1, 2],
    [2, 2.5],
  ],
  values: [3.0, 1.4, 2.1, 0.7, -0.2, 0.3, -1.0],
}
const TWELVE = {
  points: [
    [1.91, 0.81],
    [0.12, 0.05],
    [2.44, 2.74],
    [1.82, 2.19],
    [1.63, 2.81],
    [2.45, 0.01],
    [2.57, 0.1],
    [2.19, 0.53],
    [2.59, 1.62],
    [0.9, 1.27],
    [0.08, 0.37],
    [2.01, 1.94],
  ],
  values: [-0.294, 0.262, -0.238, 0.087, 0.679, -0.957, -0.981, -0.807, -0.423, 1.409, 0.292, -0.152],
}

const deviationOf = (values: number[]): number => {
  const mean = values.reduce((a, b) => a + b) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}

describe('fitGaussianProcess', () => {
  it('predicts as scikit-learn does at given hyper-parameters', () => {
    const { points, values } = SEVEN
    const process = fitGaussianProcess(points, values, { constant: 1.7, lengthScale: 1.3, noise: 1e-3 })
    expect(process.logLikelihood).toBeCloseTo(-8.04833247940049, 8)
    const noise = 1e-3 * deviationOf(values) ** 2
    const predicted = QUERIES.map((x) => process.predict(x))
    expect(predicted.map(({ mean }) => mean)).toBeAllclose([
      1.9727606534989652, -0.3616062119893845, 0.7006055724913028,
    ])
    expect(predicted.map(({ deviation }) => Math.sqrt(deviation ** 2 + noise))).toBeAllclose([
      0.435338997255139, 1.2716641633156525, 0.056827607073175385,
    ])
  })

  it('finds the hyper-parameters that scikit-learn finds', () => {
    const process = fitGaussianProcess(SEVEN.points, SEVEN.values)
    expect(process.logLikelihood).toBeCloseTo(-5.299563687377674, 6)
    expect(process.constant).toBeCloseTo(13.326, 1)
    expect(process.lengthScale).toBeCloseTo(7.831, 2)
    expect(process.noise).toBeCloseTo(0.011936, 5)
    expect(QUERIES.map((x) => process.predict(x).mean)).toBeAllclose(
      [1.799227582407413, -1.792787546646656, 0.8002633514083443],
      { relative: 1e-3 },
    )
    // Here scikit-learn stops at its lowest noise, 1e-6; ours is lower.
    const other = fitGaussianProcess(TWELVE.points, TWELVE.values)
    expect(other.logLikelihood).toBeGreaterThan(-9.671044)
    expect(other.logLikelihood).toBeCloseTo(-9.671044, 3)
    expect(QUERIES.map((x) => other.predict(x).mean)).toBeAllclose(
      [0.6213383231819063, -0.3307496604472473, 1.1626794466539268],
      { relative: 1e-3 },
    )
  })

  it('passes through what it has seen without noise, and knows nothing far away', () => {
    const process = fitGaussianProcess([[0], [1]], [1, 3], { constant: 1, lengthScale: 1, noise: 1e-8 })
    expect(process.predict([0]).mean).toBeCloseTo(1, 6)
    expect(process.predict([1]).deviation).toBeLessThan(1e-3)
    // Far away the prior: mean 2, deviation √1 times the spread of the values, 1.
    expect(process.predict([50]).mean).toBeCloseTo(2, 10)
    expect(process.predict([50]).deviation).toBeCloseTo(1, 10)
  })

  it('takes one point, equal points and equal values', () => {
    expect(fitGaussianProcess([[0, 1]], [5]).predict([3, 3]).mean).toBeCloseTo(5, 6)
    const same = fitGaussianProcess([[0], [0], [1]], [2, 2, 2]).predict([9])
    expect(same.mean).toBeCloseTo(2, 6)
    expect(Number.isFinite(same.deviation)).toBe(true)
    expect(fitGaussianProcess([[0], [0], [0]], [1, 2, 3]).predict([0]).mean).toBeCloseTo(2, 3)
  })
})

describe('cholesky', () => {
  it('multiplies back, and refuses what is not positive definite', () => {
    // [[4, 2], [2, 5]] = [[2, 0], [1, 2]] times its transpose.
    expect(
      cholesky([
        [4, 2],
        [2, 5],
      ]),
    ).toEqual([[2], [1, 2]])
    expect(
      cholesky([
        [1, 2],
        [2, 1],
      ]),
    ).toBe(null)
    const vectors = fc.array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 4, maxLength: 4 }), {
      minLength: 4,
      maxLength: 4,
    })
    fc.assert(
      fc.property(vectors, (rows) => {
        const gram = rows.map((a, i) => rows.map((b, j) => a.reduce((sum, x, k) => sum + x * b[k]!, i === j ? 0.1 : 0)))
        const factor = cholesky(gram)!
        const back = gram.map((_, i) =>
          gram.map((__, j) => factor[i]!.reduce((sum, x, k) => sum + x * (factor[j]![k] ?? 0), 0)),
        )
        expect(back.flat()).toBeAllclose(gram.flat(), { absolute: 1e-9 })
      }),
    )
  })
})

describe('expectedImprovement', () => {
  it('equals the closed form, in the tails too', () => {
    // scipy: (b − m)·norm.cdf(z) + s·norm.pdf(z)
    expect(expectedImprovement({ mean: 0, deviation: 1 }, 0)).toBeCloseTo(0.3989422804014327, 12)
    expect(expectedImprovement({ mean: 1, deviation: 0.5 }, 0.2)).toBeCloseTo(0.011620983980081392, 12)
    expect(expectedImprovement({ mean: -1, deviation: 0.3 }, 0)).toBeCloseTo(1.0000336233656906, 12)
    expect(expectedImprovement({ mean: 3, deviation: 0.5 }, 0)).toBeCloseTo(7.817848979855953e-11, 16)
    expect(expectedImprovement({ mean: 0, deviation: 1 }, -5)).toBeCloseTo(5.346165533833156e-8, 13)
    expect(expectedImprovement({ mean: 2, deviation: 0 }, 3)).toBe(1)
    expect(expectedImprovement({ mean: 4, deviation: 0 }, 3)).toBe(0)
  })
})
