// Loads the add-on and types its functions. The only file that touches native code; everything else uses tensors.
import { createRequire } from 'node:module'
import { EngineMissingError, NativeError, OutOfMemoryError, UsageError } from '../errors.ts'
import { availableProcessors } from './setup/cpu-quota.ts'
import { readEngineRecord } from './setup/record.ts'
import { threadsFor, withWaitPolicy } from './threads.ts'

/** What native/*.cc exports. Tensors and generators are integer handles; 0 is "none". */
export interface Native {
  setErrorFactory(make: (kind: string, op: string, shapes: string[], message: string) => Error): void
  op(name: string, overload: string): number
  schema(name: string, overload: string): string
  call(op: number, ...values: unknown[]): unknown
  fromData(data: NodeJS.ArrayBufferView, dtype: number, sizes: readonly number[]): number
  toData(handle: number, into: NodeJS.ArrayBufferView): void
  item(handle: number): number
  sizes(handle: number): number[]
  strides(handle: number): number[]
  dtype(handle: number): number
  device(handle: number): string
  storageId(handle: number): number
  version(handle: number): number
  alias(handle: number): number
  free(handles: Uint32Array, count: number): void
  freeOne(handle: number): void
  adopt(handle: number): void
  makeGenerator(seed: number, device: string): number
  freeGenerator(generator: number): void
  getGeneratorState(generator: number): number
  setGeneratorState(generator: number, state: number): void
  setThreads(count: number): void
  stats(): MemoryStats
  resetPeak(): void
  releaseCache(): void
  synchronize(): void
  engineInfo(): EngineInfo
  record(inputs: readonly number[]): void
  recorded(result: number): number
  sameRecordings(a: number, b: number): boolean
  replay(recording: number, inputs: readonly number[]): number
  forget(recording: number): void
  setGradEnabled(on: boolean): boolean
  setInference(on: boolean): boolean
  requiresGrad(handle: number): boolean
  isLeaf(handle: number): boolean
  setRequiresGrad(handle: number, on: boolean): void
  grad(handle: number): number
  setGrad(handle: number, gradient: number): void
  backward(outputs: number[], gradients: number[], retainGraph: boolean): void
  gradients(
    outputs: number[],
    inputs: number[],
    gradOutputs: number[],
    retainGraph: boolean,
    createGraph: boolean,
  ): number[]
}

/** Bytes of tensors alive, kept for reuse, and the highest alive so far; tensors known to this isolate. */
export interface MemoryStats {
  liveTensors: number
  liveBytes: number
  cachedBytes: number
  peakBytes: number
  cudaLiveBytes: number
  cudaPeakBytes: number
}

/** Which LibTorch is in use, and how. */
export interface EngineInfo {
  version: string
  threads: number
  cudaDevices: number
  /** What multiplies f32 matrices in training: `mkl`, `onednn`, or the matrix unit by `bf16x3` or `bf16x6`. */
  matmul: string
  description: string
}

function load(): Native {
  const record = readEngineRecord()
  if (record === undefined)
    throw new EngineMissingError(
      'the engine is not built: expected an add-on for LibTorch, got none. Run `anneal setup`',
    )
  try {
    return withWaitPolicy(() => createRequire(import.meta.url)(record.addon) as Native)
  } catch (error) {
    throw new EngineMissingError(
      `the add-on for LibTorch ${record.version} does not load: ${(error as Error).message}. Run \`anneal setup\` again`,
      { cause: error },
    )
  }
}

export const native: Native = load()

native.setErrorFactory((kind, op, shapes, message) =>
  kind === 'memory'
    ? new OutOfMemoryError(`out of memory in ${op}(${shapes.join(', ')}): ${message}`)
    : new NativeError(op, shapes, message),
)
const wish = process.env.ANNEAL_MATMUL
if (wish && wish !== native.engineInfo().matmul)
  throw new UsageError(
    `ANNEAL_MATMUL: expected mkl, onednn, bf16x3 or bf16x6, as far as this processor and LibTorch have them, got ${wish}. Unset it for ${native.engineInfo().matmul}`,
  )
native.setThreads(threadsFor(process.env, native.engineInfo().threads, availableProcessors()))

/** The index of an operator for `native.call`; an error that names it where this LibTorch, or an add-on from before it, has none. */
export function resolve(name: string, overload: string): number {
  const index = native.op(name, overload)
  if (index < 0 && name.startsWith('anneal::'))
    throw new EngineMissingError(
      `the add-on is older than this program: expected an operator ${name}, got none. Run \`anneal setup\``,
    )
  if (index < 0) throw new NativeError(name, [], `LibTorch ${native.engineInfo().version} has no such operator`)
  return index
}

/** True where this LibTorch has the operator. */
export function hasOp(name: string, overload = ''): boolean {
  return native.schema(name, overload) !== ''
}
