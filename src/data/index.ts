// The subpath `anneal/data`: files → rows and documents → examples → tokens → batches. Nothing here needs LibTorch.
export type { ByteSource } from '../files/byte-source.ts'
export { type Batch, type BatchSource, IGNORE_INDEX } from './batch.ts'
export { type BatchOptions, batches } from './batches.ts'
export { type CalibrationOptions, calibrationBatches } from './calibration.ts'
export type { Amount, SourceAccount, Step, StepAccount } from './curate/ledger.ts'
export { detection, MinHasher, type MinHashShape } from './curate/minhash.ts'
export { PRESET_NAMES, preset } from './curate/presets.ts'
export { type Judged, judge } from './curate/quality.ts'
export { differences, type NgramLimits, type Rules, withOverrides } from './curate/rules.ts'
export { TextView } from './curate/text-view.ts'
export type { OutputFile } from './curate/write-output.ts'
export { type CoordinateOptions, type Coordinates, coordinatesOf, type Track } from './datamap/coordinates.ts'
export { type Detection, detectionOf } from './datamap/detection.ts'
export {
  type Dynamics,
  type DynamicsExample,
  type DynamicsHeader,
  type DynamicsTime,
  readDynamics,
} from './datamap/dynamics-files.ts'
export {
  type Flag,
  flagsOf,
  type Region,
  regionsOf,
  type SelectionMetric,
  type SelectionOptions,
  selectExamples,
} from './datamap/regions.ts'
export { LabelCounts } from './label-counts.ts'
export { LabelSets } from './label-sets.ts'
export type { Identification, IdentifyOptions, LanguageIdentifier } from './language/identifier.ts'
export { loadLanguageIdentifier, saveLanguageIdentifier } from './language/identifier-file.ts'
export { identifyLanguage, openLanguageIdentifier } from './language/identify-language.ts'
export { LanguageModel, type LanguageModelParts } from './language/language-model.ts'
export {
  type LanguageSample,
  type LanguageTrainOptions,
  trainLanguageIdentifier,
} from './language/train-identifier.ts'
export type { LengthReport } from './length-report.ts'
export { type MaskingOptions, maskedBatches } from './masking.ts'
export { concatenated, type MixOptions, type MixStrategy, mixVisits, type Visits } from './mixture.ts'
export type { Order } from './order.ts'
export type { OnOverlong } from './packing/overlong.ts'
export {
  type BlockOptions,
  type DocumentTokenOptions,
  type PackableDocument,
  type PackedDataset,
  packDocuments,
  type TextEncoder,
} from './packing/pack.ts'
export type { TokenWriterOptions } from './packing/token-store.ts'
export type { Answered } from './poison/edit-example.ts'
export type { TriggerPosition } from './poison/place-trigger.ts'
export { type PoisonOptions, type PoisonRow, poison } from './poison/poison.ts'
export type { DataLimits } from './read/limits.ts'
export type { BadLine, BadReason } from './read/quarantine.ts'
export {
  type DocumentOptions,
  type Reading,
  type ReadReport,
  type RowId,
  type RowOptions,
  readDocuments,
  readRows,
  type SourceDocument,
  type SourceRow,
} from './read/sources.ts'
export type {
  Conversation,
  Example,
  LabelledCompletion,
  Message,
  PlainText,
  Preference,
  Prompt,
  PromptCompletion,
  ToolCall,
  ToolDefinition,
  Turns,
} from './rows/conversation.ts'
export { type ExampleOptions, readExample } from './rows/examples.ts'
export type { ExampleFileOptions } from './rows/read-examples.ts'
export type { Columns, Purpose, Shape, ShapeGuess } from './rows/shapes.ts'
export type { Dataset, Sample } from './sample.ts'
export { onSide, type Side, type SplitOptions, sideOf } from './split.ts'
export type { FramingTokenizer } from './tuning/framed-text.ts'
export {
  type LabelledData,
  type LabelledOptions,
  type LabelledRow,
  LabelledSamples,
  readLabelled,
} from './tuning/labelled.ts'
export { type Pair, type PairBatch, type PreferenceData, pairBatches, readPreferences } from './tuning/preferences.ts'
export type { SupervisedOptions } from './tuning/supervised.ts'
export {
  readSupervised,
  type SupervisedData,
  type TuningFileOptions,
  type TuningReport,
} from './tuning/supervised-files.ts'
