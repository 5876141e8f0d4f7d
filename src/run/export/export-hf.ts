// `anneal export --to hf`: a Hugging Face directory that is complete (weights, tokenizer, template, generation settings) and plain:
// adapters merged, quantized matrices dense again.

import { copyCompanions } from '../../checkpoint/model-directory/companions.ts'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { datedSteps, writeModel } from '../../checkpoint/model-directory/write-model.ts'
import type { Output } from '../../cli/output.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import { hasUnequalLayers } from '../../gguf/architectures.ts'
import { storedDtype } from '../../model/dtype.ts'
import { dequantizeModel, quantLinears } from '../../model/quantize-model.ts'
import { refuseSameDirectory } from '../edit-target.ts'
import type { ExportSource } from './load-source.ts'

export interface HuggingFaceTarget {
  out: string
  dtype: 'auto' | 'f32' | 'bf16' | 'f16'
  /** Most bytes in one file of weights. */
  maxShardBytes: number
}

/** Writes the directory as a whole and reports it. */
export async function exportToHuggingFace(
  source: ExportSource,
  target: HuggingFaceTarget,
  output: Output,
): Promise<void> {
  const { model, tokenizer, directory: from } = source
  if (from !== undefined) refuseSameDirectory(from, target.out)
  const wasQuantized = quantLinears(model).size
  if (wasQuantized > 0) dequantizeModel(model)
  const dtype = target.dtype === 'auto' ? storedDtype(model.config.dtype) : target.dtype
  const notices = [
    ...(wasQuantized > 0
      ? [`${wasQuantized} quantized matrices are dense again: they take more room and are no more exact than before`]
      : []),
    ...(hasUnequalLayers(model.config)
      ? ['layers of unequal sizes (per_layer_config): Anneal loads this directory, vLLM and llama.cpp do not']
      : []),
    ...(tokenizer === undefined ? ['the model has no tokenizer: it takes and gives token ids'] : []),
  ]
  const bytesOf = (files: readonly WrittenFile[]): number => files.reduce((sum, { size }) => sum + size, 0)
  const files = await writeModel(target.out, {
    model,
    dtype,
    maxShardBytes: target.maxShardBytes,
    companions: async (directory) => {
      if (from !== undefined) copyCompanions(from, directory)
      await tokenizer?.save(directory)
    },
    lineage: (written) => [
      ...source.history,
      ...datedSteps(
        [...source.lineage, { pass: 'export', options: { to: 'hf', dtype }, report: { bytes: bytesOf(written) } }],
        from === undefined ? undefined : hashWeights(from),
      ),
    ],
  })
  const bytes = bytesOf(files)
  output.emit({ path: target.out, bytes, dtype, notices })
  output.result(`${target.out}  ${(bytes / 1e6).toFixed(1)} MB  ${source.name} in ${dtype}`)
  for (const notice of notices) output.note(`notice: ${notice}`)
}
