// Mixed precision for a model, pruned or not: which format each layer or matrix gets within a budget of bytes, chosen and applied, and
// start values for the LoRA that makes up for what was lost.
// Paper: QPruner, arXiv:2412.11629: prune → precision by importance (mutual information) → Bayesian optimisation → LoftQ + LoRA.
// Pruning and LoRA are methods of their own; the whole line is `anneal qpruner`.
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { QuantLinear } from '../../nn/quant-linear.ts'
import type { Trial } from '../../probe/assignment-search.ts'
import type { CellStore } from '../../probe/probe.ts'
import type { Tensor } from '../../torch/index.ts'
import { type Allocation, type AllocationMethod, allocate, budgetOf } from './allocate.ts'
import { formatSizes } from './format-sizes.ts'
import { type LoftqOptions, loftq } from './loftq.ts'
import { MeasuredLoss, type QuantObjective } from './measured-loss.ts'
import { forEachQuantizer, type Quantize, type Quantizer } from './quantizers.ts'
import { type Granularity, linearAt, quantUnits } from './units.ts'
import { buildBank, type WeightBank } from './weight-bank.ts'

export interface FormatOptions {
  /** Most bits per weight, with scales; nf4 alone takes 4.5. */
  budgetBits: number
  /** Default `sensitivity`. */
  allocate?: AllocationMethod
  /** Formats to choose from. Default nf2, nf3, nf4, int8. */
  formats?: readonly QuantFormat[]
  /** Default `layer`. */
  granularity?: Granularity
  /** Default `gptq`. */
  quantizer?: Quantizer
  /** What measuring measures. Default `kl`. */
  objective?: QuantObjective
  /** Most evaluations of `bo`. Default 40. */
  evaluations?: number
  seed?: number
}

/** What goes on, for a progress bar: `total` units in all of what `phase` counts. */
export interface Watcher {
  onProgress?: (phase: 'quantizing' | 'measuring' | 'searching', done: number, total: number) => void
  onTrial?: (trial: Trial) => void
  /** Keeps what was measured, as a `Journal` does on disk; an interrupted run that gets it again goes on. */
  cells?: CellStore | undefined
}

/** Formats that were chosen, and the matrices in all formats. */
export interface ChosenFormats {
  allocation: Allocation
  bank: WeightBank
}

export const DEFAULTS: Required<Omit<FormatOptions, 'budgetBits'>> = {
  allocate: 'sensitivity',
  formats: ['nf2', 'nf3', 'nf4', 'int8'],
  granularity: 'layer',
  quantizer: 'gptq',
  objective: 'kl',
  evaluations: 40,
  seed: 0,
}

/** Chooses formats for the matrices of `model`, which is left as it is. `calibration` may be empty for `uniform` with rtn. */
export async function chooseFormats(
  model: Decoder,
  calibration: readonly Batch[],
  options: FormatOptions,
  watcher: Watcher = {},
): Promise<ChosenFormats> {
  const resolved = { ...DEFAULTS, ...options }
  const { formats, quantizer } = resolved
  if (calibration.length === 0 && (resolved.allocate !== 'uniform' || quantizer === 'gptq'))
    throw new UsageError(`data: expected calibration text with ${resolved.allocate} and ${quantizer}, got none`)
  const units = quantUnits(model, resolved.granularity)
  budgetOf(formatSizes(model, units, formats), resolved.budgetBits) // before hours of work
  const matrices = units.reduce((sum, { paths }) => sum + paths.length * formats.length, 0)
  let quantized = 0
  const bank = buildBank(model, {
    units,
    formats,
    quantizer,
    calibration,
    onMatrix: () => watcher.onProgress?.('quantizing', ++quantized, matrices),
  })
  const measuresUnits = resolved.allocate === 'sensitivity' || resolved.allocate === 'bo'
  let settled = 0
  const measured = new MeasuredLoss(model, bank, calibration, resolved.objective, {
    cells: watcher.cells,
    onCells: (count) => {
      settled += count
      const total = units.length * formats.length * calibration.length
      if (measuresUnits && settled <= total) watcher.onProgress?.('measuring', settled, total)
    },
  })
  try {
    const allocation = await allocate(model, bank, measured, calibration, {
      ...resolved,
      method: resolved.allocate,
      onTrial: (trial, done, total) => {
        watcher.onTrial?.(trial)
        watcher.onProgress?.('searching', done, total)
      },
    })
    return { allocation, bank }
  } catch (error) {
    bank.free()
    throw error
  } finally {
    measured.free()
  }
}

/** Puts the chosen formats into the model, which then owns them; the rest of the bank is freed. Returns what `appendLineage` takes. */
export function applyFormats(
  model: Decoder,
  { allocation, bank }: ChosenFormats,
  options: FormatOptions,
): Pick<LineageStep, 'pass' | 'options' | 'report'> {
  for (const [unit, { paths }] of bank.units.entries())
    for (const path of paths)
      for (const option of bank.formats.keys()) {
        if (option === allocation.assignment[unit]) putQuantized(model, path, bank.at(path, option))
        else bank.at(path, option).free()
      }
  const { method, bytes, budget, bits } = allocation
  return {
    pass: 'qpruner',
    options: { ...DEFAULTS, ...options },
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

/** What quantizing in place needs besides the model. */
export interface InPlaceOptions {
  /** Path of every matrix → format. */
  formats: ReadonlyMap<string, QuantFormat>
  quantizer: Quantizer
  /** Read by gptq only. */
  calibration: readonly Batch[]
  onMatrix?: () => void
}

/** Quantizes the matrices at the paths of `formats` in place. */
export function quantizeAs(model: Decoder, options: InPlaceOptions): void {
  forEachFormat(model, options, (path, format, quantize) =>
    putQuantized(model, path, quantize(linearAt(model, path).weight, format)),
  )
}

/** Start values of a LoRA, and how far base and correction are from the matrix (Frobenius). */
export interface AdapterStart {
  /** [r, in] */
  A: Tensor
  /** [out, r] */
  B: Tensor
  before: number
  after: number
}

/** The same by LoftQ: base and correction together. Gives, for each path, the start of its adapter. */
export function quantizeWithLoftq(
  model: Decoder,
  options: InPlaceOptions,
  loftqOptions: LoftqOptions,
): Map<string, AdapterStart> {
  const starts = new Map<string, AdapterStart>()
  forEachFormat(model, options, (path, format, quantize) => {
    const { weight } = linearAt(model, path)
    const { base, ...start } = loftq(weight, (matrix) => quantize(matrix, format), loftqOptions)
    putQuantized(model, path, base)
    starts.set(path, start)
  })
  return starts
}

function forEachFormat(
  model: Decoder,
  { formats, quantizer, calibration, onMatrix }: InPlaceOptions,
  use: (path: string, format: QuantFormat, quantize: Quantize) => void,
): void {
  const units = quantUnits(model, 'matrix').filter(({ name }) => formats.has(name))
  forEachQuantizer(model, { units, quantizer, calibration }, (path, quantize) => {
    use(path, formats.get(path)!, quantize)
    onMatrix?.()
  })
}

function putQuantized(model: Decoder, path: string, weight: QuantizedWeight): void {
  const linear = linearAt(model, path)
  model.replace(path, new QuantLinear(weight, linear.bias))
  linear.weight.free()
}
