// The subpath `anneal/methods/quantize`: bits where they matter: formats by measured loss under a budget, GPTQ, LoftQ.
export type { Allocation } from './allocate.ts'
export {
  ALLOCATIONS,
  type AllocationMethod,
  type FormatGranularity,
  QUANTIZERS,
  type Quantizer,
  type QuantObjective,
} from './choices.ts'
export type { FormatsSummary, TrialSummary, UnitSummary } from './figures.ts'
export type { FormatSizes } from './format-sizes.ts'
export { type AdapterStart, type InPlaceOptions, quantizeWithLoftq } from './in-place.ts'
export { type LoftqOptions, type LoftqStart, loftq } from './loftq.ts'
export { applyFormats, type ChosenFormats, chooseFormats, type FormatOptions, type FormatsReport } from './quantize.ts'
export type { FormatUnit } from './units.ts'
export type { WeightBank } from './weight-bank.ts'
