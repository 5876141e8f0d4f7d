import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.ts'
import { Generator, hasOp, noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { AdamW, type AdamWOptions } from './adamw.ts'

type Options = AdamWOptions & { fused?: boolean; rateOf?: (name: string) => number }

/** A matrix and a vector with given values, and an optimizer over them. */
function makePair(options: Options = {}) {
  const matrix = Tensor.from([1, -2, 3, -4], [2, 2])
  const vector = Tensor.from([0.5, -0.5])
  for (const tensor of [matrix, vector]) tensor.requiresGrad = true
  return {
    matrix,
    vector,
    optimizer: new AdamW(
      [
        ['matrix', matrix],
        ['vector', vector],
      ],
      options,
    ),
  }
}

const stateOf = (optimizer: AdamW): Record<string, number[]> =>
  Object.fromEntries(Array.from(optimizer.state(), ([name, tensor]) => [name, tensor.toArray()]))

// LibTorch before 2.4 has no fused kernel for the CPU.
const hasFused = hasOp('aten::_fused_adamw_')

describe.each(hasFused ? [true, false] : [false])('AdamW, fused: %s', (fused) => {
  it('makes the first two steps of the formula', () => {
    // Loshchilov & Hutter 2019, Algorithm 2, by hand for one weight: w = 2, g = 0.5 then −1, lr = 0.1, β = (0.9, 0.99), λ = 0.2.
    let [w, m, v] = [2, 0, 0]
    for (const [i, g] of [0.5, -1].entries()) {
      w -= 0.1 * 0.2 * w
      m = 0.9 * m + 0.1 * g
      v = 0.99 * v + 0.01 * g * g
      w -= (0.1 * (m / (1 - 0.9 ** (i + 1)))) / (Math.sqrt(v / (1 - 0.99 ** (i + 1))) + 1e-8)
    }
    const weight = Tensor.from([2], [1, 1])
    weight.requiresGrad = true
    const optimizer = new AdamW([['w', weight]], { beta2: 0.99, weightDecay: 0.2, fused })
    for (const g of [0.5, -1]) {
      weight.grad = Tensor.from([g], [1, 1])
      noGrad(() => optimizer.step(0.1))
    }
    expect(weight.detach()).toBeAllclose([w])
    expect(stateOf(optimizer)['w.exp_avg']).toBeAllclose([m])
    expect(stateOf(optimizer)['w.exp_avg_sq']).toBeAllclose([v])
    expect(stateOf(optimizer)['w.step']).toEqual([2])
  })

  it('decays matrices and leaves vectors as they are', () => {
    const { matrix, vector, optimizer } = makePair({ weightDecay: 0.5, fused })
    matrix.grad = ops.zerosLike(matrix.detach())
    vector.grad = ops.zerosLike(vector.detach())
    noGrad(() => optimizer.step(0.1))
    expect(matrix.detach()).toBeAllclose([0.95, -1.9, 2.85, -3.8])
    expect(vector.toArray()).toEqual([0.5, -0.5])
  })

  it('leaves a parameter without a gradient alone: value, moments and count', () => {
    const { matrix, vector, optimizer } = makePair({ weightDecay: 0.5, fused })
    matrix.grad = Tensor.from([1, 1, 1, 1], [2, 2])
    vector.grad = Tensor.from([1, 1])
    noGrad(() => optimizer.step(0.1))
    const before: Record<string, number[]> = { ...stateOf(optimizer), value: vector.toArray() }
    optimizer.zeroGrad()
    matrix.grad = Tensor.from([1, 1, 1, 1], [2, 2])
    noGrad(() => optimizer.step(0.1))
    const after: Record<string, number[]> = { ...stateOf(optimizer), value: vector.toArray() }
    for (const name of ['vector.exp_avg', 'vector.exp_avg_sq', 'vector.step', 'value'])
      expect(after[name]).toEqual(before[name])
    expect(after['matrix.step']).toEqual([2])
  })

  it('clips by scaling the gradients, which is the same as scaling them before', () => {
    const [clipped, plain] = [makePair({ fused }), makePair({ fused })]
    clipped.matrix.grad = Tensor.from([4, -8, 2, 6], [2, 2])
    plain.matrix.grad = Tensor.from([1, -2, 0.5, 1.5], [2, 2])
    noGrad(() => clipped.optimizer.step(0.1, 0.25))
    noGrad(() => plain.optimizer.step(0.1))
    expect(stateOf(clipped.optimizer)['matrix.exp_avg']).toBeAllclose(stateOf(plain.optimizer)['matrix.exp_avg']!)
    expect(clipped.matrix.detach()).toBeAllclose(plain.matrix.detach())
  })

  it('multiplies the rate of chosen parameters', () => {
    const { matrix, vector, optimizer } = makePair({ fused, rateOf: (name) => (name === 'vector' ? 16 : 1) })
    matrix.grad = Tensor.from([1, 1, 1, 1], [2, 2])
    vector.grad = Tensor.from([1, 1])
    noGrad(() => optimizer.step(0.01))
    // The first step of Adam is the rate, whatever the gradient's size.
    expect(matrix.detach()).toBeAllclose([0.99, -2.01, 2.99, -4.01])
    expect(vector.detach()).toBeAllclose([0.34, -0.66])
  })
})

describe('AdamW', () => {
  it.skipIf(!hasFused)('gives the same weights fused and composed', () => {
    const generator = new Generator(5)
    const gradients = Array.from({ length: 30 }, () => ops.normal_(ops.empty([7, 9], 'f32'), 0, 2, generator))
    const [fused, composed] = [true, false].map((isFused) => {
      const weight = ops.ones([7, 9])
      weight.requiresGrad = true
      const optimizer = new AdamW([['w', weight]], { weightDecay: 0.1, beta2: 0.95, fused: isFused })
      for (const [i, gradient] of gradients.entries()) {
        weight.grad = gradient.clone()
        noGrad(() => optimizer.step(0.01, i % 3 === 0 ? 0.3 : 1))
      }
      return weight.toArray()
    })
    expect(fused!).toBeAllclose(composed!, { absolute: 1e-6 })
  })

  it('gives the norm over all gradients, and 0 without any', () => {
    const { matrix, vector, optimizer } = makePair()
    expect(optimizer.gradientNorm().item()).toBe(0)
    matrix.grad = Tensor.from([1, 2, 4, 2], [2, 2])
    vector.grad = Tensor.from([10, 10])
    expect(optimizer.gradientNorm().item()).toBe(15)
    vector.grad = Tensor.from([Number.NaN, 0])
    expect(optimizer.gradientNorm().item()).toBeNaN()
  })

  it('goes on from a restored state as if it had never stopped', () => {
    const [one, other] = [makePair(), makePair()]
    const step = ({ matrix, optimizer }: typeof one, value: number): void => {
      matrix.grad = Tensor.from([value, 1, -value, 2], [2, 2])
      noGrad(() => optimizer.step(0.1))
    }
    step(one, 3)
    const saved = new Map(Array.from(one.optimizer.state(), ([name, tensor]) => [name, tensor.clone()]))
    noGrad(() => other.matrix.detach().copy_(one.matrix))
    other.optimizer.restore((name) => saved.get(name))
    for (const pair of [one, other]) step(pair, -5)
    expect(other.matrix.toArray()).toEqual(one.matrix.toArray())
  })

  it('refuses the state of another model', () => {
    const { optimizer } = makePair()
    expect(() => optimizer.restore(() => undefined)).toThrow(CheckpointError)
    expect(() => optimizer.restore(() => Tensor.from([1, 2, 3]))).toThrow(
      'optimizer state: expected matrix.exp_avg [2,2], got [3]. The checkpoint is of another model',
    )
  })

  it('frees its moments', () => {
    const { optimizer } = makePair()
    const [[, mean]] = [...optimizer.state()] as [[string, Tensor]]
    optimizer.free()
    expect(mean.handle).toBe(0)
    scope(() => optimizer.zeroGrad())
  })
})
