import { describe, expect, it } from 'vitest'
import { quantizeWeight } from '../../nn/quant/quantize-weight.ts'
import { Generator, memoryStats, ops, scope, type Tensor } from '../../torch/index.ts'
import { type LoftqStart, loftq } from './loftq.ts'

const matrix = (rows: number, columns: number, seed = 1): Tensor =>
  ops.normal_(ops.empty([rows, columns], 'f32'), 0, 0.1, new Generator(seed))

const rounded = (weight: Tensor): ReturnType<typeof quantizeWeight> => quantizeWeight(weight, { format: 'nf2' })

function free({ base, A, B }: LoftqStart): void {
  for (const tensor of [base, A, B]) tensor.free()
}

describe('loftq', () => {
  it('comes strictly closer than quantization alone, and no further away with more rounds', () => {
    const weight = matrix(96, 80)
    for (const format of ['nf2', 'nf3', 'nf4'] as const) {
      const errors = [1, 2, 3, 5].map((iterations) => {
        const start = loftq(weight, (w) => quantizeWeight(w, { format }), { rank: 8, iterations })
        const { base, A, B, before, after } = start
        scope(() => {
          // What is reported is what is there.
          expect(weight.sub(base.dequantize()).sub(B.matmul(A)).norm().item()).toBeCloseTo(after, 4)
          expect(weight.sub(quantizeWeight(weight, { format }).dequantize()).norm().item()).toBeCloseTo(before, 4)
        })
        free(start)
        expect(after).toBeLessThan(0.95 * before)
        return after
      })
      expect(errors).toEqual(errors.toSorted((a, b) => b - a))
    }
  })

  it('is the best correction of its rank after one round: what is left are the other singular values', () => {
    const weight = matrix(24, 40)
    const lost = weight.sub(rounded(weight).dequantize())
    const values = ops.svd(lost, false)[1].toArray()
    const start = loftq(weight, rounded, { rank: 4, iterations: 1, oversampling: Number.POSITIVE_INFINITY })
    expect(start.after).toBeCloseTo(Math.sqrt(values.slice(4).reduce((sum, s) => sum + s * s, 0)), 4)
    const sketched = loftq(weight, rounded, { rank: 4, iterations: 1 })
    expect(sketched.after / start.after).toBeLessThan(1.01)
    expect(sketched.after / start.after).toBeGreaterThan(0.9999)
    free(start)
    free(sketched)
  })

  it('starts at the same matrix whatever LoRA scales by', () => {
    const weight = matrix(32, 32)
    const products = [1, 2, 0.25].map((scale) => {
      const start = loftq(weight, rounded, { rank: 4, scale })
      const product = start.B.matmul(start.A).mul(scale).toArray()
      free(start)
      return product
    })
    expect(products[1]).toBeAllclose(products[0]!, { absolute: 1e-6 })
    expect(products[2]).toBeAllclose(products[0]!, { absolute: 1e-6 })
  })

  it('fills up a rank that the matrix does not have, and then misses nothing', () => {
    const weight = matrix(6, 64)
    const start = loftq(weight, rounded, { rank: 10, iterations: 1 })
    expect([start.A.shape, start.B.shape]).toEqual([
      [10, 64],
      [6, 10],
    ])
    expect(start.after).toBeLessThan(1e-5)
    free(start)
  })

  it('leaves no tensor behind', () => {
    const weight = matrix(64, 64)
    free(loftq(weight, rounded, { rank: 4 }))
    const before = memoryStats().liveTensors
    free(loftq(weight, rounded, { rank: 4 }))
    expect(memoryStats().liveTensors).toBe(before)
  })
})
