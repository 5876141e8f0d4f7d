import { describe, expect, it } from 'vitest'
import { NativeError } from '../errors.ts'
import { backward, enableGrad, gradients, isGradEnabled, noGrad, ops, Tensor } from './index.ts'

const leaf = (values: number[], shape = [values.length]): Tensor => {
  const tensor = Tensor.from(values, shape)
  tensor.requiresGrad = true
  return tensor
}

describe('backward', () => {
  it('gives the derivative of a formula', () => {
    // y = Σ x² · w; dy/dx = 2xw, dy/dw = x²
    const [x, w] = [leaf([1, 2, 3]), leaf([4, 5, 6])]
    backward(x.mul(x).mul(w).sum())
    expect(x.grad!).toBeAllclose([8, 20, 36])
    expect(w.grad!).toBeAllclose([1, 4, 9])
  })

  it('accumulates until the gradient is set to null', () => {
    const x = leaf([2])
    backward(x.mul(3).sum())
    backward(x.mul(4).sum())
    expect(x.grad!.item()).toBe(7)
    x.grad = null
    expect(x.grad).toBe(null)
    x.grad = Tensor.from([10])
    backward(x.mul(1).sum())
    expect(x.grad.item()).toBe(11)
  })

  it('takes the gradient of an output that is no scalar', () => {
    const x = leaf([1, 2])
    backward(x.mul(10), Tensor.from([1, -1]))
    expect(x.grad!).toBeAllclose([10, -10])
    expect(() => backward(leaf([1, 2]).mul(2))).toThrow(NativeError)
  })

  it('walks a graph twice only when it is retained', () => {
    const x = leaf([3])
    const y = x.mul(x).sum()
    backward(y, undefined, { retainGraph: true })
    backward(y)
    expect(x.grad!.item()).toBe(12)
    expect(() => backward(y)).toThrow(/second time/)
  })

  it('does nothing for an output without a graph', () => {
    expect(() => backward(Tensor.from([1]).sum())).not.toThrow()
  })

  it('agrees with hand-derived softmax cross-entropy', () => {
    // −log softmax(0, ln 3)[0] = ln 4; gradient p − onehot = (1/4 − 1, 3/4)
    const logits = leaf([0, Math.log(3)])
    const loss = logits.logSoftmax().select(0, 0).neg()
    expect(loss.item()).toBeCloseTo(Math.log(4), 6)
    backward(loss)
    expect(logits.grad!).toBeAllclose([-0.75, 0.75])
  })
})

describe('gradients', () => {
  it('leaves .grad alone and gives null where an input took no part', () => {
    const [x, unused] = [leaf([2]), leaf([1])]
    const [dx, none] = gradients([x.pow(3).sum()], [x, unused])
    expect(dx!.item()).toBe(12)
    expect(none).toBe(null)
    expect(x.grad).toBe(null)
  })

  it('is differentiable with createGraph', () => {
    // y = x³: y' = 3x², y'' = 6x
    const x = leaf([2])
    const [first] = gradients([x.pow(3).sum()], [x], { createGraph: true })
    const [second] = gradients([first!.sum()], [x])
    expect(second!.item()).toBe(12)
  })

  it('refuses a second derivative of a fused operator instead of giving zero', () => {
    const x = leaf([1, 2, 3, 4], [1, 4])
    const y = ops
      .rmsNorm(x, Tensor.from([1, 1, 1, 1]), 1e-6)
      .pow(2)
      .sum()
    expect(() => gradients([y], [x], { createGraph: true })).toThrow(/rms_norm has no second derivative/)
  })
})

describe('gradient mode', () => {
  it('records nothing inside noGrad and again inside enableGrad', () => {
    const x = leaf([1])
    expect(isGradEnabled()).toBe(true)
    noGrad(() => {
      expect(isGradEnabled()).toBe(false)
      expect(x.mul(2).requiresGrad).toBe(false)
      expect(enableGrad(() => x.mul(2).requiresGrad)).toBe(true)
      expect(isGradEnabled()).toBe(false)
    })
    expect(x.mul(2).requiresGrad).toBe(true)
    expect(x.mul(2).isLeaf).toBe(false)
    expect(x.mul(2).detach().requiresGrad).toBe(false)
  })

  it('is restored when the body throws', () => {
    const fail = (): never => {
      throw new Error('boom')
    }
    expect(() => noGrad(fail)).toThrow('boom')
    expect(isGradEnabled()).toBe(true)
    expect(() => noGrad(() => enableGrad(fail))).toThrow('boom')
    expect(isGradEnabled()).toBe(true)
    expect(() => noGrad(() => ops.ones([2]).matmul(ops.ones([3])))).toThrow(NativeError)
    expect(isGradEnabled()).toBe(true)
  })

  it('refuses a gradient for integers', () => {
    expect(() => {
      Tensor.from([1], [1], 'i64').requiresGrad = true
    }).toThrow(NativeError)
  })
})
