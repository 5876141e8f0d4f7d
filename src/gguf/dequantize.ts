// Blocks of ggml → f32, bit for bit what the gguf package and llama.cpp give: products and sums are rounded to f32 as there.
// Source: ggml/src/ggml-quants.c, `dequantize_row_*`. In the K types a super-block of 256 values has one f16 scale (and one
// f16 minimum) and small integer scales for its parts.

import { UnsupportedError } from '../errors.ts'
import { GGML_TYPES, type GgmlType } from './ggml-types.ts'
import { fromHalf } from './half.ts'

/** Writes the values of the block at `from` of `bytes` to `out`, beginning at `to`. */
type BlockReader = (bytes: Uint8Array, from: number, out: Float32Array, to: number) => void

const { fround } = Math

/** Types that can be read as numbers. */
export function isReadable(type: GgmlType): boolean {
  return Object.hasOwn(READERS, type)
}

/** The values of a tensor's bytes; an UnsupportedError, naming `what`, for a type that has no reader. */
export function dequantize(type: GgmlType, bytes: Uint8Array, what: string): Float32Array<ArrayBuffer> {
  const { blockSize, blockBytes } = GGML_TYPES[type]
  const read = READERS[type]
  if (read === undefined) {
    throw new UnsupportedError(
      `${what}: expected one of ${Object.keys(READERS).join(', ')}, got ${type}. Get the model in one of these, such as Q8_0`,
    )
  }
  const blocks = bytes.length / blockBytes
  const out = new Float32Array(blocks * blockSize)
  for (let block = 0; block < blocks; block++) read(bytes, block * blockBytes, out, block * blockSize)
  return out
}

/** The little-endian f16 at a byte. */
function halfAt(bytes: Uint8Array, at: number): number {
  return fromHalf(bytes[at]! | (bytes[at + 1]! << 8))
}

const word = new Uint32Array(1)
const wordAsFloat = new Float32Array(word.buffer)

/** 32 values of 4 or 5 bits: `scale · (bits − zero) + minimum`. Values 0–15 are the low nibbles, 16–31 the high ones. */
function smallBlock(hasMinimum: boolean, hasFifthBit: boolean): BlockReader {
  const zero = hasMinimum ? 0 : hasFifthBit ? 16 : 8
  return (bytes, from, out, to) => {
    const scale = halfAt(bytes, from)
    const minimum = hasMinimum ? halfAt(bytes, from + 2) : 0
    const high = from + (hasMinimum ? 4 : 2)
    const low = high + (hasFifthBit ? 4 : 0)
    for (let i = 0; i < 32; i++) {
      const nibble = (bytes[low + (i & 15)]! >> (i < 16 ? 0 : 4)) & 15
      const fifth = hasFifthBit ? ((bytes[high + (i >> 3)]! >> (i & 7)) & 1) << 4 : 0
      const product = fround(scale * ((nibble | fifth) - zero))
      out[to + i] = hasMinimum ? product + minimum : product
    }
  }
}

/** The 6-bit scale and minimum of part `j` of a Q4_K or Q5_K block, whose 12 bytes of them begin at `at`. */
export function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): [number, number] {
  if (j < 4) return [bytes[at + j]! & 63, bytes[at + j + 4]! & 63]
  const [a, b, c] = [bytes[at + j + 4]!, bytes[at + j - 4]!, bytes[at + j]!]
  return [(a & 15) | ((b >> 6) << 4), (a >> 4) | ((c >> 6) << 4)]
}

/** Q4_K and Q5_K: eight parts of 32 values with scale and minimum; two parts share 32 bytes of nibbles. */
function fourOrFiveBits(hasFifthBit: boolean): BlockReader {
  return (bytes, from, out, to) => {
    const [d, dmin] = [halfAt(bytes, from), halfAt(bytes, from + 2)]
    const high = from + 16
    const low = high + (hasFifthBit ? 32 : 0)
    for (let j = 0; j < 8; j++) {
      const [sc, m] = scaleAndMinimum(bytes, from + 4, j)
      const [scale, minimum] = [fround(d * sc), fround(dmin * m)]
      for (let i = 0; i < 32; i++) {
        const nibble = (bytes[low + (j >> 1) * 32 + i]! >> (j & 1 ? 4 : 0)) & 15
        const fifth = hasFifthBit ? ((bytes[high + i]! >> j) & 1) << 4 : 0
        out[to + j * 32 + i] = fround(scale * (nibble | fifth)) - minimum
      }
    }
  }
}

/** Sixteen parts of 16 values, 2 bits each, with 4-bit scales and minima. */
const q2K: BlockReader = (bytes, from, out, to) => {
  const [d, dmin] = [halfAt(bytes, from + 80), halfAt(bytes, from + 82)]
  for (let i = 0; i < 256; i++) {
    const part = bytes[from + (i >> 4)]!
    const bits = (bytes[from + 16 + (i >> 7) * 32 + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3
    out[to + i] = fround(fround(d * (part & 15)) * bits) - fround(dmin * (part >> 4))
  }
}

/** Sixteen parts of 16 values, 3 bits each (the highest bit apart, inverted), with 6-bit scales. */
const q3K: BlockReader = (bytes, from, out, to) => {
  const d = halfAt(bytes, from + 108)
  const scales = from + 96
  for (let i = 0; i < 256; i++) {
    const part = i >> 4
    const low = (bytes[scales + (part & 7)]! >> (part < 8 ? 0 : 4)) & 15
    const high = (bytes[scales + 8 + (part & 3)]! >> (2 * (part >> 2))) & 3
    const bits = (bytes[from + 32 + (i >> 7) * 32 + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3
    const hasHighBit = (bytes[from + (i & 31)]! >> (i >> 5)) & 1
    out[to + i] = fround(d * ((low | (high << 4)) - 32)) * (bits - (hasHighBit ? 0 : 4))
  }
}

/** Sixteen parts of 16 values, 6 bits each, with 8-bit scales. */
const q6K: BlockReader = (bytes, from, out, to) => {
  const d = halfAt(bytes, from + 208)
  for (let i = 0; i < 256; i++) {
    const half = i >> 7
    const low = (bytes[from + half * 64 + (i & 63)]! >> (i & 64 ? 4 : 0)) & 15
    const high = (bytes[from + 128 + half * 32 + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3
    const scale = fround(d * ((bytes[from + 192 + (i >> 4)]! << 24) >> 24))
    out[to + i] = scale * ((low | (high << 4)) - 32)
  }
}

const READERS: Partial<Record<GgmlType, BlockReader>> = {
  F32: (bytes, from, out, to) => {
    word[0] = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)
    out[to] = wordAsFloat[0]!
  },
  F16: (bytes, from, out, to) => {
    out[to] = halfAt(bytes, from)
  },
  BF16: (bytes, from, out, to) => {
    word[0] = (bytes[from]! << 16) | (bytes[from + 1]! << 24)
    out[to] = wordAsFloat[0]!
  },
  Q4_0: smallBlock(false, false),
  Q4_1: smallBlock(true, false),
  Q5_0: smallBlock(false, true),
  Q5_1: smallBlock(true, true),
  Q8_0: (bytes, from, out, to) => {
    const scale = halfAt(bytes, from)
    for (let i = 0; i < 32; i++) out[to + i] = scale * ((bytes[from + 2 + i]! << 24) >> 24)
  },
  Q2_K: q2K,
  Q3_K: q3K,
  Q4_K: fourOrFiveBits(false),
  Q5_K: fourOrFiveBits(true),
  Q6_K: q6K,
}
