// Configuration keys of the run around the training: where it writes, when it logs, evaluates, saves and stops.

import { z } from 'zod'
import { count, path, type Shape, steps } from '../methods/fields.ts'

type Strategy = 'no' | 'steps' | 'epoch'

/** Keys of what a run logs, evaluates and saves. */
export interface RunKeys {
  output_dir: string
  run_name: string | undefined
  logging_steps: number
  eval_strategy: Strategy | undefined
  eval_steps: number | undefined
  save_strategy: Strategy
  save_steps: number
  save_total_limit: number | undefined
  save_only_model: boolean
  load_best_model_at_end: boolean
  metric_for_best_model: string | undefined
  greater_is_better: boolean | undefined
  early_stopping_patience: number | undefined
  early_stopping_threshold: number
  resume_from_checkpoint: string | undefined
  report_to: 'none' | 'tensorboard'
  sample_prompts: string[]
  sample_steps: number
  seed: number
  data_seed: number | undefined
  device: 'auto' | 'cpu' | 'cuda'
  threads: number | undefined
}

const strategy = z.enum(['no', 'steps', 'epoch'])
const seed = z.int().min(0)

export const runKeys: Shape<RunKeys> = {
  output_dir: path.describe('Folder for checkpoints, the final model, the resolved configuration and the report.'),
  run_name: path.optional().describe('Name of the run in TensorBoard and in the report. Default: output_dir.'),
  logging_steps: steps.default(10).describe('Steps between two log rows. (Differs: Transformers has 500.)'),
  eval_strategy: strategy
    .optional()
    .describe(
      'When to evaluate: no, every eval_steps, or after each epoch. Default: with data to evaluate on, steps where eval_steps is given, else epoch.',
    ),
  eval_steps: steps.optional().describe('Steps between two evaluations. Default: logging_steps.'),
  save_strategy: strategy.default('steps').describe('When to save a checkpoint: no, every save_steps, or each epoch.'),
  save_steps: steps.default(500).describe('Steps between two checkpoints.'),
  save_total_limit: count
    .optional()
    .describe('Keep this many checkpoints; the best one is never deleted. Default: all.'),
  save_only_model: z.boolean().default(false).describe('Save weights only: smaller, but the run cannot be resumed.'),
  load_best_model_at_end: z.boolean().default(false).describe('End with the best checkpoint instead of the last one.'),
  metric_for_best_model: path
    .optional()
    .describe('Metric that says which checkpoint is best, with or without eval_. Default: eval_loss.'),
  greater_is_better: z
    .boolean()
    .optional()
    .describe('Whether that metric should rise. Default: no for names ending in loss or perplexity, else yes.'),
  early_stopping_patience: count.optional().describe('Stop after this many evaluations without a better metric.'),
  early_stopping_threshold: z.number().min(0).default(0).describe('By how much the metric must be better to count.'),
  resume_from_checkpoint: z
    .union([z.boolean(), path], { error: 'auto, a path, true or false' })
    .default(false)
    .transform((value) => (value === true ? 'auto' : value === false ? undefined : value))
    .describe('Go on from the last whole checkpoint of output_dir (auto or true), or from this one.'),
  report_to: z.enum(['none', 'tensorboard']).default('none').describe('Where metrics go besides the log.'),
  sample_prompts: z.array(z.string()).default([]).describe('Prompts continued during training, to see it learn.'),
  sample_steps: steps.default(0.1).describe('Steps between two samples; below 1 it is a fraction of the run.'),
  seed: seed.default(42).describe('Seed of the weights, of dropout and of the data order.'),
  data_seed: seed.optional().describe('Seed of the data order alone. Default: seed.'),
  device: z.enum(['auto', 'cpu', 'cuda']).default('auto').describe('auto = cuda where there is one.'),
  threads: count
    .optional()
    .describe('CPU threads of one operation. Default: OMP_NUM_THREADS, else the cores that this process may use.'),
}
