import { describe, expect, it } from 'vitest'
import { checkpoint, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { cosine, gradientNorms, probeGradients, squaredDistance } from './gradients.ts'

const leaf = (values: number[]): Tensor => {
  const tensor = Tensor.from(values)
  tensor.requiresGrad = true
  return tensor
}

describe('probeGradients', () => {
  it('gives the gradients, also through a checkpoint and inside noGrad', () => {
    const [a, b, c] = [leaf([1, 2]), leaf([3, 4]), leaf([5])]
    const plain = (): Tensor => a.mul(b).sum()
    const found = probeGradients([a, b, c], null, plain)
    expect(found[0]).toBeAllclose([3, 4])
    expect(found[1]).toBeAllclose([1, 2])
    expect(found[2]).toBe(null)
    const cut = noGrad(() => probeGradients([a, b], null, () => checkpoint((x) => x.mul(b), a.mul(1)).sum()))
    expect(cut[0]).toBeAllclose([3, 4])
    expect(cut[1]).toBeAllclose([1, 2])
  })

  it('leaves gradients, random numbers and tensors as they were, also after an error', () => {
    const a = leaf([1, 2])
    a.grad = Tensor.from([7, 8])
    const generator = new Generator(3)
    const state = generator.getState()
    const noisy = (): Tensor =>
      ops
        .bernoulli_(ops.empty([2], 'f32'), 0.5, generator)
        .mul(a)
        .sum()
    const before = memoryStats().liveTensors
    const twice = scope(() => [0, 1].map(() => probeGradients([a], generator, noisy)[0]!.toArray()))
    expect(twice[0]).toEqual(twice[1])
    const failing = (): Tensor => {
      throw new Error('no loss')
    }
    expect(() => scope(() => probeGradients([a], generator, failing))).toThrow('no loss')
    expect(memoryStats().liveTensors).toBe(before)
    expect(generator.getState()).toEqual(state)
    expect(scope(() => a.grad!.toArray())).toEqual([7, 8])
  })
})

describe('statistics of gradients', () => {
  const a = [Tensor.from([3, 4]), null, Tensor.from([1])]
  const b = [Tensor.from([3, 0]), Tensor.from([2]), null]

  it('takes a missing gradient for zero', () => {
    expect(gradientNorms(a)).toEqual([5, 0, 1])
    expect(squaredDistance(a, b)).toBe(16 + 4 + 1)
    expect(cosine(a, b)).toBeCloseTo(9 / Math.sqrt(26 * 13), 12)
    expect(cosine(a, a)).toBeCloseTo(1, 12)
  })

  it('has no cosine of nothing', () => {
    expect(cosine([null], [Tensor.from([1])])).toBeNaN()
    expect(gradientNorms([null])).toEqual([0])
    expect(squaredDistance([null], [null])).toBe(0)
  })
})
