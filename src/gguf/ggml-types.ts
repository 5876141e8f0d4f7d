// The tensor types of ggml by name: number in a GGUF file, values per block, bytes per block. A block is what shares a scale;
// rows are whole numbers of blocks. What the bytes of a block mean is quantize.ts and dequantize.ts.
// Source: ggml/src/ggml.c, `type_traits`, and gguf-py/gguf/constants.py, `GGML_QUANT_SIZES`.

import { UsageError } from '../errors.ts'

interface GgmlTypeTraits {
  readonly id: number
  readonly blockSize: number
  readonly blockBytes: number
}

/** A tensor type as ggml spells it. */
// biome-ignore format: a list to search, not to read
export type GgmlType =
  | 'F32' | 'F16' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K'
  | 'IQ2_XXS' | 'IQ2_XS' | 'IQ3_XXS' | 'IQ1_S' | 'IQ4_NL' | 'IQ3_S' | 'IQ2_S' | 'IQ4_XS' | 'I8' | 'I16' | 'I32'
  | 'I64' | 'F64' | 'IQ1_M' | 'BF16' | 'TQ1_0' | 'TQ2_0' | 'MXFP4'

/** Every type that a file of today may hold. */
export const GGML_TYPES: Readonly<Record<GgmlType, GgmlTypeTraits>> = {
  F32: { id: 0, blockSize: 1, blockBytes: 4 },
  F16: { id: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockSize: 32, blockBytes: 18 },
  Q4_1: { id: 3, blockSize: 32, blockBytes: 20 },
  Q5_0: { id: 6, blockSize: 32, blockBytes: 22 },
  Q5_1: { id: 7, blockSize: 32, blockBytes: 24 },
  Q8_0: { id: 8, blockSize: 32, blockBytes: 34 },
  Q2_K: { id: 10, blockSize: 256, blockBytes: 84 },
  Q3_K: { id: 11, blockSize: 256, blockBytes: 110 },
  Q4_K: { id: 12, blockSize: 256, blockBytes: 144 },
  Q5_K: { id: 13, blockSize: 256, blockBytes: 176 },
  Q6_K: { id: 14, blockSize: 256, blockBytes: 210 },
  IQ2_XXS: { id: 16, blockSize: 256, blockBytes: 66 },
  IQ2_XS: { id: 17, blockSize: 256, blockBytes: 74 },
  IQ3_XXS: { id: 18, blockSize: 256, blockBytes: 98 },
  IQ1_S: { id: 19, blockSize: 256, blockBytes: 50 },
  IQ4_NL: { id: 20, blockSize: 32, blockBytes: 18 },
  IQ3_S: { id: 21, blockSize: 256, blockBytes: 110 },
  IQ2_S: { id: 22, blockSize: 256, blockBytes: 82 },
  IQ4_XS: { id: 23, blockSize: 256, blockBytes: 136 },
  I8: { id: 24, blockSize: 1, blockBytes: 1 },
  I16: { id: 25, blockSize: 1, blockBytes: 2 },
  I32: { id: 26, blockSize: 1, blockBytes: 4 },
  I64: { id: 27, blockSize: 1, blockBytes: 8 },
  F64: { id: 28, blockSize: 1, blockBytes: 8 },
  IQ1_M: { id: 29, blockSize: 256, blockBytes: 56 },
  BF16: { id: 30, blockSize: 1, blockBytes: 2 },
  TQ1_0: { id: 34, blockSize: 256, blockBytes: 54 },
  TQ2_0: { id: 35, blockSize: 256, blockBytes: 66 },
  MXFP4: { id: 39, blockSize: 32, blockBytes: 17 },
}

const BY_ID = new Map<number, GgmlType>(Object.entries(GGML_TYPES).map(([name, { id }]) => [id, name as GgmlType]))

/** The type with a number, or undefined for one that is not known. */
export function ggmlTypeOf(id: number): GgmlType | undefined {
  return BY_ID.get(id)
}

/** True if a row of `columns` values is a whole number of blocks. */
export function fitsBlocks(type: GgmlType, columns: number): boolean {
  return columns % GGML_TYPES[type].blockSize === 0
}

/** Bytes of `count` values; a UsageError if they are no whole number of blocks. */
export function ggmlBytes(type: GgmlType, count: number): number {
  const { blockSize, blockBytes } = GGML_TYPES[type]
  if (count % blockSize === 0) return (count / blockSize) * blockBytes
  throw new UsageError(`${type}: expected a multiple of ${blockSize} values, got ${count}. Choose another type`)
}
