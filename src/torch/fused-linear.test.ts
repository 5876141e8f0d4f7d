// linear, lora_linear and scale_gradient (native/linear.cc); test/fused-formulas.ts says how.
import { afterEach, describe, expect, it } from 'vitest'
import {
  checkAgainstComposition,
  checkFiniteDifferences,
  evaluate,
  type Formula,
  type Inputs,
  random,
  relativeError,
} from '../../test/fused-formulas.ts'
import { inference, ops, scope, setThreads, Tensor } from './index.ts'

afterEach(() => setThreads(1))

describe('linear', () => {
  const composed = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
    const y = x.matmul(weight.t())
    return bias === undefined ? y : y.add(bias)
  }
  it('agrees with a product of matrices for one row to eighteen', () => {
    inference(() => {
      for (const [inputs, outputs] of [
        [1, 1],
        [7, 33],
        [576, 1536],
        [1000, 3],
      ] as const) {
        const [weight, bias] = [random([outputs, inputs], 2), random([outputs], 3)]
        for (const shape of [
          [inputs],
          [1, inputs],
          [2, inputs],
          [3, 1, inputs],
          [2, 2, inputs],
          [5, inputs],
          [16, inputs],
          [18, inputs],
        ]) {
          const x = random(shape, 1)
          for (const b of [undefined, bias]) {
            const ours = ops.linear(x.to('f32'), weight.to('f32'), b?.to('f32'))
            expect(relativeError(ours, composed(x, weight, b))).toBeLessThan(1e-5)
          }
        }
      }
    })
  })
  it('gives a row the same bits whatever rows are beside it, and with any number of threads', () => {
    inference(() => {
      // Odd widths, one tile and several, more than one panel of inputs, outputs that fill no block.
      for (const [inputs, outputs] of [
        [7, 33],
        [100, 5],
        [576, 129],
        [1040, 12],
        [2100, 7],
      ] as const) {
        const [x, weight, bias] = [random([200, inputs], 1), random([outputs, inputs], 2), random([outputs], 3)]
        for (const dtype of ['f32', 'bf16'] as const) {
          const w = weight.to('f32').to(dtype)
          const [rows, b, residual] = [x.to('f32'), bias.to('f32'), random([200, outputs], 4).to('f32')]
          const y = (first: number, count: number): number[] =>
            scope(() => ops.linear(rows.narrow(0, first, count), w, b, residual.narrow(0, first, count)).toArray())
          setThreads(1)
          const alone = Array.from({ length: 200 }, (_, row) => y(row, 1)).flat()
          for (const count of [1, 2, 3, 4, 5, 7, 16, 17, 31, 64, 200])
            for (const threads of [1, 2, 3]) {
              setThreads(threads)
              // Not from the first row on: a row may lie anywhere.
              const first = Math.min(3, 200 - count)
              expect(y(first, count), `${inputs} to ${outputs}, ${count} rows`).toEqual(
                alone.slice(first * outputs, (first + count) * outputs),
              )
            }
        }
      }
    })
  })
  it('agrees with f64 for many rows, weights of half precision, a bias and a residual', () => {
    inference(() => {
      for (const [rows, inputs, outputs] of [
        [17, 576, 100],
        [300, 1100, 131],
        [3, 31, 13],
      ] as const) {
        const [x, bias, residual] = [random([rows, inputs], 1), random([outputs], 3), random([rows, outputs], 4)]
        for (const dtype of ['f32', 'bf16'] as const) {
          const weight = random([outputs, inputs], 2).to('f32').to(dtype)
          const wanted = composed(x.to('f32').to('f64'), weight.to('f64'), bias).add(residual)
          const ours = ops.linear(x.to('f32'), weight, bias.to('f32'), residual.to('f32'))
          expect(ours.dtype).toBe('f32')
          expect(relativeError(ours, wanted)).toBeLessThan(1e-6)
          const half = ops.linear(x.to('bf16'), weight.to('bf16'), bias.to('bf16'), residual.to('bf16'))
          expect(half.dtype).toBe('bf16')
          expect(relativeError(half, wanted)).toBeLessThan(0.01)
        }
      }
    })
  })
  it('adds a residual where gradients are recorded', () => {
    const formula: Formula = ({ x, weight, bias, residual }) => ops.linear(x!, weight!, bias!, residual!)
    const inputs = {
      x: random([2, 6], 1),
      weight: random([5, 6], 2),
      bias: random([5], 3),
      residual: random([2, 5], 4),
    }
    checkAgainstComposition(formula, inputs)
    checkFiniteDifferences(formula, inputs)
    const x = inputs.x.to('f32')
    expect(() => inference(() => ops.linear(x, inputs.weight.to('f32'), null, x))).toThrow(/expected a residual like y/)
  })
  it('reads rows and weights of any strides', () => {
    inference(() => {
      const [x, weight, bias] = [random([8, 2], 1), random([8, 5], 2), random([5, 2], 3)]
      const ours = ops.linear(x.to('f32').t(), weight.to('f32').t(), bias.to('f32').select(1, 0))
      expect(relativeError(ours, composed(x.t(), weight.t(), bias.select(1, 0)))).toBeLessThan(1e-5)
      const few = ops.linear(x.to('f32').t(), weight.to('f32').t().contiguous(), bias.to('f32').select(1, 1))
      expect(relativeError(few, composed(x.t(), weight.t(), bias.select(1, 1)))).toBeLessThan(1e-5)
    })
  })
  it('has gradients for few rows, too', () => {
    const formula: Formula = ({ x, weight, bias }) => ops.linear(x!, weight!, bias!)
    const inputs = { x: random([2, 6], 1), weight: random([5, 6], 2), bias: random([5], 3) }
    checkAgainstComposition(formula, inputs)
    checkFiniteDifferences(formula, inputs)
    const frozen = { weight: inputs.weight.to('f32'), x: inputs.x.to('f32') }
    const onlyBias = evaluate(({ bias }) => formula({ ...frozen, bias: bias! }), { bias: inputs.bias.to('f32') })
    expect(relativeError(onlyBias.grads.bias!, evaluate(formula, inputs).grads.bias!)).toBeLessThan(1e-5)
  })
  it('computes in bf16 and f64, and no rows', () => {
    const [x, weight] = [random([2, 64], 1), random([8, 64], 2)]
    const half = ops.linear(x.to('bf16'), weight.to('bf16'))
    expect(half.dtype).toBe('bf16')
    expect(relativeError(half, composed(x, weight))).toBeLessThan(0.02)
    expect(relativeError(ops.linear(x, weight), composed(x, weight))).toBeLessThan(1e-12)
    expect(ops.linear(ops.zeros([0, 64], 'f64'), weight).shape).toEqual([0, 8])
  })
  it('keeps NaN in its row', () => {
    const y = inference(() => ops.linear(Tensor.from([1, Number.NaN, 1, 1], [2, 2]), ops.ones([3, 2], 'f32')))
    expect(y.toArray()).toEqual([Number.NaN, Number.NaN, Number.NaN, 2, 2, 2])
  })
})

describe('lora_linear', () => {
  const frozen = { weight: random([12, 10], 11, 0.5), bias: random([12], 12) }
  const keep = random([2, 3, 10], 13).to('f32')
  const mask = ops.gtScalar(keep, 0).to('f64').mul(2)
  const inputs = (): Inputs => ({ x: random([2, 3, 10], 1), a: random([4, 10], 2), b: random([12, 4], 3) })
  const formula =
    (options: { bias?: boolean; mask?: boolean } = {}): Formula =>
    ({ x, a, b }) => {
      const as = (tensor: Tensor): Tensor => tensor.to(x!.dtype)
      const bias = options.bias ? as(frozen.bias) : null
      return ops.loraLinear(x!, as(frozen.weight), bias, a!, b!, 0.5, options.mask ? as(mask) : null)
    }
  const composed =
    (options: { bias?: boolean; mask?: boolean } = {}): Formula =>
    ({ x, a, b }) => {
      const y = x!.matmul(frozen.weight.t())
      const thin = (options.mask ? x!.mul(mask) : x!).matmul(a!.t())
      const sum = y.add(thin.matmul(b!.t()).mul(0.5))
      return options.bias ? sum.add(frozen.bias) : sum
    }
  it('is x·Wᵀ + bias + scale·(x ⊙ mask)·Aᵀ·Bᵀ', () => {
    // W = 2, A = 3, B = 5, scale 0.1, x = 1: 2 + 7 + 0.1·15; with a mask of 2: 2 + 7 + 0.1·30
    const [x, weight, bias, a, b] = [1, 2, 7, 3, 5].map((value, i) => Tensor.from([value], i === 2 ? [1] : [1, 1]))
    expect(ops.loraLinear(x!, weight!, bias, a!, b!, 0.1).item()).toBeCloseTo(10.5, 5)
    expect(ops.loraLinear(x!, weight!, null, a!, b!, 0.1, Tensor.from([2], [1, 1])).item()).toBeCloseTo(5, 5)
  })
  it('agrees with its composition, in value and gradients, with bias and mask or without', () => {
    for (const options of [{}, { bias: true }, { mask: true }, { bias: true, mask: true }]) {
      const [ours, theirs] = [evaluate(formula(options), inputs()), evaluate(composed(options), inputs())]
      expect(relativeError(ours.value, theirs.value)).toBeLessThan(1e-12)
      for (const name of ['x', 'a', 'b'])
        expect(relativeError(ours.grads[name]!, theirs.grads[name]!), name).toBeLessThan(1e-12)
      checkAgainstComposition(formula(options), inputs())
    }
    checkFiniteDifferences(formula({ bias: true, mask: true }), inputs())
  })
  it('gives a gradient only to what wants one', () => {
    const all = evaluate(formula(), inputs()).grads
    for (const name of ['x', 'a', 'b']) {
      const alone = evaluate((leaf) => formula()({ ...inputs(), ...leaf }), { [name]: inputs()[name]! })
      expect(relativeError(alone.grads[name]!, all[name]!)).toBeLessThan(1e-12)
    }
  })
  it('reads one row, and rows of any strides', () => {
    checkAgainstComposition(formula(), { ...inputs(), x: random([10], 5) })
    checkAgainstComposition(({ x, a, b }) => formula()({ x: x!.transpose(0, 2), a: a!.t(), b: b!.t() }), {
      x: random([10, 3, 2], 5),
      a: random([10, 4], 6),
      b: random([4, 12], 7),
    })
    checkAgainstComposition(formula(), { ...inputs(), x: random([0, 10], 5) })
  })
  it('gives a row the same bits whatever rows are beside it where nothing records', () => {
    inference(() => {
      const [x, weight, a, b] = [
        [40, 64],
        [33, 64],
        [8, 64],
        [33, 8],
      ].map((shape, i) => random(shape, i + 1).to('f32'))
      const y = (first: number, count: number): number[] =>
        ops.loraLinear(x!.narrow(0, first, count), weight!, null, a!, b!, 0.5).toArray()
      const alone = Array.from({ length: 40 }, (_, row) => y(row, 1)).flat()
      for (const count of [2, 5, 17, 40]) expect(y(0, count)).toEqual(alone.slice(0, count * 33))
      const [wide, thin] = [x!.to('f64'), x!.to('f64').matmul(a!.to('f64').t())]
      const wanted = wide.matmul(weight!.to('f64').t()).add(thin.matmul(b!.to('f64').t()).mul(0.5))
      expect(relativeError(ops.loraLinear(x!, weight!, null, a!, b!, 0.5), wanted)).toBeLessThan(1e-6)
    })
  })
  it('refuses a base that is trained, and shapes that do not fit', () => {
    const { x, a, b } = inputs()
    const weight = frozen.weight.clone()
    weight.requiresGrad = true
    a!.requiresGrad = true
    expect(() => ops.loraLinear(x!, weight, null, a!, b!, 1)).toThrow(/expected a frozen weight and bias/)
    expect(() => ops.loraLinear(x!, frozen.weight, null, b!, a!, 1)).toThrow(/expected x \[\.\.\.,in\]/)
  })
})

describe('scale_gradient', () => {
  it('is the identity with a scaled gradient, without a copy', () => {
    const x = random([3], 1)
    expect(ops.scaleGradient(x, 4).storageId).toBe(x.storageId)
    const { value, grads } = evaluate(({ x }) => ops.scaleGradient(x!, 4), { x })
    expect(value.toArray()).toEqual(x.toArray())
    expect(grads.x!).toBeAllclose(random([3], 77).mul(4))
  })
})
