import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stepPlan, stepsIn } from './step-plan.ts'

const plannedSteps = (batchesPerEpoch: number, accumulation: number, steps: number, epochs?: number): number[][] => {
  const plan = stepPlan(batchesPerEpoch, accumulation, epochs)
  return Array.from({ length: steps }, (_, step) => {
    const { first, count } = plan.microBatches(step)
    return Array.from({ length: count }, (_, i) => first + i)
  })
}

describe('stepPlan', () => {
  it('gives the last step of an epoch what is left', () => {
    expect(plannedSteps(5, 2, 6)).toEqual([[0, 1], [2, 3], [4], [5, 6], [7, 8], [9]])
  })

  it('takes one step an epoch where accumulation is longer than that', () => {
    // 60 rows in batches of 4, accumulated over 32: one epoch is one step of 15 micro-batches, not of 32.
    expect(stepsIn(1, 15, 32)).toBe(1)
    expect(plannedSteps(15, 32, 1)[0]).toHaveLength(15)
    // 21 blocks in batches of 20.
    expect(stepsIn(1, 2, 16)).toBe(1)
    expect(stepPlan(2, 16).microBatches(3)).toEqual({ first: 6, count: 2 })
  })

  it('ends a run of a part of an epoch where the part ends', () => {
    expect(stepsIn(0.5, 15, 32)).toBe(1)
    expect(plannedSteps(15, 32, 1, 0.5)[0]).toHaveLength(8)
    expect(stepsIn(1.5, 15, 4)).toBe(4 + 2)
    expect(plannedSteps(15, 4, 6, 1.5).map((step) => step.length)).toEqual([4, 4, 4, 3, 4, 4])
    expect(stepsIn(0.1, 30, 3)).toBe(1)
    expect(stepsIn(0.001, 30, 3)).toBe(1)
  })

  it('is as it was where the accumulation divides the epoch', () => {
    expect(plannedSteps(6, 3, 4).flat()).toEqual(Array.from({ length: 12 }, (_, i) => i))
    expect(stepPlan(6, 3).epochsAfter(3)).toBe(1.5)
  })

  it('takes every micro-batch of every epoch once, in order', () => {
    const count = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 4 }), (batchesPerEpoch, accumulation, epochs) => {
        const steps = stepsIn(epochs, batchesPerEpoch, accumulation)
        const all = plannedSteps(batchesPerEpoch, accumulation, steps, epochs).flat()
        expect(all).toEqual(Array.from({ length: epochs * batchesPerEpoch }, (_, i) => i))
        expect(stepPlan(batchesPerEpoch, accumulation).epochsAfter(steps)).toBe(epochs)
      }),
    )
  })
})
