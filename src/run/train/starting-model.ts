// What a run starts from where `model_name_or_path` is an adapter: LoRA goes on training that adapter on the base that it names; where
// weights of the model itself move, it is merged into them.
import { baseFormatsOf } from '../../checkpoint/adapter/adapter.ts'
import { isQuantized } from '../../checkpoint/model-directory/load.ts'
import { baseFormat } from '../../config/quant-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { ConfigError } from '../../errors.ts'
import { isGguf } from '../../gguf/load-parts.ts'
import type { QuantPlan } from '../../model/quantize-model.ts'
import { checkAdapterPath, checkModelPath, isAdapter, modelSource, placeOf } from '../model-source.ts'
import { checkHeadedStart } from './headed-model.ts'

const QUANT_KEYS = ['load_in_4bit', 'load_in_8bit', 'quantization_bit'] as const

/** The configuration with base, adapter and tokenizer by their own names; `tell` hears what an adapter as the model means. */
export function resolveStart(config: TrainConfig, tell: (message: string) => void): TrainConfig {
  const { model_name_or_path: path, tokenizer_name_or_path: tokenizer, finetuning } = config
  if (path !== undefined) checkModelPath(path)
  checkHeadedStart(config)
  if (path !== undefined && isGguf(path)) checkGgufBase(config, path)
  if (config.adapter_name_or_path !== undefined) checkAdapterPath(config.adapter_name_or_path)
  if (path === undefined || !isAdapter(path)) return config
  const refuse = (expected: string, got: string): never => {
    throw new ConfigError(
      `model_name_or_path: expected ${expected} with finetuning: ${finetuning}, got ${got}. Merge it first: anneal export --to hf --model ${path} --out DIR`,
    )
  }
  const source = modelSource(path)
  const { base, adapters } = source
  const prompt = adapters.find(({ config: { peft_type } }) => peft_type !== 'LORA')
  if (prompt !== undefined)
    throw new ConfigError(
      `model_name_or_path: expected a model or a LoRA, got a soft prompt in ${prompt.directory}, which is not trained on. Give its base: ${base}`,
    )
  if (source.isGguf) checkGgufBase(config, base)
  const own = { ...config, ...(tokenizer === path && { tokenizer_name_or_path: placeOf(source, 'tokenizer.json') }) }
  if (finetuning === 'prompt') refuse('a model', `an adapter of ${base}`)
  if (finetuning === 'full' || finetuning === 'freeze') {
    tell(`${path} is an adapter of ${base}: it is merged into its weights, and the run goes on from there`)
    return own
  }
  if (adapters.length > 1)
    refuse('one adapter', `${adapters.length}: ${adapters.map((each) => each.directory).join(', ')}`)
  if (config.adapter_name_or_path !== undefined)
    refuse('a model, or an adapter alone', `an adapter and adapter_name_or_path: ${config.adapter_name_or_path}`)
  tell(`${path} is an adapter of ${base}: the run goes on training it, with its own rank, alpha and modules`)
  return { ...own, model_name_or_path: base, adapter_name_or_path: path }
}

/** The weights of a GGUF file are used as they lie in it: an adapter can be trained beside them, and they themselves cannot. */
function checkGgufBase(config: TrainConfig, file: string): void {
  const { finetuning } = config
  if (finetuning === 'full' || finetuning === 'freeze')
    throw new ConfigError(
      `model_name_or_path: expected the directory of a model with finetuning: ${finetuning}, got the GGUF file ${file}. Use finetuning: lora, or make a directory of it first: anneal export --to hf --model ${file} --out DIR`,
    )
  const key = QUANT_KEYS.find((each) => config[each] !== undefined && config[each] !== false)
  if (key === undefined) return
  throw new ConfigError(
    `${key}: expected none with the GGUF file ${file}, whose weights stay as they are stored, got ${config[key]}. Leave it out`,
  )
}

/** How the frozen base is quantized while it is loaded: as the keys say, else as it was when the adapter to go on from was trained. */
export function basePlan(config: TrainConfig): QuantPlan | undefined {
  const { adapter_name_or_path: adapter, model_name_or_path: base } = config
  if (base !== undefined && isGguf(base)) return undefined
  const isSaid = QUANT_KEYS.some((key) => config[key] !== undefined)
  if (isSaid || adapter === undefined || base === undefined || isQuantized(base)) return baseFormat(config)
  const formats = baseFormatsOf(adapter)
  return formats.size > 0 ? formats : undefined
}
