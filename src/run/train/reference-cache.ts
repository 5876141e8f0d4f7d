// Log-probabilities of all pairs under a reference model, kept on disk: a second run on the same data, and a resumed one, finds them.
// The name of a file is a hash of everything that they depend on, so a stale one cannot be read.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readTensors } from '../../checkpoint/model-directory/read-tensors.ts'
import { writeSafetensors } from '../../checkpoint/safetensors/safetensors-write.ts'
import { tensorSource } from '../../checkpoint/safetensors/tensor-bytes.ts'
import type { Dataset } from '../../data/sample.ts'
import type { Pair } from '../../data/tuning/preferences.ts'
import { InputError } from '../../errors.ts'
import { ContentHash } from '../../files/hash.ts'
import { scope, Tensor } from '../../torch/index.ts'
import { cacheDirectory } from '../../torch/setup/directories.ts'
import type { ModelSource } from '../model-source.ts'
import { sourceWeights } from '../source-files.ts'

/** Raise when the same model and pairs would give other numbers than before. */
const VERSION = 1
const NAME = 'log_probs'

/** The file for these pairs under the model that `source` stands for; `settings` are what else changes the numbers. */
export async function referenceFile(source: ModelSource, pairs: Dataset<Pair>, settings: object): Promise<string> {
  const hash = new ContentHash().add(JSON.stringify({ version: VERSION, settings }))
  for (const file of sourceWeights(source)) await hash.addFile(file)
  for (let i = 0; i < pairs.length; i++) {
    const { chosen, rejected } = pairs.get(i)
    hash.add(chosen.ids, chosen.labels, rejected.ids, rejected.labels)
  }
  return join(cacheDirectory(), 'references', `${hash.digest()}.safetensors`)
}

/** Two values for each of `count` pairs, as `precomputed` takes them; undefined where there is no whole file of them. */
export function readReference(file: string, count: number): Float32Array | undefined {
  if (!existsSync(file)) return undefined
  try {
    const values = readTensors(file, 'model', ({ tensors, read }) => {
      const info = tensors.get(NAME)
      const isOurs = info?.shape.join() === `${count},2` && info.dtype === 'F32'
      return isOurs ? (scope(() => read(NAME).data().slice()) as Float32Array) : undefined
    })
    return values?.every(Number.isFinite) ? values : undefined
  } catch (error) {
    if (error instanceof InputError) return undefined // cut short, or not ours: it is written anew
    throw error
  }
}

/** Writes the values; the file appears whole or not at all. */
export function writeReference(file: string, values: Float32Array): void {
  mkdirSync(join(file, '..'), { recursive: true })
  scope(() => writeSafetensors(file, [tensorSource(NAME, Tensor.from(values, [values.length / 2, 2]))]))
}
