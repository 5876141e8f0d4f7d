import { describe, expect, it } from 'vitest'
import { autocast, backward, Generator, gradients, inference, memoryStats, ops, scope, Tensor } from '../torch/index.ts'
import { Linear } from './linear.ts'
import type { QuantOptions } from './quant/format.ts'
import { quantizeWeight } from './quant/quantize-weight.ts'
import { QuantLinear } from './quant-linear.ts'

const generator = new Generator(3)
const normal = (...shape: number[]): Tensor => ops.normal_(ops.empty(shape, 'f32'), 0, 1, generator)

/**
 * Rows whose groups of 32 are whole numbers up to 127 times a power of two: rounding to 8 bits with a scale a group changes nothing, so
 * what integer kernels give is what the dequantized matrix gives.
 */
function exactly(...shape: number[]): Tensor {
  const width = shape.at(-1)!
  const count = shape.reduce((a, b) => a * b, 1)
  const noise = Array.from(normal(Math.max(1, count)).toArray())
  const values = Float32Array.from({ length: count }, (_, n) => {
    const column = n % width
    const scale = 2 ** (-8 + (Math.floor(column / 32) % 3))
    return scale * (column % 32 === 0 ? 127 : Math.max(-127, Math.min(127, Math.round(50 * noise[n]!))))
  })
  return Tensor.from(values, shape)
}

const FORMATS: QuantOptions[] = [
  { format: 'nf4' },
  { format: 'nf4', doubleQuant: true },
  { format: 'nf3' },
  { format: 'nf2', doubleQuant: true },
  { format: 'int8' },
  { format: 'int8', blockSize: 96 },
  { format: 'int8', blockSize: 0 },
  { format: 'int4' },
  { format: 'int4', blockSize: 128, symmetric: false },
]

/** A quantized layer and the dense one with the same matrix. */
function both(out: number, width: number, options: QuantOptions, withBias = false): [QuantLinear, Linear] {
  const bias = withBias ? normal(out) : null
  const quant = new QuantLinear(quantizeWeight(normal(out, width), options), bias)
  return [quant, new Linear(quant.dense(), bias)]
}

describe('QuantLinear', () => {
  it.each(FORMATS.map((options) => [JSON.stringify(options), options] as const))(
    'multiplies as the dequantized matrix does, with few rows and many: %s',
    (_, options) => {
      for (const [out, width] of [
        [64, 128],
        [33, 192],
        [7, 100],
        [3, 31],
        [1, 1],
        [18, 1100],
      ] as const) {
        const [quant, dense] = both(out, width, options, true)
        for (const shape of [
          [width],
          [1, width],
          [2, width],
          [1, 3, width],
          [2, 2, width],
          [9, width],
          [17, width],
          [0, width],
        ]) {
          const x = exactly(...shape)
          const y = inference(() => quant.forward(x))
          expect(y.shape).toEqual([...shape.slice(0, -1), out])
          expect(y, `${out}×${width}, x [${shape}]`).toBeAllclose(dense.forward(x), { absolute: 2e-5, relative: 1e-4 })
        }
      }
    },
  )

  it.each([{ format: 'int8' }, { format: 'int4' }] as QuantOptions[])(
    'rounds x to 8 bits where nothing records, with the error of rounding to absmax/127: %s',
    (options) => {
      const [quant, dense] = both(64, 1024, options)
      const x = normal(40, 1024)
      const wanted = dense.forward(x)
      // The absmax of 32 normal numbers is 2.07 on average, its mean square 4.5: steps of 0.0167, and 1/√12 of one.
      const error =
        inference(() => quant.forward(x))
          .sub(wanted)
          .norm()
          .item() / wanted.norm().item()
      expect(error).toBeGreaterThan(0.004)
      expect(error).toBeLessThan(0.0055)
      x.requiresGrad = true
      expect(quant.forward(x)).toBeAllclose(wanted, { absolute: 1e-4 })
    },
  )

  it('gives NaN where x has NaN or infinity, and nothing else', () => {
    const [quant] = both(20, 64, { format: 'int8' })
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const rows of [3, 20]) {
        const values = new Float32Array(rows * 64).fill(0.5)
        values[64 + 40] = bad
        const y = inference(() => quant.forward(Tensor.from(values, [rows, 64])).toArray())
        expect(y.map(Number.isFinite)).toEqual(y.map((_, i) => i < 20 || i >= 40))
      }
  })

  it.each(FORMATS.map((options) => [JSON.stringify(options), options] as const))(
    'gives a row the same bits whatever rows are beside it: %s',
    (_, options) => {
      for (const [out, width] of [
        [33, 192],
        [5, 576],
        [21, 172],
      ] as const) {
        const [quant] = both(out, width, options, true)
        const x = normal(140, width)
        inference(() => {
          const alone = Array.from({ length: 140 }, (_, row) => quant.forward(x.narrow(0, row, 1)).toArray()).flat()
          for (const rows of [...Array.from({ length: 39 }, (_, i) => i + 2), 127, 128, 129, 140])
            expect(quant.forward(x.narrow(0, 0, rows)).toArray()).toEqual(alone.slice(0, rows * out))
        })
      }
    },
  )

  it('has the shape of its matrix and the bias of the layer it stands for', () => {
    const [quant] = both(6, 40, { format: 'int8' }, true)
    expect([quant.outFeatures, quant.inFeatures]).toEqual([6, 40])
    expect([...quant.parameters()].map(([path]) => path)).toEqual(['bias', 'weight.codes', 'weight.scales'])
  })

  it.each([{ format: 'nf4', doubleQuant: true }, { format: 'int8' }, { format: 'int4' }] as QuantOptions[])(
    'gives x and the bias the gradients of the dequantized matrix: %s',
    (options) => {
      const [quant, dense] = both(48, 96, options, true)
      const x = normal(5, 96)
      x.requiresGrad = true
      quant.bias!.requiresGrad = true
      const upstream = normal(5, 48)
      const of = (layer: QuantLinear | Linear): (Tensor | null)[] =>
        gradients([layer.forward(x)], [x, layer.bias!], { gradOutputs: [upstream] })
      const [dx, dbias] = of(quant)
      const [wantedX, wantedBias] = of(dense)
      expect(dx!).toBeAllclose(wantedX!, { absolute: 1e-5 })
      expect(dbias!).toBeAllclose(wantedBias!, { absolute: 1e-5 })
    },
  )

  it('keeps no dequantized matrix for the backward pass', () => {
    const [quant] = both(1024, 1024, { format: 'nf4', doubleQuant: true })
    quant.forward(normal(1, 1024)) // the tables are made once
    const x = normal(8, 1024)
    x.requiresGrad = true
    const before = memoryStats().liveBytes
    const y = quant.forward(x)
    const kept = memoryStats().liveBytes - before
    // The dense matrix would be 4 MiB; y is 32 KiB.
    expect(kept).toBeLessThanOrEqual(y.nbytes + 4096)
    backward(y.sum())
    expect(x.grad!.shape).toEqual([8, 1024])
    expect(memoryStats().liveBytes - before).toBeLessThan(2 * x.nbytes + y.nbytes + 8192)
  })

  it('computes in bf16 for bf16 inputs and under autocast', () => {
    const [quant, dense] = both(64, 128, { format: 'nf4' })
    for (const rows of [1, 16]) {
      const x = normal(rows, 128)
      const wanted = dense.forward(x)
      const half = inference(() => quant.forward(x.to('bf16')))
      expect(half.dtype).toBe('bf16')
      expect(half.to('f32').sub(wanted).norm().item()).toBeLessThan(0.02 * wanted.norm().item())
      const cast = inference(() => autocast('bf16', () => quant.forward(x)))
      expect(cast.dtype).toBe('bf16')
    }
    const x = normal(16, 128)
    x.requiresGrad = true
    backward(autocast('bf16', () => quant.forward(x).to('f32').sum()))
    const wanted = dense.weight.sum(0)
    expect(scope(() => x.grad!.select(0, 3).sub(wanted).norm().item())).toBeLessThan(0.02 * wanted.norm().item())
  })

  it('names both shapes when they do not fit, and refuses a second derivative', () => {
    const [quant] = both(4, 32, { format: 'int8' })
    expect(() => quant.forward(normal(2, 33))).toThrow(/frozen_linear\(\[2,33\].*expected x \[\.\.\.,32\]/)
    const x = normal(2, 32)
    x.requiresGrad = true
    expect(() => gradients([quant.forward(x).sum()], [x], { createGraph: true })).toThrow(/no second derivative/)
  })
})
