// What can be chosen when matrices are quantized, by name. Data only, so that `--help` and a configuration load no engine.
import type { QuantFormat } from '../../nn/quant/format.ts'

/** How formats are given to units; a method may bring a score of its own (`FormatScore`). */
export const ALLOCATIONS = ['uniform', 'sensitivity', 'fisher', 'bo'] as const

/** The name of a way to share bits. */
export type AllocationMethod = (typeof ALLOCATIONS)[number]

/** `rtn` takes the nearest levels, `gptq` makes up for each column's error in the columns after it. */
export const QUANTIZERS = ['rtn', 'gptq'] as const

/** The name of a way to round. */
export type Quantizer = (typeof QUANTIZERS)[number]

/** `kl`: from the dense model's predictions to the quantized model's. `ce`: rise of the cross-entropy; noise can make it negative. */
export const OBJECTIVES = ['kl', 'ce'] as const

/** What a format is judged by. */
export type QuantObjective = (typeof OBJECTIVES)[number]

/** What is given a format as a whole. */
export const GRANULARITIES = ['layer', 'matrix'] as const

/** Whether a layer or each of its matrices has a format of its own. */
export type FormatGranularity = (typeof GRANULARITIES)[number]

/** Bits per weight that a format takes at the very least, its scales counted in: with whole blocks, and rows without end. */
const LEAST_BITS: Readonly<Record<QuantFormat, number>> = { nf4: 4.5, nf3: 3.5, nf2: 2.5, int8: 8.5, int4: 4.5 }

/** What is wrong with a budget that none of the formats can meet, whatever the model's shapes: `expected …`. */
export function impossibleBudget(budgetBits: number, formats: readonly QuantFormat[]): string | undefined {
  const least = Math.min(...formats.map((format) => LEAST_BITS[format]))
  if (budgetBits >= least) return undefined
  return `expected at least ${least} bits per weight, which ${formats.join(', ')} allow with their scales, got ${budgetBits}. Raise it, or allow a smaller format`
}

/** What is done where nothing else is said. */
export const DEFAULTS = {
  allocate: 'sensitivity',
  formats: ['nf2', 'nf3', 'nf4', 'int8'],
  granularity: 'layer',
  quantizer: 'gptq',
  objective: 'kl',
  evaluations: 40,
  seed: 0,
} as const
