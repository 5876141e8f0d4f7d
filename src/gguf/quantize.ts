// f32 → blocks of ggml. Here are the types with one scale for 32 values, bit for bit the gguf package's; those that search for
// their scales are quantize-k.ts. What decides which tensor gets which type is tensor-types.ts.
// Source: ggml/src/ggml-quants.c, `quantize_row_*_ref`.

import { GGML_TYPES, type GgmlType, ggmlBytes } from './ggml-types.ts'
import { putHalf } from './half.ts'
import { type BlockWriter, q4K, q6K } from './quantize-k.ts'

/** Types that weights can be quantized to. */
export type QuantizedType = 'Q4_0' | 'Q5_0' | 'Q8_0' | 'Q4_K' | 'Q6_K'

const { fround } = Math

/** The blocks of `values`, which are whole rows one after the other. */
export function quantize(type: QuantizedType, values: Float32Array): Uint8Array<ArrayBuffer> {
  const { blockSize, blockBytes } = GGML_TYPES[type]
  const out = new Uint8Array(ggmlBytes(type, values.length))
  const write = WRITERS[type]
  for (let block = 0; block < values.length / blockSize; block++) {
    write(values, block * blockSize, out, block * blockBytes)
  }
  return out
}

/** True for types that `quantize` makes. */
export function isQuantizedType(type: GgmlType): type is QuantizedType {
  return Object.hasOwn(WRITERS, type)
}

const q8: BlockWriter = (values, from, out, to) => {
  let largest = 0
  for (let i = from; i < from + 32; i++) {
    const magnitude = Math.abs(values[i]!)
    if (magnitude > largest) largest = magnitude
  }
  const scale = fround(largest / 127)
  const inverse = scale === 0 ? 0 : fround(1 / scale)
  putHalf(out, to, scale)
  for (let i = 0; i < 32; i++) {
    const value = fround(values[from + i]! * inverse)
    // roundf: ties away from zero. `| 0` cuts towards it.
    out[to + 2 + i] = value < 0 ? (value - 0.5) | 0 : (value + 0.5) | 0
  }
}

/** Q4_0 and Q5_0: the value of largest magnitude lands on the lowest level, so that a sign is not wasted. */
function symmetric(bits: 4 | 5): BlockWriter {
  const middle = 1 << (bits - 1)
  return (values, from, out, to) => {
    let extreme = 0
    let largest = 0
    for (let i = 0; i < 32; i++) {
      const magnitude = Math.abs(values[from + i]!)
      if (magnitude > largest) {
        largest = magnitude
        extreme = values[from + i]!
      }
    }
    const scale = fround(extreme / -middle)
    const inverse = scale === 0 ? 0 : fround(1 / scale)
    const highest = 2 * middle - 1
    const level = (i: number): number => {
      const cut = fround(fround(values[from + i]! * inverse) + (middle + 0.5)) | 0
      return Math.min(cut, highest)
    }
    putHalf(out, to, scale)
    const low = to + (bits === 5 ? 6 : 2)
    for (let i = 0; i < 16; i++) {
      const [a, b] = [level(i), level(i + 16)]
      out[low + i] = (a & 15) | ((b & 15) << 4)
      if (bits === 4) continue
      out[to + 2 + (i >> 3)]! |= (a >> 4) << (i & 7)
      out[to + 4 + (i >> 3)]! |= (b >> 4) << (i & 7)
    }
  }
}

const WRITERS: Record<QuantizedType, BlockWriter> = {
  Q4_0: symmetric(4),
  Q5_0: symmetric(5),
  Q8_0: q8,
  Q4_K: q4K,
  Q6_K: q6K,
}
