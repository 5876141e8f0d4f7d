// Which tensor of a GGUF file gets which type. Norms, biases, position tables and rotary divisors stay f32, as in llama.cpp;
// `q4_k` is llama.cpp's Q4_K_M, with more bits where they matter most. Source: llama.cpp's src/llama-quant.cpp.

import type { QuantFormat } from '../nn/quant/format.ts'
import type { GgufParameter } from './architectures.ts'
import { fitsBlocks, type GgmlType } from './ggml-types.ts'

/** What the user may ask for. */
export const GGUF_FORMATS = ['f32', 'f16', 'bf16', 'q8_0', 'q6_k', 'q4_k', 'q4_0'] as const

/** The name of a file's format, as llama.cpp's quantize tool has it, in lower case. */
export type GgufFormat = (typeof GGUF_FORMATS)[number]

/** `general.file_type`: what most matrices are; readers show it and compute with the tensors' own types. */
export const FILE_TYPES: Readonly<Record<GgufFormat, number>> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q8_0: 7,
  q4_k: 15,
  q6_k: 18,
  bf16: 32,
}

const MATRIX_TYPES: Readonly<Record<GgufFormat, GgmlType>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  q8_0: 'Q8_0',
  q6_k: 'Q6_K',
  q4_k: 'Q4_K',
  q4_0: 'Q4_0',
}

/** Types for matrices that are quantized here; there is nothing below four bits to write. */
const FROM_QUANTIZED: Readonly<Record<QuantFormat, GgmlType>> = {
  int8: 'Q8_0',
  int4: 'Q4_K',
  nf4: 'Q4_K',
  nf3: 'Q4_K',
  nf2: 'Q4_K',
}

/** What a choice of types depends on besides the tensor. */
export interface TypeContext {
  readonly format: GgufFormat
  readonly numLayers: number
  readonly isTied: boolean
  /** Formats of matrices that are quantized already, by module path. */
  readonly quantized: ReadonlyMap<string, QuantFormat>
}

/** The type to store a tensor in. */
export function tensorType(parameter: GgufParameter, context: TypeContext): GgmlType {
  return fitting(wantedType(parameter, context), parameter.shape.at(-1)!)
}

/** The type that a tensor would have if its rows were whole numbers of blocks. */
export function wantedType({ name, shape, parts }: GgufParameter, context: TypeContext): GgmlType {
  if (shape.length < 2 || name === 'position_embd.weight') return 'F32'
  const formats = parts.flatMap(({ path }) => context.quantized.get(path.replace(/\.weight$/, '')) ?? [])
  return formats.length === 0 ? matrixType(name, context) : finest(formats.map((format) => FROM_QUANTIZED[format]))
}

function matrixType(name: string, { format, numLayers, isTied }: TypeContext): GgmlType {
  const isHead = name === 'output.weight' || (isTied && name === 'token_embd.weight')
  if (isHead && (format === 'q4_k' || format === 'q4_0')) return 'Q6_K'
  const layer = /^blk\.(\d+)\.(?:attn_v|ffn_down)\.weight$/.exec(name)
  if (format === 'q4_k' && layer !== null && hasMoreBits(Number(layer[1]), numLayers)) return 'Q6_K'
  return MATRIX_TYPES[format]
}

/** The first and last eighth of the layers and every third between. */
function hasMoreBits(layer: number, count: number): boolean {
  const eighth = Math.floor(count / 8)
  return layer < eighth || layer >= Math.floor((7 * count) / 8) || (layer - eighth) % 3 === 2
}

/** A fused tensor takes the type of its best part. */
function finest(types: readonly GgmlType[]): GgmlType {
  return types.includes('Q8_0') ? 'Q8_0' : types[0]!
}

/** Rows that are no whole number of blocks take the nearest type with smaller ones, as in llama.cpp. */
function fitting(type: GgmlType, columns: number): GgmlType {
  const fallbacks: Partial<Record<GgmlType, GgmlType>> = { Q4_K: 'Q5_0', Q6_K: 'Q8_0' }
  const candidates = [type, fallbacks[type] ?? 'F16', 'F16'] as const
  return candidates.find((candidate) => fitsBlocks(candidate, columns))!
}
