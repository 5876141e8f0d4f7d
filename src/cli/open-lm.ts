// The values of `MODEL_OPTIONS` → what generates and scores.
import type { Engine } from '../infer/engine.ts'
import type { OptionValues } from './command.ts'
import type { MODEL_OPTIONS } from './lm-options.ts'

/** Loads the model that the options name, with its adapters. */
export async function openLm({ model, threads, ...options }: OptionValues<typeof MODEL_OPTIONS>): Promise<Engine> {
  const { setThreads } = await import('../torch/index.ts')
  if (threads !== undefined) setThreads(threads)
  const { loadLm } = await import('../run/load-lm.ts')
  return loadLm(model, options)
}
