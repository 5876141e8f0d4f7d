// Areas by hand and as scikit-learn has them; what Borkan et al. tell of groups by hand.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { auc, type GroupedText, generalizedMean, subgroupAuc } from './auc.ts'

const of = (score: number, isPositive: boolean, ...groups: string[]): GroupedText => ({ score, isPositive, groups })

describe('the area under the ROC curve', () => {
  it('counts pairs that are in order, and ties half', () => {
    // .9 is above .5 and .1, .5 is as high as .5 and above .1: 3.5 of 4 pairs.
    expect(auc([of(0.5, false), of(0.9, true), of(0.1, false), of(0.5, true)])).toBe(0.875)
    expect(auc([of(1, true), of(1, false), of(1, false)])).toBe(0.5)
    expect(auc([of(0, true), of(1, false)])).toBe(0)
  })
  it('is not there with one kind alone', () => {
    expect(auc([of(1, true)])).toBeNull()
    expect(auc([])).toBeNull()
  })
  it("is scikit-learn's", () => {
    const file = new URL('../../../test/fixtures/evaluation/auc.json', import.meta.url)
    const { cases } = JSON.parse(readFileSync(file, 'utf8')) as {
      cases: { labels: boolean[]; scores: number[]; auc: number }[]
    }
    for (const { labels, scores, auc: expected } of cases)
      expect(auc(scores.map((score, i) => of(score, labels[i]!)))).toBeCloseTo(expected, 12)
  })
})

describe('areas of a group', () => {
  const texts = [
    of(0.6, true, 'g'),
    of(0.56, false, 'g'),
    of(0.9, true),
    of(0.55, true, 'h'),
    of(0.1, false),
    of(0.6, false),
  ]
  it('are of its texts alone, of its harmless and of its toxic ones against the others', () => {
    // Own: .6 over .56. Background positives .9 and .55 against .56: one of two. Background negatives .1 and .6 against .6: one and a tie.
    expect(subgroupAuc(texts, 'g')).toEqual({ subgroup: 1, bpsn: 0.5, bnsp: 0.75 })
    expect(auc(texts)).toBeCloseTo(6.5 / 9, 12)
  })
  it('are null where a kind is missing', () => {
    expect(subgroupAuc(texts, 'h')).toEqual({ subgroup: null, bpsn: null, bnsp: 1 / 3 })
  })
  it('have a mean that leans to the worst', () => {
    expect(generalizedMean([0.5, 1])).toBeCloseTo(16.5 ** -0.2, 12)
    expect(generalizedMean([0.7, 0.7])).toBeCloseTo(0.7, 12)
    expect(generalizedMean([])).toBeNull()
  })
})
