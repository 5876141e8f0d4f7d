// A model directory as a whole: weights, configuration, what comes along with them, and the steps that made it; there at once or not at
// all. Of a model that was there before nothing stays; other entries do.
import { join } from 'node:path'
import { type WrittenFile, writeDirectoryAtomic, writeFileAtomic } from '../../files/atomic-write.ts'
import { nameOfSnapshot, pinnedName } from '../../hub/snapshot.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type StoredDType, storedDtype } from '../../model/dtype.ts'
import { VERSION } from '../../version.ts'
import { copyCompanions, isModelEntry } from './companions.ts'
import { hashWeights } from './hash-weights.ts'
import { type LineageStep, type PassRecord, readLineage, writeLineage } from './lineage.ts'
import { saveDecoder } from './save.ts'

/** What a model directory is made of. */
export interface ModelParts {
  /** The weights, or what writes them with config.json into a directory. */
  model: Decoder | ((directory: string) => readonly WrittenFile[])
  /** Of weights that are not quantized; default: what the model's configuration says. */
  dtype?: StoredDType
  /** Most bytes in one file of weights. */
  maxShardBytes?: number
  /** Brings tokenizer, templates, sampling settings and licence into the directory. */
  companions: (directory: string) => Promise<void> | void
  /** The steps that made it; they may depend on the files that were written. */
  lineage: readonly LineageStep[] | ((files: readonly WrittenFile[]) => readonly LineageStep[])
  /** Further files, by name. */
  files?: Readonly<Record<string, string>>
}

/** Writes the model to `target` and returns the files of its weights and configuration, as they were while being written. */
export async function writeModel(target: string, parts: ModelParts): Promise<WrittenFile[]> {
  const { model, lineage, files = {}, maxShardBytes } = parts
  let written: readonly WrittenFile[] = []
  await writeDirectoryAtomic(
    target,
    async (directory) => {
      written =
        typeof model === 'function'
          ? model(directory)
          : saveDecoder(model, directory, {
              dtype: parts.dtype ?? storedDtype(model.config.dtype),
              ...(maxShardBytes !== undefined && { maxShardBytes }),
            })
      await parts.companions(directory)
      for (const [name, text] of Object.entries(files)) writeFileAtomic(join(directory, name), text)
      writeLineage(directory, typeof lineage === 'function' ? lineage(written) : lineage)
    },
    { keyFile: 'config.json', isStale: isModelEntry },
  )
  return [...written]
}

/**
 * Steps as lineage has them: of now and of this version, the first one made from weights with the hash `parentSha256`, which lay at `parent`:
 * of what came from the hub, its name and commit are kept.
 */
export function datedSteps(steps: readonly PassRecord[], parentSha256?: string, parent = ''): LineageStep[] {
  const date = new Date().toISOString()
  const name = nameOfSnapshot(parent) && pinnedName(parent)
  return steps.map(({ pass, options, report }, i) => ({
    pass,
    options,
    report,
    date,
    annealVersion: VERSION,
    ...(i === 0 && name !== undefined && { parent: name }),
    ...(i === 0 && parentSha256 !== undefined && { parentSha256 }),
  }))
}

/**
 * Writes `model`, which was made by changing the one in the directory `from`, to `to`: in the type that it was stored in, with the
 * tokenizer, the settings and the licence of `from`, and with `step` added to its history.
 *
 * @example
 * await saveEdited(model, 'models/base', 'models/smaller', prune(model, batches, { ratio: 0.2 }))
 */
export async function saveEdited(model: Decoder, from: string, to: string, step: PassRecord): Promise<void> {
  await writeModel(to, {
    model,
    companions: (directory) => copyCompanions(from, directory),
    lineage: [...readLineage(from), ...datedSteps([step], hashWeights(from), from)],
  })
}
