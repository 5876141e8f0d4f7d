// The subpath `anneal/run`: configuration → work → events → files. A program, a server or a page starts here.
export type { DataKeys, HeldData } from '../config/data-keys.ts'
export type { EncoderKeys } from '../config/encoder-keys.ts'
export type { ModelKeys } from '../config/model-keys.ts'
export type { OptimizationKeys, SchedulerType } from '../config/optimization-keys.ts'
export type { Override } from '../config/overrides.ts'
export { type GivenValues, type ParsedConfig, parseConfig, trainConfig } from '../config/parse.ts'
export type { PresetName } from '../config/presets.ts'
export type { QuantKeys } from '../config/quant-keys.ts'
export type { RunKeys } from '../config/run-keys.ts'
export type { ConfigKey, TrainConfig, TrainConfigValues } from '../config/schema.ts'
export type { SftKeys } from '../config/sft-keys.ts'
export type { PreferenceKeys } from '../methods/dpo/keys.ts'
export type { DropBpKeys, DropBpSection } from '../methods/dropbp/keys.ts'
export type { FreezeKeys } from '../methods/freeze/keys.ts'
export type { MethodKeys } from '../methods/keys.ts'
export type { LoraKeys } from '../methods/lora/keys.ts'
export type { PromptKeys } from '../methods/prompt-tuning/keys.ts'
export type { Classification, TextLabeller } from './classification.ts'
export {
  type CurateConfig,
  type CurateConfigValues,
  type CurateSource,
  curateConfig,
  parseCurateConfig,
} from './curate/config.ts'
export type { CurateSummary, Dropped } from './curate/curate-summary.ts'
export type { UsedPreset } from './curate/plan.ts'
export { type CurateResult, mergeCurate, type RunCurateOptions, runCurate } from './curate/run-curate.ts'
export { type CurateStatus, curateStatus } from './curate/shards.ts'
export { type QueueOptions, writeQueue } from './datamap/annotation-queue.ts'
export {
  applyDecisions,
  type NewVersion,
  type SelectOptions,
  selectVersion,
} from './datamap/new-version.ts'
export { type CrossfitOptions, runCrossfit } from './datamap/run-crossfit.ts'
export { type DatamapOptions, type DatamapResult, runDatamap } from './datamap/run-datamap.ts'
export type { CheckpointDynamics, Dynamics, MovedRows, MovedWeight } from './dynamics/dynamics.ts'
export { type RunDynamicsOptions, runDynamics } from './dynamics/run-dynamics.ts'
export type { EditOptions, EditResult, HeldOut } from './edit/edit-model.ts'
export type { WindowOptions } from './edit/edit-windows.ts'
export type { JudgeOptions } from './eval/open-judges.ts'
export { type RunEvalOptions, runEval } from './eval/run-eval.ts'
export { type RunRescoreOptions, runRescore } from './eval/run-rescore.ts'
export type { ExportedDirectory, HuggingFaceTarget } from './export/export-hf.ts'
export { type ExportOptions, type ExportResult, exportModel } from './export/export-model.ts'
export { type ExtendedTokenizer, type ExtendTokenizerOptions, extendTokenizer } from './extend-tokenizer.ts'
export type { Cost, GateCost } from './gate/gate-cost.ts'
export type { GateQuestionRow } from './gate/gate-questions.ts'
export type { GateSource } from './gate/gate-source.ts'
export { type AskOptions, recordAnswers } from './gate/record-answers.ts'
export {
  type FitGateOptions,
  type FittedGate,
  fitGate,
  reportGates,
  runGateSweep,
  type SweepGatesOptions,
} from './gate/run-gate.ts'
export {
  type GateResult,
  type GateSweep,
  type SweepOptions,
  sweepGates,
  type VectorRecord,
} from './gate/sweep-gates.ts'
export { loadTextClassifier, openClassifier, TextClassifier } from './load-classifier.ts'
export { loadEmbedder } from './load-embedder.ts'
export { type LoadLmOptions, loadLm } from './load-lm.ts'
export { type LoadedModel, type LoadModelOptions, loadModel } from './load-model.ts'
export { readServices, type ServicesFile } from './load-services.ts'
export {
  type FertilityTable,
  type MeasuredFertility,
  type MeasureFertilityOptions,
  measureFertility,
} from './measure-fertility.ts'
export { type MeasureToxicityOptions, measureToxicity } from './measure-toxicity.ts'
export type { MemoryNeed } from './memory/memory-estimate.ts'
export { type AdapterSource, type ModelSource, modelSource } from './model-source.ts'
export { type OpenedReranker, openReranker } from './open-reranker.ts'
export { type OpenedScorer, type OpenScorerOptions, openScorer } from './open-scorer.ts'
export type { PruneFigures } from './prune/prune-report.ts'
export { type RunPruneOptions, runPrune } from './prune/run-prune.ts'
export type { PushKind } from './push/describe-push.ts'
export type { LeftOut } from './push/files-to-push.ts'
export { type PushOptions, type PushResult, push } from './push/push.ts'
export {
  type PruneSection,
  parseQprunerConfig,
  type QprunerConfig,
  type QprunerConfigValues,
  type QuantizeSection,
  qprunerConfig,
  type RecoverSection,
} from './qpruner/config.ts'
export { checkQpruner, type QprunerResult, type RunQprunerOptions, runQpruner } from './qpruner/run-qpruner.ts'
export type { Judged } from './qpruner/stages.ts'
export type { AllocationName } from './quantize/allocation-names.ts'
export type { QuantizeSummary } from './quantize/quantize-report.ts'
export { type RunQuantizeOptions, runQuantize, type Unchanged } from './quantize/run-quantize.ts'
export type { SampleColumns } from './read-samples.ts'
export { resolveModelPath } from './resolve-model.ts'
export { type AskIndexOptions, askIndex } from './retrieve/ask-index.ts'
export {
  addToIndex,
  type BuildIndexOptions,
  type BuiltIndex,
  buildIndex,
  type IndexDataOptions,
} from './retrieve/build-index.ts'
export type { Audit } from './sande/audit-report.ts'
export { type AuditWish, type RunAuditOptions, runAudit } from './sande/run-audit.ts'
export { type PoisonedData, type RunPoisonOptions, runPoison } from './sande/run-poison.ts'
export { runSande, type SandeResult } from './sande/run-sande.ts'
export type { RunSandeOptions } from './sande/sande-options.ts'
export { type Served, type ServeOptions, serve } from './serve.ts'
export { type RunSlebOptions, runSleb } from './sleb/run-sleb.ts'
export type { SlebSummary } from './sleb/sleb-report.ts'
export { type StreamDatasetOptions, type StreamedDataset, streamDataset } from './stream-dataset.ts'
export type { Evaluated } from './sweep/evaluate-all.ts'
export type { Evaluation, EvaluationOptions } from './sweep/read-evaluations.ts'
export type { Sweep, SweepRun } from './sweep/read-sweep.ts'
export { runSweep } from './sweep/run-sweep.ts'
export type { SweepResult, SweepRow } from './sweep/sweep-result.ts'
export {
  type PsydtConfig,
  type SynthConfig,
  type SynthConfigValues,
  synthConfig,
  type TeacherConfig,
} from './synth/config.ts'
export type { TeacherPlace } from './synth/open-teacher.ts'
export { checkSynth, type RunSynthOptions, runSynth } from './synth/run-synth.ts'
export { checkTraining } from './train/check-training.ts'
export type { Fingerprint } from './train/fingerprint.ts'
export type { RunEvent, RunOnlyEvent, TrainResult } from './train/run-events.ts'
export { type RunTrainingOptions, runTraining } from './train/run-training.ts'
export { type TrainedIdentifier, type TrainIdentifierOptions, trainIdentifier } from './train-identifier.ts'
export { type RunTransferOptions, runTransfer } from './transfer/run-transfer.ts'
export type { TransferResult } from './transfer/transfer-result.ts'
