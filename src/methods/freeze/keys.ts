// Configuration keys of freeze tuning; names and meaning are LLaMA-Factory's. None has a default in the schema: given with another
// kind of fine-tuning they are a mistake, and `freezeDefaults` fills them in where they count.

import { z } from 'zod'
import type { Shape } from '../fields.ts'

/** Keys of `finetuning: freeze`. */
export interface FreezeKeys {
  freeze_trainable_layers: number | undefined
  freeze_trainable_modules: string[] | undefined
  freeze_extra_modules: string[] | undefined
}

/** Names as a list, or in one text with commas. */
const names = z
  .union([z.string().min(1), z.array(z.string().min(1))], { error: 'a name, or a list of names' })
  .transform((value) => (Array.isArray(value) ? value : value.split(',').map((name) => name.trim())))

export const freezeKeys: Shape<FreezeKeys> = {
  freeze_trainable_layers: z
    .int()
    .refine((value) => value !== 0, { error: 'a whole number other than 0' })
    .optional()
    .describe('freeze: the last so many layers are trained; below 0, the first so many. Default: 2.'),
  freeze_trainable_modules: names
    .optional()
    .describe('freeze: what is trained in those layers, such as self_attn or [mlp, input_layernorm]. Default: all.'),
  freeze_extra_modules: names
    .optional()
    .describe('freeze: what else is trained: embed_tokens, norm, lm_head. Default: nothing else.'),
}

/** A run's defaults. */
export function freezeDefaults(keys: FreezeKeys): FreezeKeys {
  return {
    freeze_trainable_layers: keys.freeze_trainable_layers ?? 2,
    freeze_trainable_modules: keys.freeze_trainable_modules ?? ['all'],
    freeze_extra_modules: keys.freeze_extra_modules ?? [],
  }
}
