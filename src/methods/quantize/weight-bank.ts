// Every matrix in every format it may get, quantized once: assignments are then put together, measured and applied from here. It takes
// Σ bits of the formats per weight (17 for nf2, nf3, nf4 and int8) beside the model.

import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Linear } from '../../nn/linear.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import type { Assignment } from '../../probe/budget-assignment.ts'
import type { Intervention } from '../../probe/intervention.ts'
import { scope } from '../../torch/index.ts'
import { Count, type Watch } from '../../work.ts'
import type { Quantizer } from './choices.ts'
import type { FormatSizes } from './format-sizes.ts'
import { forEachQuantizer, type Quantize } from './quantizers.ts'
import { type FormatUnit, linearAt } from './units.ts'

export interface BankOptions {
  units: readonly FormatUnit[]
  formats: readonly QuantFormat[]
  quantizer: Quantizer
  /** Read by gptq only. */
  calibration: readonly Batch[]
}

/** Every unit in every format, rounded once and swapped in to be measured. */
export class WeightBank implements FormatSizes {
  readonly units: readonly FormatUnit[]
  readonly formats: readonly QuantFormat[]
  private readonly stored: ReadonlyMap<string, readonly QuantizedWeight[]>

  /** `stored`: for every path of the units, the matrix in each of the formats. */
  constructor(
    units: readonly FormatUnit[],
    formats: readonly QuantFormat[],
    stored: ReadonlyMap<string, readonly QuantizedWeight[]>,
  ) {
    this.units = units
    this.formats = formats
    this.stored = stored
  }

  /** The matrix at `path` in format number `option`. */
  at(path: string, option: number): QuantizedWeight {
    return this.stored.get(path)![option]!
  }

  /** Bytes of a unit in format number `option`. */
  bytes(unit: number, option: number): number {
    return this.units[unit]!.paths.reduce((sum, path) => sum + this.at(path, option).bytes, 0)
  }

  /** Numbers in all matrices of a unit. */
  weights(unit: number): number {
    return this.units[unit]!.paths.reduce((sum, path) => sum + product(this.at(path, 0).shape), 0)
  }

  /** Puts one unit in a format, for measuring. */
  unitAs(unit: number, option: number): Intervention {
    const { name, block, paths } = this.units[unit]!
    return this.intervention(`${name} as ${this.formats[option]}`, block, new Map(paths.map((path) => [path, option])))
  }

  /** Puts every unit in its format, for measuring. */
  wholeAs(assignment: Assignment): Intervention {
    const options = this.units.flatMap(({ paths }, unit) => paths.map((path) => [path, assignment[unit]!] as const))
    return this.intervention(assignment.join(''), this.units[0]!.block, new Map(options))
  }

  free(): void {
    for (const formats of this.stored.values()) for (const weight of formats) weight.free()
  }

  private intervention(name: string, firstBlock: number, options: ReadonlyMap<string, number>): Intervention {
    return {
      name,
      firstBlock,
      apply: (model) => {
        const undo: (() => void)[] = []
        for (const [path, option] of options) {
          const linear = linearAt(model, path)
          const dense = scope(() => this.at(path, option).dequantize(linear.weight.dtype)).keep()
          model.replace(path, new Linear(dense, linear.bias))
          undo.push(() => {
            model.replace(path, linear)
            dense.free()
          })
        }
        return () => {
          for (const one of undo) one()
        }
      },
    }
  }
}

/** Quantizes every matrix of the units in every format; the model is left as it is. Tells of `quantizing` in matrices. */
export async function buildBank(model: Decoder, options: BankOptions, watch?: Watch): Promise<WeightBank> {
  const { units, formats, quantizer, calibration } = options
  if (new Set(formats).size !== formats.length || formats.length === 0)
    throw new UsageError(`formats: expected different ones, got ${formats.join(', ') || 'none'}`)
  const stored = new Map<string, QuantizedWeight[]>()
  const total = units.reduce((sum, { paths }) => sum + paths.length * formats.length, 0)
  const matrices = new Count(watch, { label: 'quantizing', unit: 'matrices', total })
  const bank = new WeightBank(units, formats, stored)
  const quantizeIn = (path: string, quantize: Quantize): void => {
    const weights: QuantizedWeight[] = []
    stored.set(path, weights)
    for (const format of formats) {
      weights.push(quantize(linearAt(model, path).weight, format))
      matrices.add()
    }
  }
  try {
    await forEachQuantizer(model, { units, quantizer, calibration }, quantizeIn, watch)
  } catch (error) {
    bank.free()
    throw error
  }
  return bank
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}
