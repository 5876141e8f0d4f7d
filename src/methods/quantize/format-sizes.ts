// What every unit takes in every format, from shapes alone: whether a budget can be met is known before anything is quantized.
import type { Decoder } from '../../model/decoder.ts'
import { partsOf, type QuantFormat, resolveSpec } from '../../nn/quant/format.ts'
import { dtypeBytes } from '../../torch/dtype.ts'
import { type FormatUnit, linearAt } from './units.ts'

/** Bytes of every unit in every format. */
export interface FormatSizes {
  readonly units: readonly FormatUnit[]
  readonly formats: readonly QuantFormat[]
  /** Bytes of a unit in format number `option`. */
  bytes(unit: number, option: number): number
  /** Numbers in all matrices of a unit. */
  weights(unit: number): number
}

/** Sizes of the dense matrices of `model` in each of the formats. */
export function formatSizes(
  model: Decoder,
  units: readonly FormatUnit[],
  formats: readonly QuantFormat[],
): FormatSizes {
  const shapes = units.map(({ paths }) => paths.map((path) => linearAt(model, path).weight.shape))
  const sum = (unit: number, of: (shape: readonly number[]) => number): number =>
    shapes[unit]!.reduce((total, shape) => total + of(shape), 0)
  return {
    units,
    formats,
    bytes: (unit, option) => sum(unit, (shape) => storedBytes(formats[option]!, shape)),
    weights: (unit) => sum(unit, product),
  }
}

function storedBytes(format: QuantFormat, shape: readonly number[]): number {
  const parts = Object.values(partsOf(resolveSpec({ format }), shape))
  return parts.reduce((total, part) => total + product(part.shape) * dtypeBytes[part.dtype], 0)
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
