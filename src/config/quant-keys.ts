// Configuration keys that quantize the frozen base of an adapter while it is loaded (QLoRA). Names are those of Transformers'
// BitsAndBytesConfig, and LLaMA-Factory's `quantization_bit`.

import { z } from 'zod'
import type { Shape } from '../methods/fields.ts'
import type { QuantOptions } from '../nn/quant/format.ts'

/** Keys of a base in 4 or 8 bits. */
export interface QuantKeys {
  load_in_4bit: boolean | undefined
  load_in_8bit: boolean | undefined
  quantization_bit: 4 | 8 | undefined
  bnb_4bit_quant_type: 'nf4' | 'int4' | undefined
  bnb_4bit_use_double_quant: boolean | undefined
}

export const quantKeys: Shape<QuantKeys> = {
  load_in_4bit: z
    .boolean()
    .optional()
    .describe('QLoRA: the matrices of the frozen base are stored in 4 bits. Default: false.'),
  load_in_8bit: z.boolean().optional().describe('The same in 8 bits, with one scale a row. Default: false.'),
  quantization_bit: z
    .union([z.literal(4), z.literal(8)], { error: '4 or 8' })
    .optional()
    .describe('4 is load_in_4bit, 8 is load_in_8bit, in the words of LLaMA-Factory. Default: neither.'),
  bnb_4bit_quant_type: z
    .enum(['nf4', 'int4'])
    .optional()
    .describe('What 4 bits mean: nf4 = quantiles of the normal distribution, int4 = equal steps. Default: nf4.'),
  bnb_4bit_use_double_quant: z
    .boolean()
    .optional()
    .describe('With nf4: the scales are quantized, too, which saves 0.37 bits a weight. Default: false.'),
}

const WITH_FROZEN_BASE: readonly string[] = ['lora', 'dora', 'prompt']

/** The format that the base is quantized to; undefined: it stays as it is. */
export function baseFormat(config: QuantKeys): QuantOptions | undefined {
  const bits = bitsOf(config)
  if (bits === 8) return { format: 'int8' }
  if (bits !== 4) return undefined
  const { bnb_4bit_quant_type: format = 'nf4', bnb_4bit_use_double_quant: doubleQuant = false } = config
  return { format, doubleQuant }
}

/** Calls `complain` for keys that contradict each other, or the kind of fine-tuning. */
export function checkQuantKeys(
  config: QuantKeys & { finetuning: string },
  complain: (key: keyof QuantKeys, message: string) => void,
): void {
  const { load_in_4bit, load_in_8bit, quantization_bit, bnb_4bit_quant_type, bnb_4bit_use_double_quant } = config
  if (load_in_4bit && load_in_8bit) complain('load_in_8bit', 'expected load_in_4bit or load_in_8bit, got both')
  if (quantization_bit !== undefined && (load_in_4bit !== undefined || load_in_8bit !== undefined))
    complain('quantization_bit', 'expected it without load_in_4bit and load_in_8bit, got both. Leave one out')
  for (const key of ['load_in_4bit', 'load_in_8bit', 'quantization_bit'] as const)
    if (config[key] && !WITH_FROZEN_BASE.includes(config.finetuning))
      complain(
        key,
        `expected finetuning: ${WITH_FROZEN_BASE.join(', ')} with it, got finetuning: ${config.finetuning}. Weights that move cannot be quantized`,
      )
  for (const key of ['bnb_4bit_quant_type', 'bnb_4bit_use_double_quant'] as const)
    if (config[key] !== undefined && bitsOf(config) !== 4) complain(key, 'expected load_in_4bit: true with it')
  if (bnb_4bit_use_double_quant && bnb_4bit_quant_type === 'int4')
    complain('bnb_4bit_use_double_quant', 'expected it with bnb_4bit_quant_type: nf4, got int4')
}

function bitsOf({ load_in_4bit, load_in_8bit, quantization_bit }: QuantKeys): number | undefined {
  return quantization_bit ?? (load_in_4bit ? 4 : load_in_8bit ? 8 : undefined)
}
