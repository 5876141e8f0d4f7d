// The public surface of `anneal`, name by name and in the order of a model's life. What is not here may change any day.
// Tensors and autograd are `anneal/torch`; text alone, which needs no LibTorch, is `anneal/text`.
// biome-ignore-all assist/source/organizeImports: the order tells what comes after what

// Text → tokens
export {
  type BpeOptions,
  CHATML_TEMPLATE,
  type ChatInput,
  type ChatMessage,
  encodeChat,
  renderChat,
  Tokenizer,
  trainBpe,
} from './text/index.ts'

// Tokens → batches
export {
  type DocumentOptions,
  type Reading,
  readDocuments,
  readRows,
  type SourceDocument,
} from './data/read/sources.ts'
export type { Example } from './data/rows/conversation.ts'
export { type ExampleOptions, readExample } from './data/rows/examples.ts'
export { type CalibrationOptions, calibrationBatches } from './data/calibration.ts'
export { onSide, type SplitOptions, sideOf } from './data/split.ts'
export { type BlockOptions, type PackedDataset, packDocuments, type TextEncoder } from './data/packing/pack.ts'
export type { Dataset, Sample } from './data/sample.ts'
export { type Batch, type BatchSource, IGNORE_INDEX } from './data/batch.ts'
export { type BatchOptions, batches } from './data/batches.ts'

// Batches → logits
export { type DecoderConfig, readModelConfig } from './model/config.ts'
export { Decoder, type DecoderInput, initialise } from './model/decoder.ts'
export type { BranchRule } from './nn/branch.ts'
export { Layer } from './nn/layer.ts'
export { Linear, type LinearLike } from './nn/linear.ts'
export { QUANT_FORMATS, type QuantFormat, type QuantOptions } from './nn/quant/format.ts'
export { quantizeWeight } from './nn/quant/quantize-weight.ts'
export type { QuantizedWeight } from './nn/quant/quantized-weight.ts'
export { QuantLinear } from './nn/quant-linear.ts'
export { dequantizeModel, type QuantPlan, type QuantReport, quantizeModel } from './model/quantize-model.ts'

// Logits → loss → step
export { languageModeling, type Objective } from './train/objective.ts'
export { makeSchedule, SCHEDULES, type Schedule, type ScheduleOptions } from './train/schedule.ts'
export { AdamW, type AdamWOptions } from './train/adamw.ts'
export type { MicroBatch, Rule, RunState } from './train/rule.ts'
export { type TrainOptions, train } from './train/train.ts'
export type { StepMetrics, TrainEvent } from './train/events.ts'
export { evaluate } from './train/evaluate.ts'
export { TensorBoardWriter } from './train/tensorboard.ts'

// Methods: each has its card in src/methods
export { addLora, type LoraOptions, loraPlus, setAdapters, withoutAdapter } from './methods/lora/lora.ts'
export { loadLora, saveLora } from './methods/lora/adapter-files.ts'
export { merge, mergeAndUnload, unmerge } from './methods/lora/merge.ts'
export {
  compareMerges,
  type Divergence,
  type MergeBase,
  mergeQuantized,
  type QuantizedMergeOptions,
} from './methods/lora/quantized-base.ts'
export { addPrompt, promptOf, promptTuning } from './methods/prompt-tuning/prompt-tuning.ts'
export { loadPrompt, savePrompt } from './methods/prompt-tuning/prompt-files.ts'
export { type FreezeOptions, freezeExcept } from './methods/freeze/freeze.ts'
export { dropbp } from './methods/dropbp/dropbp.ts'
export type { SlebResult, SlebStep, SlebWatch } from './methods/sleb/result.ts'
export { sleb } from './methods/sleb/sleb.ts'
export { eliminate } from './methods/sleb/eliminate.ts'
export { saveEliminated } from './methods/sleb/save-eliminated.ts'
export { type PruneRecord, prune } from './methods/prune/prune.ts'
export type { PruneOptions } from './methods/prune/options.ts'
export { applyFormats, chooseFormats, type FormatOptions } from './methods/quantize/quantize.ts'
export { quantizeWithLoftq } from './methods/quantize/in-place.ts'
export { loftq } from './methods/quantize/loftq.ts'
export {
  answerLogProbs,
  computeReference,
  type DpoOptions,
  dpo,
  precomputed,
  referenceModel,
} from './methods/dpo/dpo.ts'
export { readSupervised } from './data/tuning/supervised-files.ts'
export { pairBatches, readPreferences } from './data/tuning/preferences.ts'

// What a change would cost: interventions × batches → numbers
export { type Intervention, withoutBlock, withoutBranches } from './probe/intervention.ts'
export { crossEntropyMetric, divergenceMetric, gradientNormMetric, type Metric } from './probe/metric.ts'
export { type Probe, probeTable } from './probe/probe.ts'
export { race } from './probe/race.ts'
export { Journal } from './probe/journal.ts'

// Step → disk
export { saveDecoder } from './checkpoint/model-directory/save.ts'
export { type ModelParts, saveEdited, writeModel } from './checkpoint/model-directory/write-model.ts'
export { type LoadOptions, loadConfig, loadDecoder } from './checkpoint/model-directory/load.ts'
export { findCheckpoints, latestValid, writeCheckpoint } from './checkpoint/run-directory/run-directory.ts'
export { verifyCheckpoint } from './checkpoint/run-directory/manifest.ts'
export { restoreRunState, saveRunState } from './train/run-state.ts'
export { readTrainerState, writeTrainerState } from './checkpoint/run-directory/trainer-state.ts'
export { appendLineage, type LineageStep, readLineage } from './checkpoint/model-directory/lineage.ts'

// Disk → other programs (docs/export.md)
export { type CheckedGguf, exportGguf, type GgufCheck } from './gguf/export-gguf.ts'
export type { GgufExport, GgufExportOptions } from './gguf/export-model.ts'
export { exportAdapterGguf } from './gguf/export-adapter.ts'
export { loadGguf } from './gguf/load-model.ts'
export { loadGgufParts } from './gguf/load-parts.ts'

// Disk → text
export {
  collect,
  type GenerateOptions,
  type GenerateRequest,
  type Generation,
  type GenerationPiece,
  type Lm,
  type Prompt,
} from './lm/lm.ts'
export { type ExportOptions, type ExportResult, exportModel } from './run/export/export-model.ts'
export { type LoadLmOptions, loadLm } from './run/load-lm.ts'
export { type LoadedModel, type LoadModelOptions, loadModel } from './run/load-model.ts'
export type { EditOptions, EditResult, HeldOut } from './run/edit/edit-model.ts'
export type { PruneFigures } from './run/prune/prune-report.ts'
export { type RunPruneOptions, runPrune } from './run/prune/run-prune.ts'
export { type RunSlebOptions, runSleb } from './run/sleb/run-sleb.ts'
export { type RunQuantizeOptions, runQuantize } from './run/quantize/run-quantize.ts'
export { parseQprunerConfig, type QprunerConfig } from './run/qpruner/config.ts'
export { type QprunerResult, runQpruner } from './run/qpruner/run-qpruner.ts'
export { type AdapterSource, type ModelSource, modelSource } from './run/model-source.ts'
export { Engine, type EngineOptions, type EngineParts } from './infer/engine.ts'
export { fakeLm } from './lm/fake-lm.ts'

// What happened
export { type Report, type ReportBlock, type ReportSection, renderReport } from './report/report.ts'
export { smoothed } from './report/series.ts'

// Errors: `describeError` gives the line that the command line prints, `exitCodeOf` its exit code
export {
  AnnealError,
  CheckpointError,
  ConfigError,
  DiskFullError,
  describeError,
  EngineMissingError,
  exitCodeOf,
  InputError,
  NativeError,
  NonFiniteError,
  OutOfMemoryError,
  TokenizerError,
  UnsupportedError,
  UsageError,
} from './errors.ts'
