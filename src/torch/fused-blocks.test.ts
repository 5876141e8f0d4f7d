// rms_norm, swiglu and rope (native/elementwise.cc); test/fused-formulas.ts says how.
import { afterEach, describe, expect, it } from 'vitest'
import {
  checkAgainstComposition,
  checkFiniteDifferences,
  evaluate,
  type Formula,
  random,
  relativeError,
} from '../../test/fused-formulas.ts'
import { ops, setThreads, Tensor } from './index.ts'

afterEach(() => setThreads(1))

describe('rms_norm', () => {
  const formula =
    (offset: number): Formula =>
    ({ x, weight }) =>
      ops.rmsNorm(x!, weight!, 1e-5, offset)
  it('is x / √(mean(x²) + eps) · (weight + offset)', () => {
    // mean(3², 4²) = 12.5
    const x = Tensor.from([3, 4])
    const root = Math.sqrt(12.5)
    expect(ops.rmsNorm(x, Tensor.from([1, 2]), 0)).toBeAllclose([3 / root, 8 / root])
    expect(ops.rmsNorm(x, Tensor.from([0, 1]), 0, 1)).toBeAllclose([3 / root, 8 / root])
    expect(ops.rmsNorm(Tensor.from([0, 0]), Tensor.from([1, 1]), 1e-6)).toBeAllclose([0, 0])
  })
  it('agrees with the composition and with finite differences', () => {
    for (const offset of [0, 1]) {
      for (const shape of [
        [1, 7],
        [3, 5, 33],
        [257, 64],
      ]) {
        const inputs = { x: random(shape, 1), weight: random(shape.slice(-1), 2) }
        checkAgainstComposition(formula(offset), inputs)
        checkFiniteDifferences(formula(offset), inputs)
      }
    }
  })
  it('reads inputs of any strides', () => {
    const inputs = { x: random([6, 4], 3), weight: random([6, 2], 4) }
    checkAgainstComposition(({ x, weight }) => ops.rmsNorm(x!.t(), weight!.select(1, 1), 1e-5), inputs)
  })
  it('has a gradient when only one of its inputs wants one', () => {
    const [x, weight] = [random([5, 8], 1).to('f32'), random([8], 2).to('f32')]
    const wanted = evaluate(formula(0), { x, weight }).grads
    expect(evaluate(({ x }) => ops.rmsNorm(x!, weight, 1e-5), { x }).grads.x!.toArray()).toEqual(wanted.x!.toArray())
    expect(evaluate(({ weight }) => ops.rmsNorm(x, weight!, 1e-5), { weight }).grads.weight!).toBeAllclose(
      wanted.weight!,
    )
  })
  it('takes no rows, keeps NaN in its row, and keeps the dtype', () => {
    checkAgainstComposition(formula(0), { x: random([0, 4], 1), weight: random([4], 2) })
    const y = ops.rmsNorm(Tensor.from([1, Number.NaN, 3, 4], [2, 2]), Tensor.from([1, 1]), 1e-6).toArray()
    expect(y.slice(0, 2)).toEqual([Number.NaN, Number.NaN])
    expect(y.slice(2).every(Number.isFinite)).toBe(true)
    expect(ops.rmsNorm(ops.ones([2, 4], 'bf16'), ops.ones([4], 'f32'), 1e-6).dtype).toBe('bf16')
  })
})

describe('swiglu', () => {
  const formula: Formula = ({ gate, up }) => ops.swiglu(gate!, up!)
  it('is gate · sigmoid(gate) · up', () => {
    expect(ops.swiglu(Tensor.from([0, 1, -2]), Tensor.from([5, 2, 3]))).toBeAllclose([
      0,
      2 / (1 + Math.exp(-1)),
      -6 / (1 + Math.exp(2)),
    ])
  })
  it('agrees with the composition and with finite differences', () => {
    for (const shape of [[1], [3, 5, 7], [130, 517]]) {
      const inputs = { gate: random(shape, 1, 3), up: random(shape, 2) }
      checkAgainstComposition(formula, inputs)
      checkFiniteDifferences(formula, inputs)
    }
  })
  it('reads inputs of any strides, and no rows', () => {
    checkAgainstComposition(({ both }) => ops.swiglu(both!.narrow(1, 0, 4), both!.narrow(1, 4, 4)), {
      both: random([6, 8], 3),
    })
    checkAgainstComposition(formula, { gate: random([0, 3], 1), up: random([0, 3], 2) })
  })
  it('saturates as the formula does and keeps NaN', () => {
    const x = Tensor.from([100, -100, 1e4, -1e4, Number.NaN, Number.POSITIVE_INFINITY])
    expect(ops.swiglu(x, ops.ones([6], 'f32'))).toBeAllclose([100, 0, 1e4, 0, Number.NaN, Number.POSITIVE_INFINITY], {
      absolute: 1e-30,
    })
  })
})

describe('rope', () => {
  const tables = (shape: number[]): { cos: Tensor; sin: Tensor } => {
    const angles = random(shape, 9, 2)
    return { cos: ops.cos(angles), sin: ops.sin(angles) }
  }
  const formula = (shape: number[]): Formula => {
    const exact = tables(shape)
    return ({ x }) => ops.rope(x!, exact.cos.to(x!.dtype), exact.sin.to(x!.dtype))
  }
  it('turns pairs (i, i + R) by the angle of their position', () => {
    // One head of 4 channels at two positions; R = 2; angle 90° for pair 0 and 0° for pair 1 at position 1.
    const x = Tensor.from([1, 2, 3, 4, 1, 2, 3, 4], [1, 2, 1, 4])
    const cos = Tensor.from([1, 1, 0, 1], [2, 2])
    const sin = Tensor.from([0, 0, 1, 0], [2, 2])
    expect(ops.rope(x, cos, sin)).toBeAllclose([1, 2, 3, 4, -3, 2, 1, 4])
  })
  it('agrees with the composition and with finite differences: full, partial, and with a table per row', () => {
    for (const table of [
      [5, 4],
      [5, 2],
      [1, 5, 4],
      [2, 5, 3],
    ]) {
      const inputs = { x: random([2, 5, 3, 8], 1) }
      checkAgainstComposition(formula(table), inputs)
      checkFiniteDifferences(formula(table), inputs)
    }
    checkAgainstComposition(formula([300, 32]), { x: random([1, 300, 4, 64], 2) })
  })
  it('reads inputs of any strides, and no rows', () => {
    const { cos, sin } = tables([5, 4])
    const turned: Formula = ({ x }) => ops.rope(x!.transpose(1, 2), cos.to(x!.dtype), sin.to(x!.dtype))
    checkAgainstComposition(turned, { x: random([2, 3, 5, 8], 1) })
    checkAgainstComposition(formula([5, 4]), { x: random([0, 5, 3, 8], 1) })
  })
  it('keeps half precision, with f32 tables', () => {
    const { cos, sin } = tables([5, 4])
    const x = random([2, 5, 3, 8], 1)
    const y = ops.rope(x.to('bf16'), cos.to('f32'), sin.to('f32'))
    expect(y.dtype).toBe('bf16')
    expect(relativeError(y, ops.rope(x, cos, sin))).toBeLessThan(0.01)
  })
  it('keeps the length of every pair', () => {
    const x = random([1, 5, 1, 8], 1).to('f32')
    const { cos, sin } = tables([5, 4])
    expect(ops.rope(x, cos.to('f32'), sin.to('f32')).norm().item()).toBeCloseTo(x.norm().item(), 5)
  })
})
