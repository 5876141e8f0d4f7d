// `anneal export --to hf`: a Hugging Face directory that is complete (weights, tokenizer, template, generation settings) and plain:
// adapters merged, quantized matrices dense again.

import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { writeLineage } from '../../checkpoint/model-directory/lineage.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { Output } from '../../cli/output.ts'
import { writeDirectoryAtomic } from '../../files/atomic-write.ts'
import { hasUnequalLayers } from '../../gguf/architectures.ts'
import { storedDtype } from '../../model/dtype.ts'
import { dequantizeModel, quantLinears } from '../../model/quantize-model.ts'
import { refuseSameDirectory } from '../save-edited.ts'
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
  let bytes = 0
  await writeDirectoryAtomic(
    target.out,
    async (directory) => {
      const files = saveDecoder(model, directory, { dtype, maxShardBytes: target.maxShardBytes })
      bytes = files.reduce((sum, { size }) => sum + size, 0)
      await tokenizer?.save(directory)
      const settings = from === undefined ? undefined : join(from, 'generation_config.json')
      if (settings !== undefined && existsSync(settings))
        copyFileSync(settings, join(directory, 'generation_config.json'))
      const date = new Date().toISOString()
      const step = { pass: 'export', options: { to: 'hf', dtype }, report: { bytes } }
      writeLineage(directory, [
        ...source.history,
        ...[...source.lineage, step].map((own, i) => ({
          ...own,
          date,
          annealVersion: '0.1.0',
          ...(i === 0 && from !== undefined && { parentSha256: hashWeights(from) }),
        })),
      ])
    },
    { keyFile: 'config.json', isStale: (name) => /^model\b.*\.safetensors(\.index\.json)?$/.test(name) },
  )
  output.emit({ path: target.out, bytes, dtype, notices })
  output.result(`${target.out}  ${(bytes / 1e6).toFixed(1)} MB  ${source.name} in ${dtype}`)
  for (const notice of notices) output.note(`notice: ${notice}`)
}
