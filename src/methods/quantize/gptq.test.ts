import { describe, expect, it } from 'vitest'
import { quantizeWeight } from '../../nn/quant/quantize-weight.ts'
import { Generator, ops, type Tensor } from '../../torch/index.ts'
import { gptq } from './gptq.ts'

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

  it('takes inputs that never occur, and refuses inputs that are all 0 or not finite', () => {
    const inputs = random([50, 64], 6).mul(ops.gtScalar(ops.arange(0, 64, null, 'f32'), 9.5).to('f32'))
    const stored = gptq(random([8, 64], 7), inputs.t().matmul(inputs), 'nf4')
    expect(stored.dequantize().toArray().every(Number.isFinite)).toBe(true)
    expect(() => gptq(random([8, 64], 7), ops.zeros([64, 64], 'f32'), 'nf4')).toThrow('gptq: expected finite inputs')
    expect(() => gptq(random([8, 64], 7), ops.full([64, 64], Number.NaN, 'f32'), 'nf4')).toThrow('gptq')
  })
})
