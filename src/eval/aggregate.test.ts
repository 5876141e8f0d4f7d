import { expect, it } from 'vitest'
import { aggregate, sampleStandardDeviation, standardError } from './aggregate.ts'
import { groupMetrics } from './groups.ts'
import { binaryF1, type LabelPair, macroF1, matthewsCorrelation, microF1, NO_ANSWER } from './metrics/classification.ts'
import { PythonRandom } from './python-random.ts'

it('aggregates by name', () => {
  expect(aggregate('mean', [1, 0, 0, 1])).toBe(0.5)
  expect(aggregate('median', [3, 1, 2, 9])).toBe(3)
  expect(aggregate('perplexity', [-1, -3])).toBeCloseTo(Math.exp(2), 12)
  expect(
    aggregate('weighted_perplexity', [
      [-6, 2],
      [-2, 2],
    ]),
  ).toBeCloseTo(Math.exp(2), 12)
  expect(
    aggregate('bits_per_byte', [
      [-6, 2],
      [-2, 2],
    ]),
  ).toBeCloseTo(2 / Math.LN2, 12)
  // ((1 − 0.7)² + 0.3²) and (0.6² + (1 − 0.4)²), halved.
  expect(
    aggregate('brier_score', [
      [0, [0.7, 0.3]],
      [1, [0.6, 0.4]],
    ]),
  ).toBeCloseTo((0.18 + 0.72) / 2, 12)
})

it('gives the standard error of a mean, that of a bootstrap as Python draws it, or none', () => {
  // Deviations ±0.5 of four: variance 4 · 0.25 / 3, over 4.
  expect(standardError('mean', [1, 0, 0, 1], 100)).toBeCloseTo(Math.sqrt(1 / 3 / 4), 12)
  // Of 2000 draws by random.Random(0) and random.Random(1), computed in CPython.
  expect(standardError('perplexity', [-1.5, -2.25, -0.5, -3], 2000)).toBeCloseTo(3.237057641553934, 9)
  expect(
    standardError(
      'bits_per_byte',
      [
        [-6, 2],
        [-2, 2],
      ],
      100,
    ),
  ).toBe('N/A')
  expect(standardError('mean', [1], 100)).toBe('N/A')
  expect(standardError('mean', [1, 0], 0)).toBe('N/A')
})

it('draws labels by how often each pair came, which gives what the drawn pairs themselves give', () => {
  const labels = ['a', 'b', 1, '1', 0, NO_ANSWER]
  const pairs = Array.from({ length: 17 }, (_, i): LabelPair => [labels[i % 5]!, labels[(i * i + 2) % 6]!])
  const items = [...pairs, [1, 1], [0, 1], [1, 1]] as LabelPair[]
  for (const [name, metric] of Object.entries({
    matthews_corrcoef: matthewsCorrelation,
    f1: binaryF1,
    macro_f1: macroF1,
    micro_f1: microF1,
  })) {
    const places = new Int32Array(items.length)
    const values = [0, 1].flatMap((seed) => {
      const random = new PythonRandom(seed)
      return Array.from({ length: 1000 }, () => {
        random.choiceIndices(items.length, places)
        return metric([...places].map((place) => items[place]!))
      })
    })
    expect(new Set(values).size).toBeGreaterThan(9)
    expect(standardError(name, items, 2000)).toBeCloseTo(sampleStandardDeviation(values), 12)
  }
})

it('weights groups by documents, or not, with the error that belongs to it', () => {
  const tasks = new Map([
    ['a', { 'acc,none': 0.5, 'acc_stderr,none': 0.1, sample_len: 10 }],
    ['b', { 'acc,none': 0.8, 'acc_stderr,none': 0.2, sample_len: 30 }],
  ])
  const group = (weighted: boolean) => ({
    config: { group: 'g', task: [], aggregate_metric_list: [{ metric: 'acc', weight_by_size: weighted }] },
    children: ['a', 'b'],
    tasks: ['a', 'b'],
  })
  const whole = groupMetrics(group(true), tasks)
  expect(whole['acc,none']).toBeCloseTo((0.5 * 10 + 0.8 * 30) / 40, 12)
  // Pooled: (9 · 0.01 · 10 + 29 · 0.04 · 30) / 38, over 40.
  expect(whole['acc_stderr,none']).toBeCloseTo(Math.sqrt((0.9 + 34.8) / 38 / 40), 12)
  const equal = groupMetrics(group(false), tasks)
  expect(equal['acc,none']).toBeCloseTo(0.65, 12)
  expect(equal['acc_stderr,none']).toBeCloseTo(Math.sqrt(0.05) / 2, 12)
  expect(equal.sample_len).toBe(40)
})
