// The values of `MODEL_OPTIONS` → a loaded engine.

import { loadConfig } from '../checkpoint/load.ts'
import { Engine } from '../infer/engine.ts'
import type { WeightDtype } from '../model/config.ts'
import { type DType, resolveDevice, setThreads } from '../torch/index.ts'
import type { OptionValues } from './command.ts'
import type { MODEL_OPTIONS } from './lm-options.ts'

const DTYPES: Readonly<Record<WeightDtype, DType>> = {
  float32: 'f32',
  bfloat16: 'bf16',
  float16: 'f16',
  float64: 'f32',
}

/** Loads the model that the options name. */
export async function loadEngine({
  model,
  device,
  dtype,
  threads,
}: OptionValues<typeof MODEL_OPTIONS>): Promise<Engine> {
  if (threads !== undefined) setThreads(threads)
  const place = resolveDevice(device)
  // On a CPU f32 is the fast type as well as the exact one.
  const stored = (): DType => (place === 'cpu' ? 'f32' : DTYPES[loadConfig(model).dtype ?? 'float32'])
  return Engine.load(model, { device: place, dtype: dtype === 'auto' ? stored() : dtype })
}
