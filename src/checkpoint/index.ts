// The subpath `anneal/checkpoint`: safetensors, Hugging Face model directories, PEFT adapters, and run directories that survive a kill.
export type { WrittenFile } from '../files/atomic-write.ts'
export type { StoredDType } from '../model/dtype.ts'
export { readAdapter, type StoredAdapter, writeAdapter } from './adapter/adapter.ts'
export type { AdapterFile, LoraFile, PromptFile } from './adapter/adapter-config.ts'
export { type ClassifierLoadOptions, loadClassifier, saveModel } from './model-directory/classifier-directory.ts'
export {
  type EncoderLoadOptions,
  loadEncoder,
  loadEncoderConfig,
  saveEncoder,
} from './model-directory/encoder-directory.ts'
export { appendLineage, type LineageStep, type PassRecord, readLineage } from './model-directory/lineage.ts'
export { type LoadOptions, loadConfig, loadDecoder } from './model-directory/load.ts'
export { saveDecoder } from './model-directory/save.ts'
export { type ModelParts, saveEdited, writeModel } from './model-directory/write-model.ts'
export { type CheckpointMeta, type Manifest, verifyCheckpoint } from './run-directory/manifest.ts'
export {
  type Checkpoint,
  type CheckpointEntry,
  type CheckpointOptions,
  findCheckpoints,
  latestValid,
  writeCheckpoint,
} from './run-directory/run-directory.ts'
export { type LogRow, readTrainerState, type TrainerState, writeTrainerState } from './run-directory/trainer-state.ts'
