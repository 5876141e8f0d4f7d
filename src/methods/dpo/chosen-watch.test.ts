import { describe, expect, it } from 'vitest'
import { ChosenWatch } from './chosen-watch.ts'

/** What is said in the steps of a run, by step. */
function said(steps: number, logProb: (step: number) => number, reference?: (step: number) => number): number[] {
  const watch = new ChosenWatch(reference ? 'sigmoid' : 'simpo', 0.1)
  return Array.from({ length: steps }, (_, i) => i + 1).filter((step) => {
    const now = logProb(step)
    const reward = 0.1 * (now - (reference?.(step) ?? 0))
    return watch.take({ 'logps/chosen': now, 'rewards/chosen': reward }) !== undefined
  })
}

describe('ChosenWatch', () => {
  it('speaks once when the chosen answers have lost as much again as they had', () => {
    const steps = said(
      100,
      (step) => -40 - step,
      () => -40,
    )
    // −80 is reached at step 40; the mean of the last steps is there about nine steps later.
    expect(steps).toHaveLength(1)
    expect(steps[0]).toBeGreaterThan(40)
    expect(steps[0]).toBeLessThan(55)
  })

  it('says nothing of rewards that are both a little below zero, nor of one bad batch', () => {
    expect(
      said(
        100,
        () => -60,
        () => -40,
      ),
    ).toEqual([])
    expect(
      said(
        100,
        (step) => (step === 50 ? -200 : -40),
        () => -40,
      ),
    ).toEqual([])
  })

  it('says nothing of batches that are less likely from the start', () => {
    const length = (step: number): number => (step % 2 === 0 ? -10 : -300)
    expect(said(100, (step) => length(step) - 1, length)).toEqual([])
  })

  it('says nothing where the answers were all but certain', () => {
    expect(
      said(
        100,
        () => -2,
        () => -0.1,
      ),
    ).toEqual([])
  })

  it('goes by the first steps where there is no reference', () => {
    expect(said(100, (step) => -2 - Math.max(0, step - 10) / 20)).toHaveLength(1)
    expect(said(100, (step) => -2 - (step % 2))).toEqual([])
  })
})
