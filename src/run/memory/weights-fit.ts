// Weights that no machine of this size can hold are refused before one byte of them is asked for: a system that gives memory away
// freely would end the process without a word.

import { totalmem } from 'node:os'
import { loadConfig } from '../../checkpoint/model-directory/load.ts'
import { baseFormat } from '../../config/quant-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { OutOfMemoryError } from '../../errors.ts'
import { modelParameters } from '../../model/hf-names.ts'
import { amount } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { freshConfigOf } from '../train/model-of.ts'

const F32 = 4

/** Throws an OutOfMemoryError where the weights alone are more than the memory that this process may have. */
export function checkWeightsFit(
  config: TrainConfig,
  tokenizer: Tokenizer,
  device: string,
  limit: number = memoryLimit(),
): void {
  if (device !== 'cpu') return // a device says by itself what it cannot hold
  const model = freshConfigOf(config, tokenizer) ?? loadConfig(config.model_name_or_path!)
  if ((model.raw.quantization_config ?? null) !== null) return // stored in fewer bits, as they stay
  const format = baseFormat(config)?.format
  const bits = format === undefined ? 8 * F32 : Number(format.slice(-1))
  let bytes = 0
  for (const { path, shape } of modelParameters(model)) {
    const isQuantized = path.includes('.layers.') && shape.length === 2
    bytes += shape.reduce((a, b) => a * b, 1) * (isQuantized ? bits / 8 : F32)
  }
  if (bytes <= limit) return
  const name = config.model_name_or_path ?? config.config_path ?? 'model'
  throw new OutOfMemoryError(
    `memory: expected weights of at most ${amount(limit, 'bytes')}, which is what there is, got ${amount(bytes, 'bytes')} for ${name}. ` +
      'Use a smaller model, or an adapter on a quantized base: finetuning: lora with load_in_4bit: true',
  )
}

/** What the machine has, or what the container allows. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory() ?? 0
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
