// What a row of samples says is what was answered.
import { expect, it } from 'vitest'
import { numberOf, parseSampleRow, sampleRow } from './samples.ts'

it('keeps a continuation that is impossible, as lm-eval writes it', () => {
  const sum = Number.NEGATIVE_INFINITY
  const sample = {
    ...{ doc_id: 0, doc: {}, target: 0, arguments: [['a', ' b']], filter: 'none', scores: {} },
    ...{ resps: [[[sum, false]]], filtered_resps: [[sum, false]] },
  }
  const row = JSON.parse(JSON.stringify(sampleRow(sample)))
  expect(row.filtered_resps).toEqual([['-inf', 'False']])
  expect(parseSampleRow(row)).toMatchObject({ resps: [[[sum, false]]], filtered_resps: [[sum, false]] })
  expect(['-1.5', '-inf', 'inf', 'nan'].map(numberOf)).toEqual([-1.5, sum, -sum, Number.NaN])
})
