// A Hugging Face directory that is complete (weights, tokenizer, template, generation settings, licence) and plain: adapters merged,
// quantized matrices dense again.
import { datedSteps, writeModel } from '../../checkpoint/model-directory/write-model.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import { hasUnequalLayers } from '../../gguf/architectures.ts'
import { type StoredDType, storedDtype } from '../../model/dtype.ts'
import { dequantizeModel, quantLinears } from '../../model/quantize-model.ts'
import { refuseSameDirectory } from '../edit/edit-target.ts'
import type { LoadedModel } from '../load-model.ts'
import { modelNotices } from '../model-notices.ts'
import { bringCompanions, hashSource } from '../source-files.ts'

/** Where a Hugging Face directory goes, and how its weights are stored. */
export interface HuggingFaceTarget {
  out: string
  /** Default `auto`: the stored type. */
  dtype?: 'auto' | StoredDType
  /** Most bytes in one file of weights. Default 5 GB. */
  maxShardBytes?: number
}

/** What was written of a Hugging Face directory. */
export interface ExportedDirectory {
  path: string
  bytes: number
  dtype: StoredDType
  notices: readonly string[]
}

/** Writes the directory as a whole; the model is dense afterwards. */
export async function exportDirectory(
  { model, tokenizer, source, lineage, steps }: LoadedModel,
  { out, dtype: wish = 'auto', maxShardBytes = 5e9 }: HuggingFaceTarget,
): Promise<ExportedDirectory> {
  for (const from of [source.base, ...source.adapters.map(({ directory }) => directory)]) refuseSameDirectory(from, out)
  const wasQuantized = quantLinears(model).size
  if (wasQuantized > 0) dequantizeModel(model)
  const dtype = wish === 'auto' ? storedDtype(model.config.dtype) : wish
  const notices = [
    ...modelNotices(model.config, tokenizer),
    ...(wasQuantized > 0
      ? [`${wasQuantized} quantized matrices are dense again: they take more room and are no more exact than before`]
      : []),
    ...(hasUnequalLayers(model.config)
      ? ['layers of unequal sizes (per_layer_config): Anneal loads this directory, vLLM and llama.cpp do not']
      : []),
    ...(tokenizer === undefined ? ['the model has no tokenizer: it takes and gives token ids'] : []),
  ]
  const bytesOf = (files: readonly WrittenFile[]): number => files.reduce((sum, { size }) => sum + size, 0)
  const parentSha256 = hashSource(source)
  const files = await writeModel(out, {
    model,
    dtype,
    maxShardBytes,
    companions: async (directory) => {
      await bringCompanions(source, directory)
      await tokenizer?.save(directory) // as readers of several generations take it
    },
    lineage: (written) => {
      const step = { pass: 'export', options: { to: 'hf', dtype }, report: { bytes: bytesOf(written) } }
      return [...lineage, ...datedSteps([...steps, step], parentSha256, source.base)]
    },
  })
  return { path: out, bytes: bytesOf(files), dtype, notices }
}
