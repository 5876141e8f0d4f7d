// The formats that a weight matrix can be stored in, and what is stored for each: names, types and sizes of the parts.
// Shapes: W [out, in], n = out·in, blocks of B numbers that share one scale.
//
//   nf4 nf3 nf2  blocks over W row by row: `codes` (4, 3, 2 bits) and one f32 scale a block; with double quantization the scales are
//                8-bit codes in groups of 256 with an f32 scale each and one f32 offset (QLoRA, arXiv:2305.14314v1 §3)
//   int8         blocks inside a row with a bf16 scale, or, with blockSize 0, one f32 scale a row
//   int4         blocks inside a row, with a bf16 scale, and a bf16 minimum where not symmetric
import { UsageError } from '../../errors.ts'
import type { DType } from '../../torch/index.ts'

/** Formats that weight matrices can be stored in, by name. */
export const QUANT_FORMATS = ['nf4', 'nf3', 'nf2', 'int8', 'int4'] as const

/** The name of a format in `QUANT_FORMATS`. */
export type QuantFormat = (typeof QUANT_FORMATS)[number]

/** The formats whose codes index a table of values. */
export type NormalFloat = Extract<QuantFormat, `nf${number}`>

/** How to quantize a matrix. */
export interface QuantOptions {
  format: QuantFormat
  /** Numbers that share one scale: a multiple of 32. Default 64 for nf4, nf3 and nf2, 32 for int8 and int4. int8: 0 is one scale a row. */
  blockSize?: number
  /** Quantize the scales, too (nf4, nf3, nf2). Default false. */
  doubleQuant?: boolean
  /** int4: codes around 0 instead of between minimum and maximum. Default true. */
  symmetric?: boolean
}

/** Options with every default filled in. */
export type QuantSpec = Readonly<Required<QuantOptions>>

/** Scales that share one scale under double quantization. */
export const SCALE_GROUP = 256

const BITS: Readonly<Record<QuantFormat, number>> = { nf4: 4, nf3: 3, nf2: 2, int8: 8, int4: 4 }

/** Bits of one code. */
export function codeBits(format: QuantFormat): number {
  return BITS[format]
}

/** True for a `NormalFloat`. */
export function isNormalFloat(format: QuantFormat): format is NormalFloat {
  return format.startsWith('nf')
}

/** Fills in the defaults; UsageError for an unknown format or an option that it does not have. */
export function resolveSpec(options: QuantOptions): QuantSpec {
  const { format } = options
  if (!QUANT_FORMATS.includes(format))
    throw new UsageError(`format: expected one of ${QUANT_FORMATS.join(', ')}, got ${JSON.stringify(format)}`)
  const blockSize = options.blockSize ?? (isNormalFloat(format) ? 64 : 32)
  const least = format === 'int8' ? 0 : 32
  if (!(Number.isInteger(blockSize) && blockSize % 32 === 0 && blockSize >= least && blockSize <= 4096))
    throw new UsageError(
      `blockSize: expected a multiple of 32 up to 4096${least === 0 ? ', or 0 for one scale a row' : ''}, got ${blockSize}`,
    )
  if (options.doubleQuant && !isNormalFloat(format))
    throw new UsageError(`doubleQuant: expected it with nf4, nf3 or nf2, got ${format}`)
  if (options.symmetric === false && format !== 'int4')
    throw new UsageError(`symmetric: expected false with int4 only, got ${format}`)
  return { format, blockSize, doubleQuant: options.doubleQuant ?? false, symmetric: options.symmetric ?? true }
}

/** One stored tensor. */
export interface PartLayout {
  dtype: DType
  shape: readonly number[]
}

/** Name → type and shape of everything that is stored of a matrix [out, in]. */
export function partsOf(spec: QuantSpec, [rows = 0, columns = 0]: readonly number[]): Record<string, PartLayout> {
  const { format, blockSize, doubleQuant, symmetric } = spec
  if (format === 'int8') {
    const scales: PartLayout =
      blockSize === 0
        ? { dtype: 'f32', shape: [rows] }
        : { dtype: 'bf16', shape: [rows, Math.ceil(columns / blockSize)] }
    return { codes: { dtype: 'i8', shape: [rows, columns] }, scales }
  }
  if (format === 'int4') {
    const blocks = Math.ceil(columns / blockSize)
    const perBlock: PartLayout = { dtype: 'bf16', shape: [rows, blocks] }
    return {
      codes: { dtype: 'u8', shape: [rows, (blocks * blockSize) / 2] },
      scales: perBlock,
      ...(!symmetric && { mins: perBlock }),
    }
  }
  const blocks = Math.ceil((rows * columns) / blockSize)
  const codes: PartLayout = { dtype: 'u8', shape: [(blocks * blockSize * codeBits(format)) / 8] }
  if (!doubleQuant) return { codes, scales: { dtype: 'f32', shape: [blocks] } }
  return {
    codes,
    scales: { dtype: 'u8', shape: [blocks] },
    scale_scales: { dtype: 'f32', shape: [Math.ceil(blocks / SCALE_GROUP)] },
    scale_offset: { dtype: 'f32', shape: [1] },
  }
}
