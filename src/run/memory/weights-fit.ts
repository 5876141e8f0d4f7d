// Weights that no machine of this size can hold are refused before one byte of them is asked for: a system that gives memory away
// freely would end the process without a word.

import { totalmem } from 'node:os'
import type { TrainConfig } from '../../config/schema.ts'
import { OutOfMemoryError } from '../../errors.ts'
import { modelParameters } from '../../model/hf-names.ts'
import { plannedSpec } from '../../model/quantize-model.ts'
import { amount } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { modelSource } from '../model-source.ts'
import { describedModel } from '../train/model-of.ts'
import { basePlan } from '../train/starting-model.ts'

const F32 = 4

/** Throws an OutOfMemoryError where the weights alone are more than the memory that this process may have. */
export function checkWeightsFit(
  config: TrainConfig,
  tokenizer: Tokenizer,
  device: string,
  limit: number = memoryLimit(),
): void {
  if (device !== 'cpu') return // a device says by itself what it cannot hold
  const source = config.model_name_or_path === undefined ? undefined : modelSource(config.model_name_or_path)
  if (source?.isGguf) return // stays in the file
  const model = describedModel(config, tokenizer)
  if ((model.raw.quantization_config ?? null) !== null) return // stored in fewer bits, as they stay
  const plan = basePlan(config)
  let bytes = 0
  for (const { path, shape } of modelParameters(model)) {
    const isMatrix = path.includes('.layers.') && shape.length === 2
    const format = isMatrix && plan && plannedSpec(plan, path.replace(/\.weight$/, ''))?.format
    bytes += shape.reduce((a, b) => a * b, 1) * (format ? Number(format.slice(-1)) / 8 : F32)
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
