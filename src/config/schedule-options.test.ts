import { describe, expect, it } from 'vitest'
import { scheduleOptions } from './schedule-options.ts'
import type { TrainConfig } from './schema.ts'

describe('scheduleOptions', () => {
  const options = (kwargs: Record<string, number>, type: TrainConfig['lr_scheduler_type'] = 'cosine') =>
    scheduleOptions(
      { learning_rate: 1e-3, warmup_steps: 0.1, lr_scheduler_type: type, lr_scheduler_kwargs: kwargs },
      100,
    )

  it('leaves out what is not given, so that the defaults of the schedule hold', () => {
    expect(options({})).toEqual({ steps: 100, warmupSteps: 0.1 })
  })

  it('turns an absolute floor into a share of the peak', () => {
    expect(options({ min_lr: 2e-4 }).minRate).toBeCloseTo(0.2, 12)
    expect(options({ min_lr_rate: 0.3 }).minRate).toBe(0.3)
  })

  it('ends a polynomial where Transformers does', () => {
    expect(options({}, 'polynomial').minRate).toBeCloseTo(1e-4, 12)
  })

  it('renames the rest', () => {
    const given = { num_decay_steps: 20, min_lr_ratio: 0.1, power: 2 }
    expect(options(given)).toEqual({ steps: 100, warmupSteps: 0.1, minRate: 0.1, decaySteps: 20, power: 2 })
  })
})
