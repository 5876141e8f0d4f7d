// A model that generates and scores, from a path: `loadModel` with the engine on top.
import { Engine } from '../infer/engine.ts'
import { type LoadModelOptions, loadModel } from './load-model.ts'
import type { ModelSource } from './model-source.ts'

/** How a model is loaded, and how many texts it continues together. */
export interface LoadLmOptions extends LoadModelOptions {
  /** Sequences that `generateAll` decodes together at most; default 16. */
  batchSize?: number
}

/**
 * Loads what `loadModel` loads as an engine.
 *
 * @example
 * const lm = await loadLm('models/base', { adapter: 'runs/lora' })
 * for await (const { text } of lm.generate({ prompt: 'Once upon a time' })) process.stdout.write(text)
 */
export async function loadLm(path: string | ModelSource, options: LoadLmOptions = {}): Promise<Engine> {
  const { batchSize, ...loading } = options
  const { model, tokenizer, generationConfig, prefix } = await loadModel(path, loading)
  return new Engine({ model, tokenizer, generationConfig, prefix, batchSize })
}
