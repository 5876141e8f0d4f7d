import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeSchedule, SCHEDULES, type ScheduleOptions, stepCount } from './schedule.ts'

interface Golden {
  name: (typeof SCHEDULES)[number]
  learning_rate: number
  steps: number
  warmup: number
  kwargs: Record<string, number>
  factors: number[]
}

// Made by scripts/goldens/schedules.py with Transformers' get_scheduler.
const goldens: Golden[] = JSON.parse(
  readFileSync(new URL('../../test/fixtures/training/schedules.json', import.meta.url), 'utf8'),
)

function optionsOf({ name, learning_rate, steps, warmup, kwargs }: Golden): ScheduleOptions {
  const { min_lr, min_lr_rate, min_lr_ratio, num_decay_steps, power } = kwargs
  // Transformers ends its polynomial at lr_end = 1e-7, an absolute rate.
  const absolute = min_lr ?? (name === 'polynomial' ? 1e-7 : undefined)
  const minRate = absolute === undefined ? (min_lr_rate ?? min_lr_ratio) : absolute / learning_rate
  return {
    steps,
    warmupSteps: warmup,
    ...(minRate !== undefined && { minRate }),
    ...(num_decay_steps !== undefined && { decaySteps: num_decay_steps }),
    ...(power !== undefined && { power }),
  }
}

describe('makeSchedule', () => {
  it.each(goldens)('is $name of Transformers with $warmup steps of warm-up and $kwargs', (golden) => {
    const schedule = makeSchedule(golden.name, optionsOf(golden))
    expect(golden.factors.map((_, step) => schedule(step))).toBeAllclose(golden.factors, { absolute: 1e-12 })
  })

  it('has a golden for every name', () => {
    expect(new Set(goldens.map(({ name }) => name))).toEqual(new Set(SCHEDULES))
  })

  it('stays between 0 and 1 at every step, also behind the end', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SCHEDULES),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 400 }),
        fc.nat(1000),
        (name, steps, warmupSteps, decaySteps, step) => {
          const factor = makeSchedule(name, { steps, warmupSteps, decaySteps })(step)
          expect(factor).toBeGreaterThanOrEqual(0)
          expect(factor).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  it('takes counts below 1 as fractions of the run, rounded up as Transformers does', () => {
    expect(stepCount(0.03, 50)).toBe(2)
    expect(stepCount(7, 50)).toBe(7)
    expect(makeSchedule('linear', { steps: 40, warmupSteps: 0.25 })(5)).toBe(0.5)
  })

  it('is an error for an unknown name', () => {
    expect(() => makeSchedule('cosinus' as never, { steps: 1 })).toThrow(
      /^lr_scheduler_type: expected one of linear, cosine, .*, got cosinus$/,
    )
  })
})
