// Configuration keys of the optimizer and its schedule. Names and defaults are those of Transformers'
// TrainingArguments; where a default differs, the description says so.

import { z } from 'zod'
import { count, type Shape, steps } from '../methods/fields.ts'
import type { SCHEDULES } from '../train/schedule.ts'

/** The name of a learning-rate schedule. */
export type SchedulerType = (typeof SCHEDULES)[number]

/** The keys of `lr_scheduler_kwargs` that each schedule knows; names are those of Transformers. */
export const SCHEDULER_KWARGS: Readonly<Record<SchedulerType, readonly string[]>> = {
  linear: [],
  cosine: [],
  constant: [],
  constant_with_warmup: [],
  cosine_with_min_lr: ['min_lr', 'min_lr_rate'],
  warmup_stable_decay: ['num_decay_steps', 'min_lr_ratio'],
  polynomial: ['power'],
}

/** Keys of optimizer, schedule and precision. */
export interface OptimizationKeys {
  optim: 'adamw_torch' | 'adamw_torch_fused'
  learning_rate: number | undefined
  weight_decay: number
  adam_beta1: number
  adam_beta2: number
  adam_epsilon: number
  max_grad_norm: number
  gradient_accumulation_steps: number
  num_train_epochs: number
  max_steps: number
  lr_scheduler_type: SchedulerType
  lr_scheduler_kwargs: Record<string, number>
  warmup_steps: number
  bf16: boolean | 'auto'
  gradient_checkpointing: boolean
  on_nonfinite: 'stop' | 'skip'
}

const beta = z.number().min(0).lt(1)

export const optimizationKeys: Shape<OptimizationKeys> = {
  optim: z
    .enum(['adamw_torch', 'adamw_torch_fused'])
    .default('adamw_torch_fused')
    .describe('The optimizer. Both names mean the same AdamW here.'),
  learning_rate: z
    .number()
    .positive()
    .optional()
    .describe(
      'Peak learning rate. Default: 5e-5 for a model that goes on, as in Transformers; 2e-4 for LoRA, 3e-2 for prompt ' +
        'tuning and 6e-4 for a fresh model (differ). With stage: dpo 1e-6, as in TRL; LoRA can take more, such as 5e-6.',
    ),
  weight_decay: z.number().min(0).default(0).describe('Decoupled weight decay; never on vectors (norms, biases).'),
  adam_beta1: beta.default(0.9).describe('AdamW: decay of the mean gradient.'),
  adam_beta2: beta.default(0.999).describe('AdamW: decay of the mean squared gradient.'),
  adam_epsilon: z.number().positive().default(1e-8).describe('AdamW: added to the denominator.'),
  max_grad_norm: z.number().min(0).default(1).describe('The global gradient norm is cut to this; 0 = never.'),
  gradient_accumulation_steps: count
    .default(1)
    .describe('Passes per optimizer step. The loss is normalised over the tokens of all of them.'),
  num_train_epochs: z.number().positive().default(3).describe('Passes over the data; may be a fraction.'),
  max_steps: z
    .int()
    .refine((value) => value === -1 || value >= 1, { error: 'a whole number ≥ 1, or -1 to go by num_train_epochs' })
    .default(-1)
    .describe('Optimizer steps in all; wins over num_train_epochs. -1 = go by num_train_epochs.'),
  lr_scheduler_type: z
    .enum(Object.keys(SCHEDULER_KWARGS) as SchedulerType[])
    .default('linear')
    .describe('Shape of the learning rate after the warm-up.'),
  lr_scheduler_kwargs: z
    .record(z.string(), z.number().min(0))
    .default({})
    .describe(
      'More for the schedule: min_lr or min_lr_rate for cosine_with_min_lr (default rate 0.1), num_decay_steps ' +
        '(default 0.1 of the run) and min_lr_ratio for warmup_stable_decay, power for polynomial.',
    ),
  warmup_steps: z
    .union([z.literal(0), steps], { error: '0, a whole number of steps, or a fraction of the run below 1' })
    .default(0)
    .describe('Steps over which the learning rate rises from 0; below 1 it is a fraction of the run.'),
  bf16: z
    .union([z.boolean(), z.literal('auto')], { error: 'true, false or auto' })
    .default(false)
    .describe('Compute in bfloat16, weights kept in float32. auto = on a CUDA device, not on the CPU.'),
  gradient_checkpointing: z
    .boolean()
    .default(false)
    .describe('Keep only the inputs of the blocks and compute the rest again: less memory, about a third more time.'),
  on_nonfinite: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('When a loss or gradient is NaN or infinite: stop (exit 5), or skip the step. The weights stay clean.'),
}
