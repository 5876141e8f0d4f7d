import { describe, expect, it } from 'vitest'
import { bestThreshold, LabelSetCounts, labelsAbove } from './label-set-counts.ts'
import { LabelSets } from './label-sets.ts'

describe('counts of several labels', () => {
  const counts = new LabelSetCounts(3)
  // Label 0: there 3 times, given 2, both 2. Label 1: there 2, given 3, both 1. Label 2 never.
  counts.add([0], [0])
  counts.add([0, 1], [0, 1])
  counts.add([0], [1])
  counts.add([1], [])
  counts.add([], [1])

  it('are F1 of each label, and their mean over those that occur', () => {
    expect(counts.f1(0)).toBeCloseTo((2 * 2) / (3 + 2), 12)
    expect(counts.f1(1)).toBeCloseTo((2 * 1) / (2 + 3), 12)
    expect(counts.f1(2)).toBe(0)
    expect(counts.macroF1).toBeCloseTo((0.8 + 0.4) / 2, 12)
    expect(counts.microF1).toBeCloseTo((2 * 3) / (5 + 5), 12)
  })

  it('call a text right when all of its labels are', () => {
    expect(counts.accuracy).toBeCloseTo(2 / 5, 12)
  })
})

it('gives the labels whose probability reaches the threshold', () => {
  expect(labelsAbove([0.5, 0.2, 0.9], [0.5, 0.3, 0.8])).toEqual([0, 2])
})

describe('the best threshold', () => {
  const at = (...pairs: [number, boolean][]) => pairs.map(([probability, isThere]) => ({ probability, isThere }))

  it('is half way between the last text that gains and the next', () => {
    // Given from 0.4 on: two of three right, none missed: F1 4/5, more than 2/3 with the first alone.
    expect(bestThreshold(at([0.9, true], [0.6, false], [0.4, true], [0.2, false]))).toBeCloseTo(0.3, 12)
  })

  it('does not part equal probabilities', () => {
    expect(bestThreshold(at([0.7, true], [0.7, false], [0.1, false]))).toBeCloseTo(0.4, 12)
  })

  it('is near one half where several are as good, and one half where no text has the label', () => {
    expect(bestThreshold(at([0.9, true], [0.3, false]))).toBeCloseTo(0.6, 12)
    expect(bestThreshold(at([0.9, false], [0.3, false]))).toBe(0.5)
  })

  it('gives the label to every text where that is best', () => {
    const threshold = bestThreshold(at([0.3, false], [0.2, true], [0.2, true]))
    expect(threshold).toBeCloseTo(0.1, 12)
  })
})

it('knows a combination of labels whatever its order', () => {
  const sets = new LabelSets()
  const [one, both] = [sets.idOf([1]), sets.idOf([2, 0])]
  expect(sets.idOf([0, 2, 0])).toBe(both)
  expect(sets.of(both)).toEqual([0, 2])
  expect(sets.of(one)).toEqual([1])
  expect(sets.size).toBe(2)
})
