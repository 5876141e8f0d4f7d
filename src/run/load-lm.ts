// A model that generates and scores, from a path: `loadModel` with the engine on top.
import { UsageError } from '../errors.ts'
import { Engine } from '../infer/engine.ts'
import { loadLora } from '../methods/lora/adapter-files.ts'
import { rowAdapters } from '../methods/lora/row-adapters.ts'
import { checkOptionNames } from '../option-names.ts'
import { LOADING, type LoadModelOptions, loadModel } from './load-model.ts'
import { checkAdapterPath, type ModelSource, modelInfo } from './model-source.ts'
import { resolveModelPath } from './resolve-model.ts'

/** How a model is loaded, and how many texts it continues together. */
export interface LoadLmOptions extends LoadModelOptions {
  /** Sequences that `generateAll` decodes together at most; default 16. */
  batchSize?: number
  /** LoRAs by the names that requests may give; a request without a name gets the model alone. In place of `adapter`. */
  adapters?: Readonly<Record<string, string>>
  /** Tokens whose keys and values are kept at most, of all texts together; see `EngineParts.cacheTokens`. */
  cacheTokens?: number
}

const LOADING_LM: Readonly<Record<keyof LoadLmOptions, true>> = {
  ...LOADING,
  batchSize: true,
  adapters: true,
  cacheTokens: true,
}

/**
 * Loads what `loadModel` loads as an engine.
 *
 * @example
 * const lm = await loadLm('models/base', { adapter: 'runs/lora' })
 * for await (const { text } of lm.generate({ prompt: 'Once upon a time' })) process.stdout.write(text)
 */
export async function loadLm(path: string | ModelSource, options: LoadLmOptions = {}): Promise<Engine> {
  checkOptionNames('loadLm', options, LOADING_LM)
  const { batchSize, adapters = {}, cacheTokens, ...loading } = options
  const named = Object.entries(adapters)
  const { model, tokenizer, generationConfig, prefix, source } = await loadModel(path, loading)
  if (named.length > 0 && source.adapters.length > 0)
    throw new UsageError(
      'adapters: expected a model without an active adapter, got one. Name that one in adapters, too',
    )
  for (const [name, directory] of named) {
    const path = await resolveModelPath(directory)
    checkAdapterPath(path)
    loadLora(model, path, { name })
  }
  const info = modelInfo(source)
  // Others may come later, unless there are some that are always on.
  const choices = source.adapters.length === 0 ? rowAdapters(model) : undefined
  return new Engine({ model, tokenizer, generationConfig, prefix, batchSize, cacheTokens, info, adapters: choices })
}
