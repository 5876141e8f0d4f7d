// What a scorer is worth, by hand: in all, at thresholds, in each language and about each group.
import { expect, it } from 'vitest'
import { type JudgedText, measureScorer } from './measure-scorer.ts'

const text = (isToxic: boolean, score: number | undefined, language?: string, groups?: string[]): JudgedText => ({
  isToxic,
  score,
  language,
  ...(groups && { groups }),
})

it('tells all figures of texts that have a score', () => {
  const report = measureScorer([
    text(true, 0.9, 'en'),
    text(true, 0.4, 'da', ['g']),
    text(true, undefined, 'da'),
    text(false, 0.6, 'en', ['g']),
    text(false, 0.1, 'da', ['g', 'h']),
    text(false, 0.2, 'sv'),
  ])!
  // .9 over three, .4 over two of three.
  expect(report).toMatchObject({ auc: 5 / 6, texts: 5, toxic: 2, failed: 1 })
  expect(report.at_half).toEqual({ threshold: 0.5, f1: 0.5, precision: 0.5, recall: 0.5 })
  // From .3 on three are called toxic, two of them rightly: 4 / 5.
  expect(report.best.threshold).toBeCloseTo(0.3, 12)
  expect(report.best).toMatchObject({ f1: 0.8, precision: 2 / 3, recall: 1 })
  // One kind alone in Swedish says nothing.
  expect(report.languages).toEqual({ da: { auc: 1, texts: 2 }, en: { auc: 1, texts: 2 } })
  expect(report.subgroups).toEqual({
    g: { texts: 3, toxic: 1, subgroup: 0.5, bpsn: 1, bnsp: 1 },
    h: { texts: 1, toxic: 0, subgroup: null, bpsn: 1, bnsp: null },
  })
  expect(report.over_subgroups).toEqual({ subgroup: expect.closeTo(0.5, 12), bpsn: 1, bnsp: 1 })
})

it('tells nothing of one kind alone, or where all scores are missing', () => {
  expect(measureScorer([text(true, 1)])).toBeUndefined()
  expect(measureScorer([text(true, undefined), text(false, undefined)])).toBeUndefined()
})

it('tells of a scorer that says no text is toxic', () => {
  expect(measureScorer([text(true, 0), text(false, 0)])!.at_half).toEqual({
    threshold: 0.5,
    f1: 0,
    precision: null,
    recall: 0,
  })
})
