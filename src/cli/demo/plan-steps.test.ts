import { describe, expect, it } from 'vitest'
import { stepsThatFit } from './plan-steps.ts'

describe('stepsThatFit', () => {
  it('fills the time with steps and evaluations, each batch of which costs half a step', () => {
    // 100 s at 0.1 s are 1000 steps; 200 evaluation batches take the time of 100.
    expect(stepsThatFit({ secondsLeft: 100, secondsPerStep: 0.1, evaluationBatches: 200, mostSteps: 5000 })).toBe(900)
  })
  it('ends where the text has been read often enough', () => {
    expect(stepsThatFit({ secondsLeft: 100, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 300 })).toBe(300)
  })
  it('makes a few steps even when no time is left', () => {
    expect(stepsThatFit({ secondsLeft: -5, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 5000 })).toBe(20)
    expect(stepsThatFit({ secondsLeft: -5, secondsPerStep: 0.1, evaluationBatches: 0, mostSteps: 8 })).toBe(8)
  })
})
