import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Generator, memoryStats, ops, scope, Tensor } from '../../torch/index.ts'
import { codebookValues } from './codebook.ts'
import { QUANT_FORMATS, type QuantOptions, resolveSpec } from './format.ts'
import { quantizeWeight } from './quantize-weight.ts'
import { fromStored } from './quantized-weight.ts'

const normal = (rows: number, columns: number, seed = 1): Tensor =>
  ops.normal_(ops.empty([rows, columns], 'f32'), 0, 1, new Generator(seed))

const ALL: QuantOptions[] = [
  ...QUANT_FORMATS.map((format) => ({ format })),
  { format: 'nf4', doubleQuant: true },
  { format: 'nf3', blockSize: 128, doubleQuant: true },
  { format: 'int8', blockSize: 0 },
  { format: 'int4', symmetric: false, blockSize: 64 },
]
const title = (options: QuantOptions): string => JSON.stringify(options)

/** ‖dequantized − W‖ / ‖W‖ */
const relativeError = (weight: Tensor, options: QuantOptions): number =>
  scope(() => {
    const stored = quantizeWeight(weight, options)
    const error = stored.dequantize().sub(weight).norm().item() / weight.norm().item()
    stored.free()
    return error
  })

/**
 * √E[(x − x̂)²] for standard normal x in blocks of `block` numbers that are coded as absmax · nearest(level), by integration over the
 * absmax m (density B·(2Φ(m) − 1)^(B−1)·2φ(m)) and, for the B − 1 other numbers, over x in [−m, m]; the absmax itself is exact.
 */
function expectedError(levels: readonly number[], block: number): number {
  const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
  const step = 0.002
  const half = [0] // half[i] = ∫₀^{i·step} φ
  for (let i = 1; i < 3200; i++) half.push(half[i - 1]! + step * density((i - 0.5) * step))
  const nearest = (x: number): number =>
    levels.reduce((best, level) => (Math.abs(level - x) < Math.abs(best - x) ? level : best))
  let total = 0
  for (let i = 250; i < 3000; i += 10) {
    const m = i * step
    const inside = 2 * half[i]!
    let error = 0
    for (let j = -i; j < i; j++) {
      const x = (j + 0.5) * step
      error += step * density(x) * (x - m * nearest(x / m)) ** 2
    }
    total += 10 * step * block * inside ** (block - 1) * 2 * density(m) * (((block - 1) / block) * (error / inside))
  }
  return Math.sqrt(total)
}

describe('quantizeWeight', () => {
  it.each(['nf4', 'nf3', 'nf2'] as const)('has with %s the error that theory gives for normal weights', (format) => {
    const expected = expectedError(codebookValues(format), 64)
    expect(relativeError(normal(512, 1024), { format })).toBeCloseTo(expected, 3)
  })

  it.each([
    [
      'nf4',
      1.009219,
      '7bf539e1001e944fc8cf457e2003f572fecef1a3f6117f1c0efffd0e0fd67ee0ff70f0deaaed0f06efe50f0cfccfb0f13ded21f08feef61e418b706d32effd17',
    ],
    [
      'nf3',
      1.892406,
      '35721461001642276467223710017231765671417311371606777606076336607730706745760702777207067667507016761170377772172035303611677603',
    ],
    [
      'nf2',
      3.414283,
      '12311230000311132123111310013110332330213100130202333203032113303310302322320301333103023223203012320030133331031012101210333201',
    ],
  ] as const)('gives with %s the codes of scripts/goldens/normal_float.py', (format, error, codes) => {
    const values = Array.from({ length: 128 }, (_, n) => {
      const [row, column] = [Math.floor(n / 64), n % 64]
      return Math.sin(1.7 * row + 0.37 * column ** 2) * (1 + row)
    })
    const weight = Tensor.from(values, [2, 64])
    const stored = quantizeWeight(weight, { format })
    const dense = stored.dequantize()
    expect(dense.sub(weight).norm().item()).toBeCloseTo(error, 5)
    const levels = codebookValues(format)
    const relative = dense.div(stored.scales.unsqueeze(1)).toArray()
    const ours = relative.map((value) => levels.findIndex((level) => Math.abs(level - value) < 1e-5).toString(16))
    expect(ours.join('')).toBe(codes)
  })

  it('has with int8 the error of rounding: a uniform one of absmax/127 steps', () => {
    const weight = normal(256, 1024)
    for (const blockSize of [0, 32, 256]) {
      const steps = ops.amax(weight.abs().view(-1, blockSize || 1024), [1]).div(127)
      const expected = Math.sqrt(ops.square(steps).mean().item() / 12)
      expect(relativeError(weight, { format: 'int8', blockSize })).toBeCloseTo(expected, 4)
    }
  })

  it.each(ALL.map((options) => [title(options), options] as const))(
    'stays with %s within half a step',
    (_, options) => {
      const weight = normal(32, 192)
      const { format, blockSize } = resolveSpec(options)
      const stored = quantizeWeight(weight, options)
      const absmax = ops.amax(weight.abs().view(-1, blockSize || 192), [1], true)
      const error = ops
        .amax(
          stored
            .dequantize()
            .sub(weight)
            .abs()
            .view(-1, blockSize || 192)
            .div(absmax),
          [1],
        )
        .max()
        .item()
      // Half of the widest gap between values, of absmax; double quantization and bf16 move the scale by under 1 %.
      const gaps = format.startsWith('nf')
        ? codebookValues(format as 'nf4').map((level, i, all) => (i === 0 ? 0 : level - all[i - 1]!))
        : [format === 'int8' ? 1 / 127 : options.symmetric === false ? 2 / 15 : 1 / 4]
      expect(error).toBeLessThan(Math.max(...gaps) / 2 + 0.01)
      stored.free()
    },
  )

  it('codes by hand: one row of int8 and int4', () => {
    const weight = Tensor.from([1, -2, 0.5, 127], [1, 4])
    const int8 = quantizeWeight(weight, { format: 'int8' })
    expect(int8.scales.toArray()).toEqual([1])
    expect(int8.codes.toArray()).toEqual([1, -2, 0, 127]) // 0.5 rounds to even
    // The largest magnitude, 8, is code 0 = −8 with scale −1; −8 − … so 3 is −3 + 8 = 5.
    const int4 = quantizeWeight(Tensor.from([3, 8, -1, 0], [1, 4]), { format: 'int4' })
    expect(int4.scales.toArray()).toEqual([-1])
    const low = int4.codes.toArray().map((byte) => byte & 15)
    expect(low.slice(0, 4)).toEqual([5, 0, 9, 8])
    expect(int4.dequantize().toArray()).toEqual([3, 8, -1, 0])
    // Minimum −1, maximum 14, so steps of 1.
    const between = quantizeWeight(Tensor.from([-1, 14, 0, 3], [1, 4]), { format: 'int4', symmetric: false })
    expect([between.mins!.item(), between.scales.item()]).toEqual([-1, 1])
    expect(between.dequantize().toArray()).toEqual([-1, 14, 0, 3])
  })

  it('is exact for what the format can hold, zeros included', () => {
    for (const options of ALL) {
      expect(relativeErrorOfZeros(options)).toBe(0)
      const stored = quantizeWeight(normal(8, 128), options)
      const once = stored.dequantize()
      // Not with double quantization, where the mean of the scales moves.
      if (options.doubleQuant || options.symmetric === false) continue
      const again = quantizeWeight(once, options)
      expect(again.dequantize(), title(options)).toBeAllclose(once, { absolute: 1e-6 })
    }
  })

  it('reads with any shape what the composition of ATen operators reads', () => {
    const shapes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 200 }))
    fc.assert(
      fc.property(shapes, fc.constantFrom(...ALL), fc.integer({ min: 1, max: 1e6 }), ([rows, columns], options, seed) =>
        scope(() => {
          const weight = normal(rows, columns, seed)
          const stored = quantizeWeight(weight, options)
          const kernel = stored.dequantize()
          expect(kernel.shape).toEqual([rows, columns])
          expect(kernel).toBeAllclose(stored.dequantize('f64'), { absolute: 1e-6, relative: 1e-6 })
          expect(stored.dequantize('bf16').dtype).toBe('bf16')
          stored.free()
        }),
      ),
      { numRuns: process.env.ANNEAL_LONG ? 2000 : 60 },
    )
  })

  it('takes the bytes that it says: 4.127 bits a weight with double quantization, 0.30 of bf16', () => {
    const weight = normal(1024, 1024)
    const bits = (options: QuantOptions): number => {
      const stored = quantizeWeight(weight, options)
      const total = [...stored.tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0)
      expect(stored.bytes).toBe(total)
      stored.free()
      return (8 * total) / 2 ** 20
    }
    expect(bits({ format: 'nf4' })).toBe(4.5) // 4 + 32/64
    expect(bits({ format: 'nf4', doubleQuant: true })).toBeCloseTo(4 + 8 / 64 + 32 / (64 * 256), 3)
    expect(bits({ format: 'nf4', doubleQuant: true })).toBeLessThanOrEqual(4.13)
    expect(bits({ format: 'nf4', doubleQuant: true }) / 16).toBeLessThanOrEqual(0.3)
    expect(bits({ format: 'nf3', doubleQuant: true })).toBeLessThan(3.13)
    expect(bits({ format: 'nf2', doubleQuant: true })).toBeLessThan(2.13)
    expect(bits({ format: 'int4' })).toBe(4.5) // 4 + 16/32
    expect(bits({ format: 'int8' })).toBe(8.5) // 8 + 16/32, as Q8_0
    expect(bits({ format: 'int8', blockSize: 0 })).toBe(8 + 32 / 1024)
  })

  it('holds those bytes in memory and no others', () => {
    const weight = normal(1024, 1024).keep()
    scope(() => quantizeWeight(weight, { format: 'nf4', doubleQuant: true }).free()) // the tables are made once
    const before = memoryStats().liveBytes
    const stored = quantizeWeight(weight, { format: 'nf4', doubleQuant: true })
    const held = memoryStats().liveBytes - before
    expect(held).toBeLessThan(stored.bytes + 4096)
    expect(held / (2 * 2 ** 20)).toBeLessThanOrEqual(0.3)
    stored.free()
    weight.free()
  })

  it('refuses NaN, infinity, vectors and options that the format does not have', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => quantizeWeight(Tensor.from([1, bad], [1, 2]), { format: 'nf4' })).toThrow(/expected finite numbers/)
    expect(() => quantizeWeight(Tensor.from([1, 2]), { format: 'nf4' })).toThrow(/expected a matrix/)
    const options: QuantOptions[] = [
      { format: 'fp8' as 'int8' },
      { format: 'nf4', blockSize: 48 },
      { format: 'nf4', blockSize: 0 },
      { format: 'int8', blockSize: 40 },
      { format: 'int8', doubleQuant: true },
      { format: 'nf4', symmetric: false },
    ]
    for (const wrong of options) expect(() => quantizeWeight(normal(2, 2), wrong), title(wrong)).toThrow(/expected/)
  })
})

const relativeErrorOfZeros = (options: QuantOptions): number =>
  scope(() =>
    quantizeWeight(ops.zeros([4, 128], 'f32'), options)
      .dequantize()
      .norm()
      .item(),
  )

describe('fromStored', () => {
  const spec = resolveSpec({ format: 'nf4', doubleQuant: true })

  it('reads what was stored', () => {
    const stored = quantizeWeight(normal(7, 100), spec)
    const again = fromStored(spec, [7, 100], stored.tensors)
    expect(again.dequantize().toArray()).toEqual(stored.dequantize().toArray())
  })

  it('says which part is missing, too much, of another size or another type', () => {
    const { tensors } = quantizeWeight(normal(8, 128), spec)
    const changed = (name: string, tensor?: Tensor): Map<string, Tensor> => {
      const copy = new Map(tensors)
      if (tensor === undefined) copy.delete(name)
      else copy.set(name, tensor)
      return copy
    }
    const read = (parts: ReadonlyMap<string, Tensor>) => () => fromStored(spec, [8, 128], parts, 'q_proj.weight')
    expect(read(changed('codes', tensors.get('codes')!.narrow(0, 0, 100)))).toThrow(
      'q_proj.weight.codes: expected u8 [512], got u8 [100]',
    )
    expect(read(changed('scale_offset'))).toThrow('q_proj.weight.scale_offset: expected f32 [1], got nothing')
    expect(read(changed('scales', ops.zeros([16], 'f32')))).toThrow('expected u8 [16], got f32 [16]')
    expect(read(changed('zeros', ops.zeros([1], 'f32')))).toThrow(/expected codes, scales.*got zeros too/)
  })
})
