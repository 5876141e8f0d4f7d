import { describe, expect, it } from 'vitest'
import { amount, duration, measured, oneDecimal, percent } from './amounts.ts'

describe('numbers for people', () => {
  it('says durations and amounts shortly', () => {
    expect([0, 9.94, 9.96, 59.6, 200, 3599.7, 7500, Number.NaN].map(duration)).toEqual([
      '0.0 s',
      '9.9 s',
      '10 s',
      '1 m 00 s',
      '3 m 20 s',
      '1 h 00 m',
      '2 h 05 m',
      '?',
    ])
    expect(amount(512, 'steps')).toBe('512 steps')
    expect(amount(4464, 'tokens')).toBe('4,464 tokens')
    expect(amount(12_345, 'tokens')).toBe('12.3 k tokens')
    expect(amount(1_250_000, 'tokens')).toBe('1.25 M tokens')
    expect(amount(840_000, 'bytes')).toBe('840 kB')
    expect(amount(0.5, 'docs', false)).toBe('0.50')
    expect([6.720648941208579, 0.1, 123456, 0].map(measured)).toEqual(['6.7206', '0.1', '123456', '0'])
    expect([24.53, 999.94, 999.96, 12_345.6].map(oneDecimal)).toEqual(['24.5', '999.9', '1,000', '12,346'])
    expect([0, 0.5, 0.1254, 1].map(percent)).toEqual(['0 %', '50 %', '12.5 %', '100 %'])
  })
})
