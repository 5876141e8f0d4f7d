// The schedule keys of a configuration → what `makeSchedule` takes.

import type { ScheduleOptions } from '../../train/schedule.ts'
import type { TrainConfig } from './schema.ts'

type ScheduleKeys = Pick<TrainConfig, 'learning_rate' | 'lr_scheduler_kwargs' | 'warmup_steps'>

/** Options for a run of `steps` optimizer steps. */
export function scheduleOptions(config: ScheduleKeys, steps: number): ScheduleOptions {
  const { min_lr, min_lr_rate, min_lr_ratio, num_decay_steps, power } = config.lr_scheduler_kwargs
  // min_lr is absolute, the other two are relative to the peak.
  const minRate = min_lr === undefined ? (min_lr_rate ?? min_lr_ratio) : min_lr / config.learning_rate
  return {
    steps,
    warmupSteps: config.warmup_steps,
    ...(minRate === undefined ? {} : { minRate }),
    ...(num_decay_steps === undefined ? {} : { decaySteps: num_decay_steps }),
    ...(power === undefined ? {} : { power }),
  }
}
