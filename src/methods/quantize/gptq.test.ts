import { describe, expect, it } from 'vitest'
import { codebookValues } from '../../nn/quant/codebook.ts'
import { quantizeWeight } from '../../nn/quant/quantize-weight.ts'
import { Generator, ops, type Tensor } from '../../torch/index.ts'
import { gptq } from './gptq.ts'

/** U with UᵀU = (H + λI)⁻¹ and U upper triangular, λ = `damping` times the mean diagonal; by Gauss-Jordan and Cholesky in float64. */
function upperFactor(hessian: readonly number[], size: number, damping: number): number[][] {
  const mean = Array.from({ length: size }, (_, i) => hessian[i * size + i]!).reduce((a, b) => a + b) / size
  const left = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (__, j) => hessian[i * size + j]! + (i === j ? damping * mean : 0)),
  )
  const inverse = left.map((_, i) => left.map((__, j) => (i === j ? 1 : 0)))
  for (let i = 0; i < size; i++) {
    const pivot = left[i]![i]!
    for (const matrix of [left, inverse]) matrix[i] = matrix[i]!.map((value) => value / pivot)
    for (let row = 0; row < size; row++) {
      const times = left[row]![i]!
      if (row === i || times === 0) continue
      for (const matrix of [left, inverse]) for (let j = 0; j < size; j++) matrix[row]![j]! -= times * matrix[i]![j]!
    }
  }
  const upper = inverse.map((row) => row.map(() => 0))
  for (let i = 0; i < size; i++)
    for (let j = i; j < size; j++) {
      let sum = inverse[i]![j]!
      for (let k = 0; k < i; k++) sum -= upper[k]![i]! * upper[k]![j]!
      upper[i]![j] = i === j ? Math.sqrt(sum) : sum / upper[i]![i]!
    }
  return upper
}

const random = (shape: number[], seed: number): Tensor =>
  ops.normal_(ops.empty(shape, 'f32'), 0, 1, new Generator(seed))

describe('gptq', () => {
  it('is plain rounding for inputs that have nothing to do with each other', () => {
    const weight = random([24, 96], 1)
    const [ours, plain] = [gptq(weight, ops.eye(96, 'f32'), 'nf3'), quantizeWeight(weight, { format: 'nf3' })]
    expect(ours.dequantize().toArray()).toBeAllclose(plain.dequantize().toArray(), { absolute: 1e-6 })
    expect(ours.bytes).toBe(plain.bytes)
  })

  it('loses less of what comes out for inputs that go together, over blocks of columns too', () => {
    // 200 columns: more than one block of 128, and rows that share blocks of 64 numbers.
    const weight = random([16, 200], 2)
    const inputs = random([400, 20], 3)
      .matmul(random([20, 200], 4))
      .add(random([400, 200], 5).mul(0.3))
    const error = (stored: { dequantize(): Tensor }): number =>
      inputs.matmul(weight.sub(stored.dequantize()).t()).pow(2).sum().item()
    for (const format of ['nf2', 'nf3', 'nf4'] as const) {
      const ratio = error(gptq(weight, inputs.t().matmul(inputs), format)) / error(quantizeWeight(weight, { format }))
      expect(ratio).toBeLessThan(0.5)
    }
  })

  it('takes the codes of Algorithm 1 done column by column in float64, damped by 1 % of the mean diagonal', () => {
    const [rows, columns] = [16, 200]
    const weight = random([rows, columns], 8)
    // Correlated, and of full rank, so that the damping is what Algorithm 1 says and nothing more.
    const inputs = random([600, 12], 9)
      .matmul(random([12, columns], 10))
      .add(random([600, columns], 11).mul(0.2))
    const moment = inputs.t().matmul(inputs)
    const stored = gptq(weight, moment, 'nf3').dequantize().toArray()
    const levels = codebookValues('nf3')
    const w = weight.toArray()
    const scales = Array.from({ length: (rows * columns) / 64 }, (_, block) =>
      Math.max(...w.slice(64 * block, 64 * (block + 1)).map(Math.abs)),
    )
    const factor = upperFactor(moment.toArray(), columns, 0.01)
    const expected = new Array<number>(rows * columns)
    for (let i = 0; i < columns; i++)
      for (let row = 0; row < rows; row++) {
        const at = row * columns + i
        const scale = scales[at >> 6]!
        const nearest = levels.reduce((a, b) => (Math.abs(b * scale - w[at]!) < Math.abs(a * scale - w[at]!) ? b : a))
        expected[at] = nearest * scale
        const error = (w[at]! - expected[at]) / factor[i]![i]!
        for (let j = i + 1; j < columns; j++) w[row * columns + j]! -= error * factor[i]![j]!
      }
    // Float32 may decide a tie otherwise, and what follows in that row with it.
    const different = stored.filter((value, i) => Math.abs(value - expected[i]!) > 1e-5).length
    expect(different / stored.length).toBeLessThan(0.03)
  })

  it('takes inputs that never occur, and refuses inputs that are all 0 or not finite', () => {
    const inputs = random([50, 64], 6).mul(ops.gtScalar(ops.arange(0, 64, null, 'f32'), 9.5).to('f32'))
    const stored = gptq(random([8, 64], 7), inputs.t().matmul(inputs), 'nf4')
    expect(stored.dequantize().toArray().every(Number.isFinite)).toBe(true)
    expect(() => gptq(random([8, 64], 7), ops.zeros([64, 64], 'f32'), 'nf4')).toThrow('gptq: expected finite inputs')
    expect(() => gptq(random([8, 64], 7), ops.full([64, 64], Number.NaN, 'f32'), 'nf4')).toThrow('gptq')
  })
})
