// What an export starts from: a model directory or a GGUF file, with an adapter merged into it, as one dense or quantized model.

import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { baseFormatsOf } from '../../checkpoint/adapter/adapter.ts'
import { type LineageStep, readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadConfig, loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { isGguf, loadGgufParts } from '../../gguf/load-parts.ts'
import { type GenerationConfig, readGenerationConfig } from '../../infer/generation-config.ts'
import { loadLora } from '../../methods/lora/adapter-files.ts'
import { mergeAndUnload } from '../../methods/lora/merge.ts'
import { type MergeBase, mergeQuantized } from '../../methods/lora/quantized-base.ts'
import type { Decoder } from '../../model/decoder.ts'
import { storedDtype } from '../../model/dtype.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import { Tokenizer } from '../../text/tokenizer.ts'

/** What the user names. */
export interface SourceOptions {
  /** Directory or GGUF file. */
  model: string
  adapter?: string | undefined
  /** What an adapter that was trained on a quantized base is merged onto. */
  onto: MergeBase
}

/** A model with all that goes with it. */
export interface ExportSource {
  model: Decoder
  tokenizer: Tokenizer | undefined
  generation: GenerationConfig
  /** Last part of the path, for titles. */
  name: string
  /** Steps that made the model, the merge included. */
  lineage: Pick<LineageStep, 'pass' | 'options' | 'report'>[]
  history: LineageStep[]
  /** Where files that are not read are copied from; undefined for a GGUF file. */
  directory: string | undefined
}

/** Loads the model; files beside the adapter (a tokenizer with more tokens, sampling settings) win over the base's. */
export async function loadSource({ model: path, adapter, onto }: SourceOptions): Promise<ExportSource> {
  const name = basename(resolve(adapter ?? path)).replace(/\.gguf$/i, '')
  if (isGguf(path)) {
    const { model, tokenizer } = await loadGgufParts(path)
    const lineage = adapter === undefined ? [] : [mergeInto(model, adapter)]
    const history = adapter === undefined ? [] : readLineage(adapter)
    return { model, tokenizer, generation: {}, name, lineage, history, directory: undefined }
  }
  const placeOf = (file: string): string => (adapter !== undefined && existsSync(join(adapter, file)) ? adapter : path)
  const generation = readGenerationConfig(placeOf('generation_config.json'))
  const place = placeOf('tokenizer.json')
  const tokenizer = existsSync(join(place, 'tokenizer.json')) ? await Tokenizer.fromDirectory(place) : undefined
  const { model, lineage } = loadMerged(path, adapter, onto)
  return { model, tokenizer, generation, name, lineage, history: historyOf(path, adapter), directory: path }
}

/** The steps that made the base, then those that made the adapter: its own history starts with its base's. */
function historyOf(path: string, adapter: string | undefined): LineageStep[] {
  const base = readLineage(path)
  const known = new Set(base.map((step) => JSON.stringify(step)))
  const own = adapter === undefined ? [] : readLineage(adapter)
  return [...base, ...own.filter((step) => !known.has(JSON.stringify(step)))]
}

function loadMerged(
  path: string,
  adapter: string | undefined,
  onto: MergeBase,
): { model: Decoder; lineage: ExportSource['lineage'] } {
  // In the stored type a large model fits that would not in f32; sums of adapters are made in f32.
  if (adapter === undefined) {
    return { model: loadDecoder(path, { dtype: storedDtype(loadConfig(path).dtype) }), lineage: [] }
  }
  if (baseFormatsOf(adapter).size > 0) {
    const { model, record } = mergeQuantized(onto, { baseDirectory: path, adapterDirectory: adapter })
    return { model, lineage: [{ ...record, options: { ...record.options, adapter: basename(resolve(adapter)) } }] }
  }
  const model = loadDecoder(path)
  return { model, lineage: [mergeInto(model, adapter)] }
}

function mergeInto(model: Decoder, adapter: string): ExportSource['lineage'][number] {
  loadLora(model, adapter)
  const record = mergeAndUnload(model, quantLinears(model).size > 0 ? { dtype: 'f32' } : {})
  return { ...record, options: { ...record.options, adapter: basename(resolve(adapter)) } }
}
