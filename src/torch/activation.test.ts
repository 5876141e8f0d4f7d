import { afterEach, describe, expect, it } from 'vitest'
import { backward, Generator, inference, noGrad, ops, scope, setThreads, type Tensor } from './index.ts'

afterEach(() => setThreads(1))

const normal = (shape: number[], deviation = 3): Tensor =>
  ops.normal_(ops.empty(shape, 'f32'), 0, deviation, new Generator(1))

/** The formulas in f64. */
const definitions = {
  silu: (x: Tensor) => ops.silu(x),
  gelu: (x: Tensor) => ops.gelu(x),
  gelu_tanh: (x: Tensor) => ops.gelu(x, 'tanh'),
}

describe.each(Object.entries(definitions))('activation %s', (kind, definition) => {
  it('is the formula, for numbers of any size', () => {
    inference(() =>
      scope(() => {
        const x = ops.cat([normal([400]), normal([400], 0.01), normal([200], 100), ops.full([1], 0, 'f32')], 0)
        expect(ops.activation(x, kind)).toBeAllclose(definition(x.to('f64')).toArray(), {
          absolute: 5e-7,
          relative: 2e-6,
        })
        expect(ops.activation(ops.full([3], Number.NaN, 'f32'), kind).toArray()).toEqual([
          Number.NaN,
          Number.NaN,
          Number.NaN,
        ])
      }),
    )
  })

  it('gives a row the same bits alone and among others, whatever its width', () => {
    inference(() =>
      scope(() => {
        for (const width of [7, 16, 91]) {
          const x = normal([1200, width])
          setThreads(2)
          const all = ops.activation(x, kind).data()
          setThreads(1)
          for (const row of [0, 1, 577, 1199])
            expect(ops.activation(x.narrow(0, row, 1), kind).data()).toEqual(all.slice(row * width, (row + 1) * width))
        }
      }),
    )
  })

  it('has the gradient of the formula', () => {
    scope(() => {
      const x = normal([33])
      x.requiresGrad = true
      backward(ops.activation(x, kind).sum())
      const exact = noGrad(() => x.to('f64'))
      exact.requiresGrad = true
      backward(definition(exact).sum())
      expect(x.grad!).toBeAllclose(exact.grad!.toArray(), { absolute: 1e-5 })
    })
  })
})
