// The training configuration as a kind of configuration.

import type { z } from 'zod'
import { ALIASES, WITHOUT_COUNTERPART } from './aliases.ts'
import type { ConfigKind } from './kind.ts'
import { type OverrideSyntax, overridesOf } from './overrides.ts'
import { isPreset } from './presets.ts'
import { shape, trainSchema } from './schema.ts'

/** Keys, names and rules of `anneal train`. */
export const trainKind: ConfigKind<z.infer<typeof trainSchema>> = {
  title: 'Anneal training configuration',
  schema: trainSchema,
  fields: shape,
  // Values with keys of their own, such as `model`, are one value each: what may be in them depends on others.
  sections: {},
  aliases: ALIASES,
  withoutCounterpart: WITHOUT_COUNTERPART,
  schemaCommand: 'anneal schema',
  alternatives: ['model_name_or_path', 'model', 'config_path'],
  groups: {
    stage: 'What is trained',
    dataset: 'Data',
    on_overlong: 'Conversations and pairs (stage: sft, dpo)',
    label_column: 'Labels and hidden tokens (stage: classify, mlm)',
    loss_type: 'Preferences (stage: dpo)',
    lora_r: 'LoRA and DropBP',
    num_virtual_tokens: 'Soft prompt (finetuning: prompt)',
    freeze_trainable_layers: 'Frozen layers (finetuning: freeze)',
    load_in_4bit: 'Quantized base',
    optim: 'Optimization',
    output_dir: 'The run',
  },
  reread: (key, value) =>
    key === 'model' && typeof value === 'string' && !isPreset(value)
      ? {
          key: 'model_name_or_path',
          notice:
            'model: a directory or a name on the hub is called model_name_or_path here; model is for presets and fresh models',
        }
      : undefined,
}

/** Lets a command take every key of the training configuration. */
export const trainOverrides: OverrideSyntax = overridesOf(trainKind)
