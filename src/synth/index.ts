// The subpath `anneal/synth`: rows that a teacher makes of seeds, by a recipe, kept call by call. Nothing here needs LibTorch.

export type { PiiKind } from '../data/curate/pii.ts'
export type { Diversity } from '../eval/diversity/measure-diversity.ts'
export type { PythonRandom } from '../eval/python-random.ts'
export { type Column, type ColumnsOptions, columns } from './columns.ts'
export type { Sampling } from './kept-model.ts'
export { type CallRecord, type LedgerCall, readCalls, type Spent, type SynthesisBudget } from './ledger.ts'
export type { SeedFile } from './lineage.ts'
export { copiesOf, type NearCopy, nearCopies } from './near-copies.ts'
export { type PreviewCall, previewSynthesis, type SynthesisPreview } from './preview-synthesis.ts'
export { type Recipe, Refused, type RowTools } from './recipe.ts'
export type { ComparedTexts } from './synthesis-report.ts'
export { type SynthesisResult, type SynthesizeOptions, synthesize } from './synthesize.ts'
