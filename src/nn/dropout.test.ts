import { describe, expect, it } from 'vitest'
import { backward, Generator, ops, Tensor } from '../torch/index.ts'
import { dropout } from './dropout.ts'

describe('dropout', () => {
  it('is the identity at rate 0 and without a generator', () => {
    const x = Tensor.from([1, 2])
    expect(dropout(x, 0, new Generator(1))).toBe(x)
    expect(dropout(x, 0.5, null)).toBe(x)
  })

  it('zeroes the given share and scales the rest so that the mean stays', () => {
    const count = 100_000
    for (const rate of [0.1, 0.5, 0.9]) {
      const values = dropout(ops.ones([count], 'f32'), rate, new Generator(1)).toArray()
      const zeroed = values.filter((value) => value === 0).length
      // Four standard deviations of a binomial count.
      expect(Math.abs(zeroed - rate * count)).toBeLessThan(4 * Math.sqrt(count * rate * (1 - rate)))
      expect(values.every((value) => value === 0 || Math.abs(value - 1 / (1 - rate)) < 1e-5)).toBe(true)
    }
  })

  it('leaves nothing at rate 1', () => {
    expect(dropout(Tensor.from([1, -2]), 1, new Generator(1))).toBeAllclose([0, 0])
  })

  it('draws the same mask from the same seed, another the next time', () => {
    const [a, b] = [new Generator(1), new Generator(1)]
    const x = ops.ones([64], 'f32')
    const first = dropout(x, 0.5, a).toArray()
    expect(dropout(x, 0.5, b).toArray()).toEqual(first)
    expect(dropout(x, 0.5, b).toArray()).not.toEqual(first)
  })

  it('passes the gradient through what was kept, and keeps the dtype', () => {
    const x = ops.ones([64], 'f32')
    x.requiresGrad = true
    const y = dropout(x, 0.5, new Generator(2))
    backward(y.sum())
    expect(x.grad!.toArray()).toEqual(y.toArray())
    expect(dropout(x.to('bf16'), 0.5, new Generator(2)).dtype).toBe('bf16')
  })
})
