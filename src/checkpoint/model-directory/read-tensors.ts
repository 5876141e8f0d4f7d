// The tensors of stored weights, read while their files are mapped and not longer.
import { statSync } from 'node:fs'
import type { Tensor } from '../../torch/index.ts'
import { TensorReader } from '../safetensors/tensor-bytes.ts'
import { type ModelWeights, openModelWeights } from './model-weights.ts'

/** What is stored, and how to get at it. */
export interface StoredTensors extends ModelWeights {
  /** The tensor called `name`, which must be there, on the CPU and in the file's dtype. Writing to it does not touch the file. */
  read(name: string): Tensor
}

/**
 * Opens the weights called `stem` in `directory` (see `openModelWeights`) and gives them to `use`, which must not be asynchronous.
 *
 * @example
 * const norms = readTensors('adapter', 'adapter_model', ({ tensors, read }) => [...tensors.keys()].map((name) => read(name).norm().item()))
 */
export function readTensors<T>(directory: string, stem: string, use: (stored: StoredTensors) => T): T {
  return readFrom(openModelWeights(directory, stem), use)
}

/** The same for weights that are open: files are mapped anew for each call, so that memory can be given back between two tensors. */
export function readFrom<T>(weights: ModelWeights, use: (stored: StoredTensors) => T): T {
  const sizes = new Map<string, number>()
  const reader = new TensorReader()
  try {
    return use({
      ...weights,
      read: (name) => {
        const info = weights.tensors.get(name)!
        const size = sizes.get(info.file) ?? statSync(info.file).size
        sizes.set(info.file, size)
        return reader.read(name, info, size)
      },
    })
  } finally {
    reader.close()
  }
}
