// Configuration keys of prompt tuning. None has a default in the schema: given with another kind of fine-tuning they are a mistake,
// and `promptDefaults` fills them in where they count.

import { z } from 'zod'
import { type Complain, count, type Shape } from '../fields.ts'

/** Keys of `finetuning: prompt`. */
export interface PromptKeys {
  num_virtual_tokens: number | undefined
  prompt_tuning_init: 'SAMPLE_VOCAB' | 'TEXT' | 'RANDOM' | undefined
  prompt_tuning_init_text: string | undefined
}

export const promptKeys: Shape<PromptKeys> = {
  num_virtual_tokens: count.optional().describe('prompt: vectors that are trained, in place of tokens. Default: 20.'),
  prompt_tuning_init: z
    .enum(['SAMPLE_VOCAB', 'TEXT', 'RANDOM'])
    .optional()
    .describe(
      'prompt: where the vectors start: at tokens drawn from the vocabulary, at those of a text, or at noise. ' +
        'Default: TEXT with prompt_tuning_init_text, else SAMPLE_VOCAB (differs: PEFT has RANDOM).',
    ),
  prompt_tuning_init_text: z
    .string()
    .min(1)
    .optional()
    .describe('prompt: the text that the vectors start at; its tokens are repeated or cut to num_virtual_tokens.'),
}

/** A run's defaults: the vectors start at the text where there is one. */
export function promptDefaults(keys: PromptKeys): Partial<PromptKeys> {
  const start = keys.prompt_tuning_init_text === undefined ? 'SAMPLE_VOCAB' : 'TEXT'
  return { num_virtual_tokens: keys.num_virtual_tokens ?? 20, prompt_tuning_init: keys.prompt_tuning_init ?? start }
}

/** Complains of a start at a text without one, and of a text without that start. */
export function checkPromptKeys(keys: PromptKeys, complain: Complain<keyof PromptKeys>): void {
  const { prompt_tuning_init: start, prompt_tuning_init_text: text } = keys
  if (start === 'TEXT' && text === undefined)
    complain('prompt_tuning_init_text', 'expected a text with prompt_tuning_init: TEXT, got nothing')
  if (text !== undefined && (start ?? 'TEXT') !== 'TEXT')
    complain('prompt_tuning_init_text', `expected it with prompt_tuning_init: TEXT, got prompt_tuning_init: ${start}`)
}
