// Learning-rate schedules as pure functions of the step, with Transformers' names and formulas: nothing to save, nothing to drift.
import { UsageError } from '../errors.ts'

/** What the base learning rate is multiplied by at optimizer step `step` (0-based). */
export type Schedule = (step: number) => number

/** Learning-rate schedules by Hugging Face's names. */
export const SCHEDULES = [
  'linear',
  'cosine',
  'constant',
  'constant_with_warmup',
  'cosine_with_min_lr',
  'polynomial',
  'warmup_stable_decay',
] as const

/** What a schedule is made of besides its name. */
export interface ScheduleOptions {
  /** Optimizer steps of the whole run. */
  steps: number
  /** Steps over which the rate rises linearly; below 1 a fraction of `steps`. Default 0. */
  warmupSteps?: number
  /** Floor as a fraction of the base rate: of cosine_with_min_lr (default 0.1), warmup_stable_decay, which also starts there, and polynomial (0). */
  minRate?: number
  /** Steps of the final decay of warmup_stable_decay; below 1 a fraction. Default 0.1. */
  decaySteps?: number
  /** Exponent of polynomial. Default 1. */
  power?: number
}

/** Steps given as a count or, below 1, as a fraction of the run. */
export function stepCount(value: number, steps: number): number {
  return value < 1 ? Math.ceil(value * steps) : value
}

/** The schedule called `kind`; UsageError for an unknown name. */
export function makeSchedule(kind: (typeof SCHEDULES)[number], options: ScheduleOptions): Schedule {
  const { steps } = options
  const warmup = kind === 'constant' ? 0 : stepCount(options.warmupSteps ?? 0, steps)
  const rest = Math.max(1, steps - warmup)
  const after = afterWarmup(kind, rest, options)
  const start = kind === 'warmup_stable_decay' ? (options.minRate ?? 0) : 0
  return (step) =>
    step < warmup ? start + (1 - start) * (step / Math.max(1, warmup)) : after(Math.min(step - warmup, rest))
}

/** The factor `done` steps after the warm-up, of `rest`. */
function afterWarmup(
  kind: (typeof SCHEDULES)[number],
  rest: number,
  options: ScheduleOptions,
): (done: number) => number {
  const cosine = (fraction: number): number => 0.5 * (1 + Math.cos(Math.PI * fraction))
  switch (kind) {
    case 'constant':
    case 'constant_with_warmup':
      return () => 1
    case 'linear':
      return (done) => 1 - done / rest
    case 'cosine':
      return (done) => cosine(done / rest)
    case 'cosine_with_min_lr': {
      const floor = options.minRate ?? 0.1
      return (done) => floor + (1 - floor) * cosine(done / rest)
    }
    case 'polynomial': {
      const floor = options.minRate ?? 0
      return (done) => floor + (1 - floor) * (1 - done / rest) ** (options.power ?? 1)
    }
    case 'warmup_stable_decay': {
      const floor = options.minRate ?? 0
      const decay = Math.max(1, stepCount(options.decaySteps ?? 0.1, options.steps))
      return (done) => (done < rest - decay ? 1 : floor + (1 - floor) * cosine((done - (rest - decay)) / decay))
    }
    default:
      throw new UsageError(`lr_scheduler_type: expected one of ${SCHEDULES.join(', ')}, got ${kind as string}`)
  }
}
