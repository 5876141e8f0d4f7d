import { describe, expect, it } from 'vitest'
import { stepsThatFit, tuningSteps } from './plan-steps.ts'

describe('stepsThatFit', () => {
  it('fills the time with steps, evaluations, each batch of which costs half a step, and fine-tuning', () => {
    // 110 s at 0.1 s are 1100 steps; 200 evaluation batches take the time of 100; 16 steps are followed by 2 and 2, which cost 3.
    const steps = stepsThatFit({ secondsLeft: 110, secondsPerStep: 0.1, evaluationBatches: 200, mostSteps: 5000 })
    expect(steps).toBe(Math.floor((1000 * 16) / 19))
    expect(tuningSteps(steps)).toBe(105)
    expect(tuningSteps(8)).toBe(5)
  })
  it('ends where the text has been read often enough', () => {
    expect(stepsThatFit({ secondsLeft: 100, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 300 })).toBe(300)
  })
  it('makes a few steps even when no time is left', () => {
    expect(stepsThatFit({ secondsLeft: -5, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 5000 })).toBe(20)
    expect(stepsThatFit({ secondsLeft: -5, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 8 })).toBe(8)
  })
})
