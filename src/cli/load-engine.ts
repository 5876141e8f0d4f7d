// The values of `MODEL_OPTIONS` → a loaded engine.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, loadDecoder } from '../checkpoint/load.ts'
import { Engine } from '../infer/engine.ts'
import { readGenerationConfig } from '../infer/generation-config.ts'
import type { WeightDtype } from '../model/config.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { type DType, resolveDevice, setThreads } from '../torch/index.ts'
import type { OptionValues } from './command.ts'
import type { MODEL_OPTIONS } from './lm-options.ts'

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
  const stored = (): DType => (place === 'cpu' ? 'f32' : DTYPES[loadConfig(directory).dtype ?? 'float32'])
  const options = { device: place, dtype: dtype === 'auto' ? stored() : dtype }
  if (adapter === undefined) return Engine.load(directory, options)
  const { loadLora } = await import('../methods/lora/adapter-files.ts')
  const placeOf = (file: string): string => (existsSync(join(adapter, file)) ? adapter : directory)
  const generationConfig = readGenerationConfig(placeOf('generation_config.json'))
  const withTokenizer = placeOf('tokenizer.json')
  const tokenizer = existsSync(join(withTokenizer, 'tokenizer.json'))
    ? await Tokenizer.fromDirectory(withTokenizer)
    : undefined
  const model = loadDecoder(directory, options)
  loadLora(model, adapter)
  return new Engine({ model, tokenizer, generationConfig })
}
