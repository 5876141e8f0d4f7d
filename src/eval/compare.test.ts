import { expect, it } from 'vitest'
import type { MetricValue } from './aggregate.ts'
import { compareResults, comparisonLine, mcNemar, verdict } from './compare.ts'
import type { StoredResults } from './result-files.ts'
import type { Sample } from './samples.ts'

function stored(metric: string, values: readonly MetricValue[], value: number, more: object = {}): StoredResults {
  const samples = values.map(
    (score, i): Sample => ({
      doc_id: i,
      doc: { i },
      target: 0,
      arguments: [],
      resps: [],
      filtered_resps: [],
      filter: 'none',
      scores: { [metric]: score },
    }),
  )
  const results = { t: { [`${metric},none`]: value, [`${metric}_stderr,none`]: 0.1 } }
  return {
    path: 'x.json',
    results: { results, ...more },
    samples: values.length > 0 ? new Map([['t', samples]]) : new Map(),
  }
}

it('tests right and wrong by the documents that changed', () => {
  // Of ten changed ones eight became right: both tails of 10 over 2: 2 · (1 + 10 + 45) / 1024.
  expect(mcNemar(8, 10)).toBeCloseTo((2 * 56) / 1024, 12)
  expect(mcNemar(0, 0)).toBe(1)
  // 0.5 ** 2000 is no number any more: z = (|2·1100 − 2000| − 1) / √2000 = 4.45.
  expect(mcNemar(1100, 2000)).toBeGreaterThan(5e-6)
  expect(mcNemar(1100, 2000)).toBeLessThan(1.2e-5)
  const before = Array.from({ length: 20 }, (_, i) => Number(i >= 8))
  const after = Array.from({ length: 20 }, (_, i) => Number(i < 18))
  const [found] = compareResults(stored('acc', before, 12 / 20), stored('acc', after, 18 / 20))
  expect(found).toMatchObject({ difference: expect.closeTo(0.3, 12), pairs: 20, higherIsBetter: true })
  expect(found!.p).toBeCloseTo((2 * 56) / 1024, 12)
  expect(found!.changed.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 18, 19])
  // Differences: eight of 1, two of −1, ten of 0: mean 0.3, Σd² = 10, s² = (10 − 20 · 0.09) / 19.
  expect(found!.high - found!.difference).toBeCloseTo(1.96 * Math.sqrt(8.2 / 19 / 20), 12)
  expect(verdict(found!)).toBe('no more than chance may give')
  expect(comparisonLine(found!)).toMatch(
    /^t acc: 0\.6000 → 0\.9000, \+0\.3000 \[\+0\.0121, \+0\.5879\], p = 0\.11, 20 pairs/,
  )
})

it('tells no interval of one pair, and no chance where no error is known', () => {
  const [one] = compareResults(stored('acc', [0], 0), stored('acc', [1], 1))
  expect(comparisonLine(one!)).toBe('t acc: 0.0000 → 1.0000, +1.0000, p = 1.0, 1 pair: no more than chance may give')
  const [none] = compareResults(stored('acc', [], 0.25), stored('acc', [], 0.5))
  expect(comparisonLine(none!)).not.toContain('NaN')
})

it('draws signs for other means, and pairs for numbers of all documents', () => {
  const values = Array.from({ length: 30 }, (_, i) => i / 30)
  const [mean] = compareResults(
    stored('rouge1', values, 0.48),
    stored(
      'rouge1',
      values.map((value) => value + 0.1),
      0.58,
    ),
  )
  expect(mean!.p).toBeLessThan(0.001)
  expect(verdict(mean!)).toBe('better')
  const losses = values.map((value) => -3 - value)
  const [perplexity] = compareResults(
    stored('perplexity', losses, 30),
    stored(
      'perplexity',
      losses.map((value) => value - 0.2),
      40,
    ),
  )
  expect(perplexity!.low).toBeGreaterThan(0)
  expect(verdict(perplexity!)).toBe('worse')
  // Pairs drawn anew agree as those that are drawn from: four are as sure as four signs, no surer.
  const few = losses.slice(0, 4)
  const fewer = few.map((value) => value - 0.2)
  const [four] = compareResults(stored('perplexity', few, 30), stored('perplexity', fewer, 40))
  expect(four!.p).toBe(0.125)
  expect(verdict(four!)).toBe('no more than chance may give')
  const [same] = compareResults(stored('perplexity', losses, 30), stored('perplexity', losses, 30))
  expect(verdict(same!)).toBe('no difference')
})

it('goes by standard errors where there are no samples', () => {
  const [found] = compareResults(stored('acc', [], 0.5), stored('acc', [], 0.9))
  // z = 0.4 / √0.02 = 2.828: p = 0.00468.
  expect(found!.p).toBeCloseTo(0.00468, 4)
  expect(found).toMatchObject({ pairs: 0, low: expect.closeTo(0.4 - 1.96 * Math.SQRT2 * 0.1, 10) })
})

it('refuses other tasks and other documents', () => {
  const other = { path: 'y.json', results: { results: { u: {} } }, samples: new Map() }
  expect(() => compareResults(stored('acc', [1], 1), other)).toThrow('expected tasks that x.json has too (t), got u')
  const moved = stored('acc', [1], 1)
  moved.samples.get('t')![0] = { ...moved.samples.get('t')![0]!, doc: { i: 7 } }
  expect(() => compareResults(stored('acc', [1], 1), moved)).toThrow(
    'task t, document 0: expected the same one in both',
  )
})

it('takes what both have a number for, and no other document into either mean', () => {
  const some = (values: readonly (number | undefined)[], value: number): StoredResults => {
    const whole = stored(
      'judged',
      values.map((each) => each ?? 0),
      value,
    )
    const kept = whole.samples
      .get('t')!
      .map((sample, i) => (values[i] === undefined ? { ...sample, scores: {} } : sample))
    return { ...whole, samples: new Map([['t', kept]]) }
  }
  // In pairs 2 and 4 became 3 and 7; 99 and 50 have no partner.
  const [found] = compareResults(some([2, 4, 99, undefined], 35), some([3, 7, undefined, 50], 20))
  expect(found).toMatchObject({ before: 3, after: 5, difference: 2, pairs: 2 })
  expect((found!.low + found!.high) / 2).toBeCloseTo(2, 12)
})
