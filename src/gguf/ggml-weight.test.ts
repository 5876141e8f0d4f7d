import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { GgmlLinear } from '../nn/ggml-linear.ts'
import { GGML_WEIGHTS, GgmlWeight, type GgmlWeightType } from '../nn/ggml-weight.ts'
import { autocast, backward, Generator, inference, ops, scope, Tensor } from '../torch/index.ts'
import { dequantize } from './dequantize.ts'
import { GGML_TYPES, ggmlBytes } from './ggml-types.ts'
import { putHalf } from './half.ts'

const TYPES = Object.keys(GGML_WEIGHTS) as GgmlWeightType[]
const generator = new Generator(5)
const normal = (...shape: number[]): Tensor => ops.normal_(ops.empty(shape, 'f32'), 0, 1, generator)

const multiply = (weight: GgmlWeight, x: Tensor, bias: Tensor | null = null): Tensor =>
  new GgmlLinear(weight, bias).forward(x)

/** 0 for −0, whose sign is that of a scale. */
const positiveZero = (value: number): number => value + 0

/** Where the f16 scales of a block lie; all other bytes may be anything. */
const HALVES: Record<GgmlWeightType, number[]> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
}

/** Blocks of random bytes with scales of a sensible size, and the numbers that they are. */
function randomWeight(type: GgmlWeightType, rows: number, columns: number, pairedHead = 0): [GgmlWeight, Tensor] {
  const bytes = new Uint8Array(ggmlBytes(type, rows * columns))
  let state = rows * 7919 + columns
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  const { blockBytes } = GGML_TYPES[type]
  for (let block = 0; block < bytes.length; block += blockBytes)
    for (const at of HALVES[type]) putHalf(bytes, block + at, (1 + (bytes[block + at]! % 16)) * 2 ** -9)
  const stored = Tensor.from(dequantize(type, bytes, type), [rows, columns])
  const half = pairedHead / 2
  const order = Array.from({ length: rows }, (_, n) => {
    if (pairedHead === 0) return n
    const within = n % pairedHead
    return n - within + 2 * (within % half) + Math.floor(within / half)
  })
  const dense = stored.indexSelect(0, Tensor.from(Int32Array.from(order), [rows]))
  return [new GgmlWeight(type, [rows, columns], Tensor.from(bytes, [rows, bytes.length / rows]), pairedHead), dense]
}

/** Rows of whole numbers up to 127 times a power of two in each 32: rounding them to 8 bits changes nothing. */
function exactly(rows: number, width: number): Tensor {
  const noise = normal(rows, width).toArray()
  const values = Float32Array.from({ length: rows * width }, (_, n) => {
    const scale = 2 ** (-8 + ((n >> 5) % 3))
    return scale * (n % 32 === 0 ? 127 : Math.max(-127, Math.min(127, Math.round(50 * noise[n]!))))
  })
  return Tensor.from(values, [rows, width])
}

describe('GgmlWeight', () => {
  const goldens = JSON.parse(
    readFileSync(new URL('../../test/fixtures/gguf/blocks.json', import.meta.url), 'utf8'),
  ) as { dequantized: Record<string, { bytes: string; values: string }> }

  it.each(TYPES.filter((type) => goldens.dequantized[type]))('reads %s as the gguf package does', (type) => {
    const { bytes, values } = goldens.dequantized[type]!
    const data = new Uint8Array(Buffer.from(bytes, 'base64'))
    const wanted = new Float32Array(new Uint8Array(Buffer.from(values, 'base64')).buffer)
    const weight = new GgmlWeight(type, [1, wanted.length], Tensor.from(data, [1, data.length]))
    expect(weight.dequantize().data()).toEqual(wanted.map(positiveZero))
    expect([weight.weightCount, weight.bytes]).toEqual([wanted.length, data.length])
  })

  it.each(TYPES)('multiplies with %s as its numbers do, and gives rows by index', (type) => {
    for (const [rows, columns, pairedHead] of [
      [1, 256, 0],
      [33, 512, 0],
      [40, 1280, 8],
      [16, 2304, 16],
    ] as const) {
      const [weight, dense] = randomWeight(type, rows, columns, pairedHead)
      expect(weight.dequantize().toArray(), `${rows}×${columns}`).toEqual(dense.toArray().map(positiveZero))
      const ids = Tensor.from(Int32Array.from([rows - 1, 0, rows >> 1, rows - 1]), [2, 2]).to('i64')
      expect(weight.rows(ids).toArray()).toEqual(ops.embedding(dense, ids).toArray().map(positiveZero))
      const bias = normal(rows)
      for (const count of [1, 3, 9, 130]) {
        const x = exactly(count, columns)
        const y = inference(() => multiply(weight, x, bias))
        const wanted = ops.linear(x.to('f64'), dense.to('f64'), bias.to('f64'))
        const scale = wanted.abs().max().item()
        expect(y.to('f64'), `${rows}×${columns}, ${count} rows`).toBeAllclose(wanted, { absolute: 3e-6 * scale })
      }
    }
  })

  it.each(TYPES)('with %s gives a row the same bits whatever rows are beside it', (type) => {
    const [weight] = randomWeight(type, 21, 768)
    const x = normal(140, 768)
    inference(() => {
      const alone = Array.from({ length: 140 }, (_, row) => multiply(weight, x.narrow(0, row, 1)).toArray()).flat()
      for (const rows of [...Array.from({ length: 39 }, (_, i) => i + 2), 128, 140])
        expect(multiply(weight, x.narrow(0, 0, rows)).toArray()).toEqual(alone.slice(0, rows * 21))
    })
  })

  it.each(TYPES)('loses with %s what rounding x to 8 bits loses', (type) => {
    const [weight, dense] = randomWeight(type, 48, 1024)
    const x = normal(20, 1024)
    const wanted = ops.linear(x, dense)
    const y = inference(() => multiply(weight, x))
    // Σ |w| · step/2 bounds every number; the root of the mean square is far below.
    const steps = ops.amax(x.abs().view(20, 32, 32), [2]).div(127)
    const bound = ops.linear(steps.div(2), dense.abs().view(48, 32, 32).sum(-1)).mul(1.0001)
    expect(y.sub(wanted).abs().sub(bound).max().item()).toBeLessThan(0)
    expect(y.sub(wanted).norm().item()).toBeLessThan(0.008 * x.norm().item() * (dense.norm().item() / Math.sqrt(1024)))
  })

  it('lets gradients through to x and the bias, and keeps no dense matrix', () => {
    const [weight, dense] = randomWeight('Q4_K', 24, 256, 8)
    const [x, bias, upstream] = [normal(5, 256), normal(24), normal(5, 24)]
    x.requiresGrad = true
    bias.requiresGrad = true
    const y = multiply(weight, x, bias)
    expect(y).toBeAllclose(ops.linear(x.detach(), dense, bias.detach()), { absolute: 1e-3 })
    backward(y.mul(upstream).sum())
    expect(x.grad!).toBeAllclose(ops.matmul(upstream, dense), { absolute: 1e-3 })
    expect(bias.grad!).toBeAllclose(upstream.sum(0), { absolute: 1e-5 })
  })

  it('computes in bf16 for bf16', () => {
    const [weight, dense] = randomWeight('Q8_0', 8, 64)
    const x = normal(3, 64)
    const y = inference(() => autocast('bf16', () => multiply(weight, x.to('bf16'))))
    expect(y.dtype).toBe('bf16')
    const wanted = ops.linear(x, dense)
    expect(scope(() => y.to('f32').sub(wanted).norm().item())).toBeLessThan(0.02 * wanted.norm().item())
  })

  it('names what does not fit', () => {
    const bytes = Tensor.from(new Uint8Array(2 * 34), [2, 34])
    const weight = new GgmlWeight('Q8_0', [2, 32], bytes)
    expect(() => inference(() => multiply(weight, normal(1, 33)))).toThrow(/expected x \[\.\.\.,32\]/)
    expect(() => weight.rows(Tensor.from(Int32Array.from([2])).to('i64'))).toThrow(/expected rows below 2, got 2/)
    expect(() => new GgmlWeight('Q8_0', [2, 40], bytes).dequantize()).toThrow(/whole blocks of 32, got 40 columns/)
    expect(() => new GgmlWeight('Q8_0', [3, 32], bytes).dequantize()).toThrow(/expected u8 blocks of 102 bytes/)
  })
})
