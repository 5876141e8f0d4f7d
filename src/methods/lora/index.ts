// The subpath `anneal/methods/lora`: LoRA, rsLoRA, DoRA and LoRA+, several at once, in PEFT's files, merged and unmerged.
export { loadLora, loadLoras, saveLora } from './adapter-files.ts'
export { addLora, type LoraOptions, loraPlus, setAdapters, withoutAdapter } from './lora.ts'
export { merge, mergeAndUnload, unmerge } from './merge.ts'
export {
  compareMerges,
  type Divergence,
  type MergeBase,
  mergeQuantized,
  type QuantizedMergeOptions,
} from './quantized-base.ts'
export { rowAdapters } from './row-adapters.ts'
export type { Targets } from './targets.ts'
