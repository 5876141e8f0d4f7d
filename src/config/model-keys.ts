// Configuration keys that say what is trained: the stage, the model it starts from, the tokenizer.

import { z } from 'zod'
import { path, type Shape } from '../methods/fields.ts'
import { PRESET_NAMES, type PresetName } from './presets.ts'

/** Keys that say which model is trained. */
export interface ModelKeys {
  stage: 'pretrain' | 'sft' | 'dpo' | 'classify' | 'mlm'
  finetuning: 'full' | 'freeze' | 'lora' | 'dora' | 'prompt'
  model_name_or_path: string | undefined
  model: PresetName | Record<string, unknown> | undefined
  config_path: string | undefined
  tokenizer_name_or_path: string | undefined
}

export const modelKeys: Shape<ModelKeys> = {
  stage: z
    .enum(['pretrain', 'sft', 'dpo', 'classify', 'mlm'])
    .describe(
      'What is learned: pretrain = plain text, every token is a target; sft = the answers in conversations; dpo = to ' +
        'prefer the better one of two answers; classify = the labels of texts; mlm = what was hidden in a text (encoders).',
    ),
  finetuning: z
    .enum(['full', 'freeze', 'lora', 'dora', 'prompt'])
    .default('full')
    .describe(
      'Which weights move: full = all of them; freeze = those of some layers; lora, dora = small matrices beside the ' +
        'frozen ones; prompt = a few vectors before the text.',
    ),
  model_name_or_path: path
    .optional()
    .describe(
      'Directory of the model to go on from (config.json and safetensors), or of a LoRA adapter, which stands for its model with it, or a GGUF file for lora, dora and prompt, or a name on the hub, ORG/NAME[@revision]; also --model. Give this, model or config_path.',
    ),
  model: z
    .union([z.enum(PRESET_NAMES), z.record(z.string(), z.unknown())], {
      error: `${PRESET_NAMES.join(' or ')}, or the keys of a config.json`,
    })
    .optional()
    .describe(
      'A fresh model with random weights: a preset name, or the keys of a Hugging Face config.json (model_type, ' +
        'hidden_size, …), or model_type: ngrams with stage: classify, a classifier of character n-grams without a tokenizer; a directory or a name on the hub is taken for model_name_or_path. vocab_size comes from the tokenizer where it is not given.',
    ),
  config_path: path.optional().describe('A fresh model with random weights from this config.json.'),
  tokenizer_name_or_path: path
    .optional()
    .describe(
      'Directory with tokenizer.json, a GGUF file, or a name on the hub. Default: model_name_or_path; a fresh model needs it.',
    ),
}
