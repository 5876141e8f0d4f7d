import { describe, expect, it } from 'vitest'
import { LabelCounts } from './label-counts.ts'

const counted = (size: number, pairs: [number, number][]): LabelCounts => {
  const counts = new LabelCounts(size)
  for (const [truth, given] of pairs) counts.add(truth, given)
  return counts
}

describe('counts of labels', () => {
  it('give accuracy, F1 and correlation of two labels', () => {
    // tp 3, fn 1, fp 2, tn 4
    const counts = counted(2, [
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 0],
      [0, 1],
      [0, 1],
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    expect(counts.accuracy).toBeCloseTo(0.7, 12)
    expect(counts.f1(1)).toBeCloseTo(6 / 9, 12)
    expect(counts.macroF1).toBeCloseTo((6 / 9 + 8 / 11) / 2, 12)
    // (tp·tn − fp·fn) / √((tp+fp)(tp+fn)(tn+fp)(tn+fn))
    expect(counts.mcc).toBeCloseTo(10 / Math.sqrt(5 * 4 * 6 * 5), 12)
  })

  it('give those of three labels, of which one never comes up', () => {
    const pairs: [number, number][] = [
      [0, 0],
      [0, 2],
      [2, 2],
      [2, 2],
      [2, 0],
    ]
    const three = counted(3, pairs)
    const two = counted(
      2,
      pairs.map(([truth, given]) => [truth / 2, given / 2]),
    )
    expect(three.macroF1).toBeCloseTo(two.macroF1, 12)
    expect(three.mcc).toBeCloseTo(two.mcc, 12)
  })

  it('are 0 where one label is always given, or nothing was counted', () => {
    expect(
      counted(2, [
        [0, 0],
        [1, 0],
      ]).mcc,
    ).toBe(0)
    expect(
      counted(2, [
        [0, 0],
        [1, 0],
      ]).macroF1,
    ).toBeCloseTo(1 / 3, 12)
    expect(new LabelCounts(2).accuracy).toBe(0)
    expect(new LabelCounts(2).macroF1).toBe(0)
  })
})
