import { expect, it } from 'vitest'
import { describeShapes } from './describe-shapes.ts'

const guess = {
  shape: 'alpaca' as const,
  reason: "50 of 50 rows have 'instruction' and 'output'",
  rows: 50,
  others: 0,
  isRunningText: false,
}

it('says how one shape was told, and of several how many rows each has', () => {
  expect(describeShapes({ guess, shapes: { alpaca: 50 } })).toBe(
    "alpaca data (50 of 50 rows have 'instruction' and 'output')",
  )
  expect(describeShapes({ guess, shapes: { text: 1, alpaca: 1500, sharegpt: 40 } })).toBe(
    'data of 3 shapes (1,500 rows alpaca, 40 rows sharegpt, 1 row text)',
  )
})
