// The subpath `anneal/torch`: tensors, autograd and memory, for programs of your own.
export { autocast, autocastDtype } from './autocast.ts'
export { checkpoint, isRecomputing } from './checkpointing.ts'
export {
  engineInfo,
  memoryStats,
  releaseMemory,
  resetPeakMemory,
  resolveDevice,
  setThreads,
  synchronize,
} from './device.ts'
export type { DType, TypedArray } from './dtype.ts'
export { backward, enableGrad, gradients, inference, isGradEnabled, noGrad } from './grad.ts'
export { type EngineInfo, hasOp, type MemoryStats } from './native.ts'
/** Every operator that `native/ops.txt` allows, with the argument order of LibTorch. */
export * as ops from './ops.gen.ts'
export { Generator } from './random.ts'
export { Replay } from './replay.ts'
export { scope } from './scope.ts'
export { Tensor } from './tensor.ts'
