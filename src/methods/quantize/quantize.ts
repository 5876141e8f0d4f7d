// Mixed precision for a model, pruned or not: which format each layer or matrix gets within a budget of bytes, chosen and applied. One
// format for all is the case without a budget. What the formats are and what they store is src/nn/quant.

import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import type { FormatScore } from '../../probe/format-score.ts'
import type { MeasureWatch } from '../../probe/probe.ts'
import { type Allocation, allocate, budgetOf } from './allocate.ts'
import {
  type AllocationMethod,
  DEFAULTS,
  type FormatGranularity,
  type Quantizer,
  type QuantObjective,
} from './choices.ts'
import { formatSizes } from './format-sizes.ts'
import { putQuantized } from './in-place.ts'
import { MeasuredLoss } from './measured-loss.ts'
import { quantUnits } from './units.ts'
import { buildBank, type WeightBank } from './weight-bank.ts'

/** The budget, the formats to choose from, and how the choice is made. */
export interface FormatOptions {
  /** Most bits per weight, with scales; nf4 alone takes 4.5. */
  budgetBits: number
  /** By name, or a score of another method. Default `sensitivity`. */
  allocate?: AllocationMethod | FormatScore
  /** Formats to choose from. Default nf2, nf3, nf4, int8. */
  formats?: readonly QuantFormat[]
  /** Default `layer`. */
  granularity?: FormatGranularity
  /** Default `gptq`. */
  quantizer?: Quantizer
  /** What measuring measures. Default `kl`. */
  objective?: QuantObjective
  /** Most evaluations of `bo`. Default 40. */
  evaluations?: number
  seed?: number
}

/** Formats that were chosen, and the matrices in all formats. */
export interface ChosenFormats {
  allocation: Allocation
  bank: WeightBank
}

/**
 * Chooses formats for the matrices of `model`, which is left as it is, also after an abort; `watch.cells` keeps what was measured, and a
 * run that gets it again goes on. `calibration` may be empty for `uniform` with rtn.
 */
export async function chooseFormats(
  model: Decoder,
  calibration: readonly Batch[],
  options: FormatOptions,
  watch: MeasureWatch = {},
): Promise<ChosenFormats> {
  const resolved = { ...DEFAULTS, ...options }
  const { formats, quantizer } = resolved
  if (calibration.length === 0 && (resolved.allocate !== 'uniform' || quantizer === 'gptq'))
    throw new UsageError(`data: expected calibration text with ${nameOf(resolved.allocate)} and ${quantizer}, got none`)
  const units = quantUnits(model, resolved.granularity)
  budgetOf(formatSizes(model, units, formats), resolved.budgetBits) // before hours of work
  const bank = await buildBank(model, { units, formats, quantizer, calibration }, watch)
  const measured = new MeasuredLoss(model, bank, calibration, resolved.objective, watch)
  try {
    const settings = { ...resolved, method: resolved.allocate }
    const allocation = await allocate(model, bank, measured, calibration, settings, watch)
    return { allocation, bank }
  } catch (error) {
    bank.free()
    throw error
  } finally {
    measured.free()
  }
}

/** Of the lineage: which format each unit got. */
export type FormatsReport = {
  method: string
  bytes: number
  budget: number
  /** Per weight, scales included. */
  bits: number
  formats: Record<string, QuantFormat>
}

/** Puts the chosen formats into the model, which then owns them; the rest of the bank is freed. Returns what `appendLineage` takes. */
export function applyFormats(
  model: Decoder,
  { allocation, bank }: ChosenFormats,
  options: FormatOptions,
): PassRecord<FormatsReport> {
  for (const [unit, { paths }] of bank.units.entries())
    for (const path of paths)
      for (const option of bank.formats.keys()) {
        if (option === allocation.assignment[unit]) putQuantized(model, path, bank.at(path, option))
        else bank.at(path, option).free()
      }
  const { method, bytes, budget, bits } = allocation
  return {
    pass: 'quantize',
    options: { ...DEFAULTS, ...options, allocate: nameOf(options.allocate ?? DEFAULTS.allocate) },
    report: { method, bytes, budget, bits, formats: Object.fromEntries(formatsByUnit(bank, allocation)) },
  }
}

/** Unit → format. */
export function formatsByUnit(
  bank: WeightBank,
  { assignment }: Pick<Allocation, 'assignment'>,
): [string, QuantFormat][] {
  return bank.units.map(({ name }, unit) => [name, bank.formats[assignment[unit]!]!])
}

/** Path of every matrix → format. */
export function formatsByPath(
  bank: WeightBank,
  { assignment }: Pick<Allocation, 'assignment'>,
): Map<string, QuantFormat> {
  return new Map(bank.units.flatMap(({ paths }, unit) => paths.map((path) => [path, bank.formats[assignment[unit]!]!])))
}

const nameOf = (allocate: AllocationMethod | FormatScore): string =>
  typeof allocate === 'object' ? allocate.name : allocate
