// The memory of a run that has not begun: from the configuration and the model's config.json, before anything is loaded.

import { loadConfig } from '../../checkpoint/model-directory/load.ts'
import { baseFormat } from '../../config/quant-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { checkpointModule, modelParameters, type Parameter } from '../../model/hf-names.ts'
import { freshConfigOf, tokenizerOf } from '../train/model-of.ts'
import { describeMemory, estimateMemory } from './memory-estimate.ts'

const F32 = 4

/** One line: the estimate, or why there is none. */
export async function plannedMemory(config: TrainConfig): Promise<string> {
  try {
    const fresh = config.model_name_or_path === undefined
    const model = fresh
      ? freshConfigOf(config, (await tokenizerOf(config)).tokenizer)!
      : loadConfig(config.model_name_or_path!)
    const parameters = modelParameters(model)
    const added =
      config.finetuning === 'lora' || config.finetuning === 'dora' ? adapterSize(config, model, parameters) : 0
    const trains = trainedOf(config, model)
    const trained = added + parameters.reduce((sum, { path, shape }) => sum + (trains(path) ? product(shape) : 0), 0)
    const format = baseFormat(config)?.format
    const bytesOf = ({ path, shape }: Parameter): number =>
      product(shape) * (format !== undefined && isBlockMatrix(path, shape) ? Number(format.slice(-1)) / 8 : F32)
    const need = estimateMemory({
      model,
      weightBytes: F32 * added + parameters.reduce((sum, parameter) => sum + bytesOf(parameter), 0),
      trained,
      trainsHead: trains(model.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'),
      rows: config.per_device_train_batch_size,
      length: config.max_length,
      gradientCheckpointing: config.gradient_checkpointing,
      bf16: config.bf16 === true,
    })
    return `memory: ${describeMemory(need)}`
  } catch (error) {
    return `memory: not estimated: ${(error as Error).message}`
  }
}

/** Which of the model's own parameters move. */
function trainedOf(
  { finetuning, freeze_trainable_layers: last = 2, freeze_extra_modules: extra = [] }: TrainConfig,
  { layers: { length } }: DecoderConfig,
): (path: string) => boolean {
  if (finetuning !== 'freeze') return () => finetuning === 'full'
  const [first, end] = last > 0 ? [length - last, length] : [0, -last]
  return (path) => {
    const layer = /^model\.layers\.(\d+)\./.exec(path)?.[1]
    if (layer === undefined) return extra.includes(path.split('.').at(-2)!)
    return Number(layer) >= first && Number(layer) < end
  }
}

/** What quantization is for; a block's scales add a few percent. */
function isBlockMatrix(path: string, shape: readonly number[]): boolean {
  return path.includes('.layers.') && shape.length === 2
}

/** Numbers in the adapters of the modules that the configuration names. */
function adapterSize(
  { lora_target_modules: targets = [], lora_r: r = 0 }: TrainConfig,
  { modelType }: DecoderConfig,
  all: readonly Parameter[],
): number {
  const whole = typeof targets === 'string' && targets !== 'all-linear' ? new RegExp(`^(?:${targets})$`) : undefined
  const ends = typeof targets === 'string' ? [targets] : targets
  const isWanted = (path: string): boolean =>
    [path, checkpointModule(modelType, path)].some((name) =>
      whole === undefined
        ? ends.some((end) => (end === 'all-linear' ? path.includes('.layers.') : `.${name}`.endsWith(`.${end}`)))
        : whole.test(name),
    )
  return all
    .filter(
      ({ path, shape }) => shape.length === 2 && !path.includes('.embed_') && isWanted(path.replace(/\.weight$/, '')),
    )
    .reduce((sum, { shape: [rows = 0, columns = 0] }) => sum + r * (rows + columns), 0)
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}
