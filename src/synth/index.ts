// The subpath `anneal/synth`: rows that a teacher makes of seeds, by a recipe, kept call by call. Nothing here needs LibTorch.

export type { PythonRandom } from '../eval/python-random.ts'
export type { Sampling } from './kept-model.ts'
export { type CallRecord, type LedgerCall, readCalls, type Spent, type SynthesisBudget } from './ledger.ts'
export { type Recipe, Refused, type RowTools } from './recipe.ts'
export type { Reject } from './row-files.ts'
export { type SynthesisResult, type SynthesizeOptions, synthesize } from './synthesize.ts'
