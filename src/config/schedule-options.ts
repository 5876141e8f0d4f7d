// The schedule keys of a configuration → what `makeSchedule` takes.

import type { ScheduleOptions } from '../train/schedule.ts'
import type { TrainConfig } from './schema.ts'

type ScheduleKeys = Pick<TrainConfig, 'learning_rate' | 'lr_scheduler_type' | 'lr_scheduler_kwargs' | 'warmup_steps'>

/** Where Transformers ends its polynomial, as an absolute rate. */
const POLYNOMIAL_END = 1e-7

/** Options for a run of `steps` optimizer steps. */
export function scheduleOptions(config: ScheduleKeys, steps: number): ScheduleOptions {
  const { min_lr, min_lr_rate, min_lr_ratio, num_decay_steps, power } = config.lr_scheduler_kwargs
  const share = min_lr_rate ?? min_lr_ratio
  const end = config.lr_scheduler_type === 'polynomial' && share === undefined ? POLYNOMIAL_END : undefined
  const absolute = min_lr ?? end
  const minRate = absolute === undefined ? share : absolute / config.learning_rate
  return {
    steps,
    warmupSteps: config.warmup_steps,
    ...(minRate === undefined ? {} : { minRate }),
    ...(num_decay_steps === undefined ? {} : { decaySteps: num_decay_steps }),
    ...(power === undefined ? {} : { power }),
  }
}
