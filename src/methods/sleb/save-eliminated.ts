// Removing for good, on disk: a model directory without some units. Tensors are copied byte for byte under their new names, so nothing
// is rounded and no model need fit in memory; files of the tokenizer come along.
import { closeSync, openSync, readSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { copyCompanions } from '../../checkpoint/model-directory/companions.ts'
import { type LineageStep, readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadConfig } from '../../checkpoint/model-directory/load.ts'
import { writeModelWeights } from '../../checkpoint/model-directory/model-weights.ts'
import { openTextWeights } from '../../checkpoint/model-directory/text-weights.ts'
import { writeModel } from '../../checkpoint/model-directory/write-model.ts'
import type { TensorInfo } from '../../checkpoint/safetensors/safetensors.ts'
import { InputError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { formatModelConfig, writeModelConfig } from '../../model/config-write.ts'
import { checkpointTensors } from '../../model/hf-names.ts'
import { type Elimination, eliminatedConfig } from './eliminated-config.ts'
import { MERGEKIT_FILE, mergekitRecipe } from './mergekit-recipe.ts'
import type { Unit } from './unit.ts'

/** What is recorded with the smaller model. */
export interface SaveOptions {
  /** Added to the lineage of the model that it came from. */
  step: LineageStep
  /** Further files of the new directory, by name. */
  files?: Readonly<Record<string, string>>
}

/** Writes the model of `source` without `removed` to `target`, which appears as a whole. */
export async function saveEliminated(
  source: string,
  removed: readonly Unit[],
  target: string,
  { step, files = {} }: SaveOptions,
): Promise<void> {
  const { writer, files: own } = eliminatedFiles(source, removed)
  await writeModel(target, {
    model: writer,
    companions: (directory) => copyCompanions(source, directory),
    lineage: [...readLineage(source), step],
    files: { ...own, ...files },
  })
}

/** What writes weights and configuration of the model of `source` without `removed`, and further files for its directory, by name. */
export function eliminatedFiles(
  source: string,
  removed: readonly Unit[],
): { writer: (directory: string) => WrittenFile[]; files: Record<string, string> } {
  const config = loadConfig(source)
  const elimination = eliminatedConfig(config, removed)
  const recipe = mergekitRecipe(config, elimination, resolve(source))
  return {
    files: recipe === null ? {} : { [MERGEKIT_FILE]: recipe },
    writer: (directory) => [
      writeFileAtomic(join(directory, 'config.json'), formatModelConfig(writeModelConfig(elimination.config))),
      ...writeModelWeights(
        directory,
        staying(source, config, elimination).map((info) => ({ ...info, bytes: () => bytesOf(info) })),
      ),
    ],
  }
}

/** Bytes of all tensors of the model in `source` without `removed`. */
export function weightBytes(source: string, removed: readonly Unit[]): number {
  const config = loadConfig(source)
  return staying(source, config, eliminatedConfig(config, removed)).reduce(
    (sum, { begin, end }) => sum + end - begin,
    0,
  )
}

/** Every tensor that stays, with its new name. */
function staying(source: string, config: DecoderConfig, elimination: Elimination): (TensorInfo & { name: string })[] {
  const renamed = renaming(config, elimination)
  return [...openTextWeights(source, config).tensors].flatMap(([before, info]) => {
    const name = renamed(before)
    return name === null ? [] : [{ ...info, name }]
  })
}

/** Name in the file → name in the new one; null for what goes, and for buffers that nobody reads. */
function renaming(config: DecoderConfig, { config: smaller, pathAfter }: Elimination): (name: string) => string | null {
  const before = new Map(
    checkpointTensors(config).flatMap(({ name, aliases, parts }) =>
      [name, ...aliases].map((known) => [known, parts[0]!.path] as const),
    ),
  )
  const after = new Map(checkpointTensors(smaller).map(({ name, parts }) => [parts[0]!.path, name]))
  return (name) => {
    const path = before.get(name)
    if (path !== undefined) {
      const now = pathAfter(path)
      return now && after.get(now)!
    }
    // Parts of a quantized matrix, `<path>.weight.<part>`, and what a fused tensor's parts are called when they are stored apart.
    const [, parameter = name, part = ''] = /^(.+\.weight)(\..+)$/.exec(name) ?? []
    if (parameter === 'lm_head.weight') return name
    const now = pathAfter(parameter)
    return now && `${now}${part}`
  }
}

function bytesOf({ file, begin, end }: TensorInfo): Uint8Array {
  const bytes = Buffer.allocUnsafe(end - begin)
  const descriptor = openSync(file, 'r')
  try {
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(descriptor, bytes, done, bytes.length - done, begin + done)
      if (read === 0) throw new InputError(`weights in ${file}: expected ${end} bytes, got ${begin + done}`)
      done += read
    }
  } finally {
    closeSync(descriptor)
  }
  return bytes
}
