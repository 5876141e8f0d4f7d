// The front door of `anneal`: what people start with, in the order of a model's life, and errors. Everything else has a subpath by floor:
// anneal/text, /data, /lm and /report need no LibTorch; /torch, /nn, /model, /checkpoint, /train, /infer, /probe, /gguf, /check,
// /methods/<slug> and /run do. What no entry exports may change any day.
// biome-ignore-all assist/source/organizeImports: the order tells what comes after what

// Text → tokens → batches
export { type BpeOptions, Tokenizer, trainBpe } from './text/index.ts'
export {
  batches,
  packDocuments,
  pairBatches,
  readDocuments,
  readPreferences,
  readSupervised,
} from './data/index.ts'

// Batches → logits → loss → step
export { Decoder, readModelConfig } from './model/index.ts'
export {
  evaluate,
  languageModeling,
  type ReadStates,
  type TrainEvent,
  type TrainOptions,
  train,
} from './train/index.ts'

// Methods: each has its card in src/methods
export { addLora, mergeAndUnload, saveLora, withoutAdapter } from './methods/lora/index.ts'
export { answerLogProbs, dpo } from './methods/dpo/index.ts'
export { dropbp } from './methods/dropbp/index.ts'

// A model and what was made of it, on disk
export { loadDecoder, saveDecoder } from './checkpoint/index.ts'
export {
  type LoadedModel,
  loadLm,
  loadModel,
  parseConfig,
  runPrune,
  runQuantize,
  runSleb,
  runTraining,
  trainConfig,
} from './run/index.ts'
export { exportGguf } from './gguf/index.ts'

// Disk → text
export { collect, type GenerateRequest, type Generation, type Lm } from './lm/index.ts'

// What happened: events of long work, pages
export {
  eventsOf,
  type Progress,
  resultOf,
  type Tell,
  turn,
  type Watch,
  type WorkEvent,
} from './work.ts'
export { renderReport } from './report/index.ts'

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
