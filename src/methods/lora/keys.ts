// Configuration keys of LoRA and its kin. None has a default in the schema: given with another kind of fine-tuning they are a mistake,
// and `loraKeyDefaults` fills them in where they count.

import { z } from 'zod'
import { type Complain, count, namesOf, path, type Shape } from '../fields.ts'
import { loraDefaults } from './defaults.ts'

/** Keys of LoRA's family. */
export interface LoraKeys {
  lora_r: number | undefined
  lora_alpha: number | undefined
  lora_dropout: number | undefined
  lora_target_modules: string | string[] | undefined
  use_rslora: boolean | undefined
  use_dora: boolean | undefined
  loraplus_lr_ratio: number | undefined
  adapter_name_or_path: string | undefined
}

export const loraKeys: Shape<LoraKeys> = {
  lora_r: count.optional().describe('LoRA: rank of the update. Default: 8.'),
  lora_alpha: z
    .number()
    .positive()
    .optional()
    .describe('LoRA: the update is scaled by lora_alpha / lora_r. Default: 2 lora_r.'),
  lora_dropout: z.number().min(0).lt(1).optional().describe('LoRA: dropout before the adapter. Default: 0.'),
  lora_target_modules: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
      error: 'all-linear, a list of module names, or a regular expression',
    })
    .transform((value) => (value === 'all' ? 'all-linear' : typeof value === 'string' ? namesOf(value) : value))
    .optional()
    .describe(
      'LoRA: which matrices get an adapter: all-linear (or all: every one of the blocks), ends of names such as ' +
        '[q_proj, v_proj, lm_head] or q_proj,v_proj,lm_head, or a regular expression for whole names. Default: all-linear.',
    ),
  use_rslora: z.boolean().optional().describe('LoRA: scale by lora_alpha / √lora_r instead. Default: false.'),
  use_dora: z
    .boolean()
    .optional()
    .describe('LoRA: train magnitudes, too; the same as finetuning: dora. Default: false.'),
  loraplus_lr_ratio: z
    .number()
    .positive()
    .optional()
    .describe('LoRA+: the learning rate of B is this times that of A; its paper takes 16. Default: 1.'),
  adapter_name_or_path: path
    .optional()
    .describe(
      'LoRA: directory of an adapter to go on from, or its name on the hub, with its own rank, alpha and modules. Default: a fresh one.',
    ),
}

/** A run's defaults; `loraplus_lr_ratio` and `adapter_name_or_path` stay open. */
export function loraKeyDefaults(keys: LoraKeys & { finetuning: string }): Partial<LoraKeys> {
  const defaults = loraDefaults(keys.lora_r)
  return {
    lora_r: defaults.r,
    lora_alpha: keys.lora_alpha ?? defaults.loraAlpha,
    lora_dropout: keys.lora_dropout ?? defaults.loraDropout,
    lora_target_modules: keys.lora_target_modules ?? defaults.targetModules,
    use_rslora: keys.use_rslora ?? defaults.useRslora,
    use_dora: keys.use_dora ?? keys.finetuning === 'dora',
  }
}

/** Complains of DoRA that is asked for and switched off. */
export function checkLoraKeys(keys: LoraKeys & { finetuning: string }, complain: Complain<keyof LoraKeys>): void {
  if (keys.finetuning === 'dora' && keys.use_dora === false)
    complain('use_dora', 'expected true with finetuning: dora, got false. Write finetuning: lora')
}
