// Where computing happens and what it costs in memory.
import { UsageError } from '../errors.ts'
import { type EngineInfo, type MemoryStats, native } from './native.ts'
import { checkThreads } from './threads.ts'

/** LibTorch's version, threads and devices. */
export function engineInfo(): EngineInfo {
  return native.engineInfo()
}

/** Sets LibTorch's threads for operators of this process. */
export function setThreads(count: number): void {
  native.setThreads(checkThreads('threads', count))
}

/** `auto` → `cuda` where there is one, else `cpu`; asking for a missing `cuda` is an error. */
export function resolveDevice(wish: string): 'cpu' | 'cuda' {
  const has = native.engineInfo().cudaDevices > 0
  if (wish === 'auto') return has ? 'cuda' : 'cpu'
  if (wish === 'cuda' && !has)
    throw new UsageError(
      'device: expected a CUDA device, got none. Use --device cpu, or point ANNEAL_LIBTORCH at a CUDA build of LibTorch',
    )
  if (wish !== 'cpu' && wish !== 'cuda') throw new UsageError(`device: expected cpu, cuda or auto, got ${wish}`)
  return wish
}

/** Live tensors and bytes; see `MemoryStats`. */
export function memoryStats(): MemoryStats {
  return native.stats()
}

/** Makes the current bytes the new peak. */
export function resetPeakMemory(): void {
  native.resetPeak()
}

/** Gives cached blocks back to the system, as when a server goes idle. */
export function releaseMemory(): void {
  native.releaseCache()
}

/** Waits for the device; needed around timings on a GPU. */
export function synchronize(): void {
  native.synchronize()
}
