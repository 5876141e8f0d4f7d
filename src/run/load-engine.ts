// The values of `MODEL_OPTIONS` → a loaded engine.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { baseFormatsOf } from '../checkpoint/adapter/adapter.ts'
import { parseAdapterConfig } from '../checkpoint/adapter/adapter-config.ts'
import { isQuantized, loadConfig, loadDecoder } from '../checkpoint/model-directory/load.ts'
import type { OptionValues } from '../cli/command.ts'
import type { MODEL_OPTIONS } from '../cli/lm-options.ts'
import { readJsonFile } from '../files/read-json.ts'
import { isGguf, loadGgufParts } from '../gguf/load-parts.ts'
import { Engine, type EngineParts } from '../infer/engine.ts'
import { readGenerationConfig } from '../infer/generation-config.ts'
import type { WeightDtype } from '../model/config.ts'
import type { Decoder } from '../model/decoder.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { type DType, resolveDevice, setThreads } from '../torch/index.ts'

const DTYPES: Readonly<Record<WeightDtype, DType>> = {
  float32: 'f32',
  bfloat16: 'bf16',
  float16: 'f16',
  float64: 'f32',
}

/** Loads the model that the options name, with its adapter. A tokenizer and sampling settings beside the adapter win over the model's. */
export async function loadEngine({
  model: directory,
  adapter,
  device,
  dtype,
  threads,
}: OptionValues<typeof MODEL_OPTIONS>): Promise<Engine> {
  if (threads !== undefined) setThreads(threads)
  const place = resolveDevice(device)
  // On a CPU f32 is the fast type as well as the exact one.
  const stored = (): DType =>
    place === 'cpu' || isGguf(directory) ? 'f32' : DTYPES[loadConfig(directory).dtype ?? 'float32']
  const options = { device: place, dtype: dtype === 'auto' ? stored() : dtype }
  if (isGguf(directory)) {
    const { model, tokenizer } = await loadGgufParts(directory, options)
    return new Engine({ ...(adapter === undefined ? { model } : await adapted(model, adapter)), tokenizer })
  }
  if (adapter === undefined) return Engine.load(directory, options)
  const placeOf = (file: string): string => (existsSync(join(adapter, file)) ? adapter : directory)
  const generationConfig = readGenerationConfig(placeOf('generation_config.json'))
  const withTokenizer = placeOf('tokenizer.json')
  const tokenizer = existsSync(join(withTokenizer, 'tokenizer.json'))
    ? await Tokenizer.fromDirectory(withTokenizer)
    : undefined
  // An adapter fits the base as training had it, and its file says how that was quantized.
  const quantize = isQuantized(directory) ? new Map() : baseFormatsOf(adapter)
  const model = loadDecoder(directory, { ...options, ...(quantize.size > 0 && { quantize }) })
  return new Engine({ ...(await adapted(model, adapter)), tokenizer, generationConfig })
}

/** The model with the adapter in `directory` on it: a LoRA, or a soft prompt that comes before every text. */
async function adapted(model: Decoder, directory: string): Promise<Pick<EngineParts, 'model' | 'prefix'>> {
  const file = join(directory, 'adapter_config.json')
  const { peft_type } = parseAdapterConfig(readJsonFile(file), file)
  if (peft_type === 'PROMPT_TUNING') {
    const { loadPrompt } = await import('../methods/prompt-tuning/prompt-files.ts')
    const { promptOf, withPrompt } = await import('../methods/prompt-tuning/prompt-tuning.ts')
    loadPrompt(model, directory)
    return { model: withPrompt(model), prefix: promptOf(model).ids }
  }
  const { loadLora } = await import('../methods/lora/adapter-files.ts')
  loadLora(model, directory)
  return { model }
}
