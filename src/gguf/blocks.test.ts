import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../errors.ts'
import { dequantize } from './dequantize.ts'
import { GGML_TYPES, type GgmlType } from './ggml-types.ts'
import { fromHalf, toHalf } from './half.ts'
import { type QuantizedType, quantize } from './quantize.ts'

interface Goldens {
  dequantized: Record<string, { bytes: string; values: string }>
  values: string
  quantized: Record<string, string>
}

const file = new URL('../../test/fixtures/gguf/blocks.json', import.meta.url)
const goldens = JSON.parse(readFileSync(file, 'utf8')) as Goldens
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
const floatsOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer)

/** Four-fold sums of a linear congruential generator: bell-shaped, as weights are. */
function weights(count: number): Float32Array {
  let state = 1
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  return Float32Array.from({ length: count }, () => 0.02 * (next() + next() + next() + next()))
}

function relativeError(values: Float32Array, type: QuantizedType): number {
  const again = dequantize(type, quantize(type, values), 'weights')
  const squares = (of: (i: number) => number): number => values.reduce((sum, _, i) => sum + of(i) ** 2, 0)
  return Math.sqrt(squares((i) => again[i]! - values[i]!) / squares((i) => values[i]!))
}

describe('half', () => {
  it('rounds as numpy does, subnormals, ties and overflow included', () => {
    const cases = {
      1: 0x3c00,
      [-2]: 0xc000,
      65504: 0x7bff,
      65519: 0x7bff,
      65520: 0x7c00,
      [2 ** -24]: 1,
      [2 ** -25]: 0,
      [2 ** -14]: 0x400,
    }
    for (const [value, half] of Object.entries(cases)) expect([value, toHalf(Number(value))]).toEqual([value, half])
    expect([toHalf(1 + 2 ** -11), toHalf(1 + 3 * 2 ** -11), toHalf(1.5 * 2 ** -24)]).toEqual([0x3c00, 0x3c02, 2])
    expect([toHalf(Number.NaN), toHalf(-0)]).toEqual([0x7e00, 0x8000])
  })
  it('gives every half back', () => {
    const halves = Array.from({ length: 0x10000 }, (_, half) => half)
    expect(halves.filter((half) => !Number.isNaN(fromHalf(half)) && toHalf(fromHalf(half)) !== half)).toEqual([])
  })
})

describe('dequantize', () => {
  it.each(Object.keys(goldens.dequantized) as GgmlType[])('gives the values of the gguf package for %s', (type) => {
    const { bytes, values } = goldens.dequantized[type]!
    expect(dequantize(type, bytesOf(bytes), type)).toEqual(floatsOf(values))
  })
  it('refuses a type without a reader and names the tensor', () => {
    const block = new Uint8Array(GGML_TYPES.IQ2_S.blockBytes)
    expect(() => dequantize('IQ2_S', block, 'a.gguf:blk.0.attn_q.weight')).toThrow(UnsupportedError)
    expect(() => dequantize('IQ2_S', block, 'a.gguf:blk.0.attn_q.weight')).toThrow(
      /^a\.gguf:blk\.0\.attn_q\.weight: .*IQ2_S/,
    )
  })
})

describe('quantize', () => {
  it.each(Object.keys(goldens.quantized) as QuantizedType[])('gives the bytes of the gguf package for %s', (type) => {
    expect(quantize(type, floatsOf(goldens.values))).toEqual(bytesOf(goldens.quantized[type]!))
  })
  // A plain grid of 4 bits loses 8 % of such weights, what Q4_0 is; the searches must do better with as many bits and a minimum.
  it.each([
    ['Q8_0', 0.0055],
    ['Q6_K', 0.0175],
    ['Q5_0', 0.042],
    ['Q4_K', 0.0715],
    ['Q4_0', 0.084],
  ] as const)('keeps the error of %s below %f', (type, bound) => {
    expect(relativeError(weights(256 * 64), type)).toBeLessThan(bound)
  })
  it.each(['Q8_0', 'Q6_K', 'Q5_0', 'Q4_K', 'Q4_0'] as const)('makes zeros of zeros in %s', (type) => {
    const again = dequantize(type, quantize(type, new Float32Array(512)), '')
    expect(again.every((value) => value === 0)).toBe(true)
  })
  it.each(['Q8_0', 'Q6_K', 'Q4_K', 'Q4_0'] as const)('is within its step of any weights in %s', (type) => {
    const step = { Q8_0: 1 / 127, Q6_K: 1 / 16, Q4_K: 1 / 3, Q4_0: 1 / 4 }[type]
    const value = fc.float({ noNaN: true, min: -60_000, max: 60_000 })
    fc.assert(
      fc.property(fc.array(value, { minLength: 256, maxLength: 256 }), (list) => {
        // Where the scale of a block is subnormal in f16, little is left of it.
        const values = Float32Array.from(list, (x) => (Math.abs(x) < 1e-2 ? 0 : x))
        const largest = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0)
        const again = dequantize(type, quantize(type, values), '')
        for (let i = 0; i < 256; i++)
          expect(Math.abs(again[i]! - values[i]!)).toBeLessThanOrEqual(largest * step + 1e-4)
      }),
      { numRuns: 50 },
    )
  })
})
