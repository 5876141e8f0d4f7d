import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createScale, formatNumber, niceStep } from './scale.ts'

const labels = (values: number[], options = {}) => createScale(values, options).ticks.map(({ label }) => label)

describe('niceStep', () => {
  it('is 1, 2 or 5 times a power of ten', () => {
    // 7/5 = 1.4 → 1; 10/5 = 2 → 2; 20/5 = 4 → 5; 40/5 = 8 → 10; 0.003/5 = 0.0006 → 0.0005
    expect([7, 10, 20, 40, 0.003].map((span) => niceStep(span, 5))).toEqual([1, 2, 5, 10, 0.0005])
  })
})

describe('createScale', () => {
  it('puts ticks on round values inside the data', () => {
    expect(labels([1, 600])).toEqual(['100', '200', '300', '400', '500', '600'])
    expect(labels([0, 1])).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1.0'])
    expect(labels([-3, 4])).toEqual(['-3', '-2', '-1', '0', '1', '2', '3', '4'])
    expect(labels([0, 0.003])).toEqual(['0', '0.0005', '0.0010', '0.0015', '0.0020', '0.0025', '0.0030'])
  })

  it('writes all labels of an axis alike: one notation, as many decimals', () => {
    expect(labels([8500, 10_500])).toEqual(['8.5k', '9.0k', '9.5k', '10.0k', '10.5k'])
    expect(labels([0, 2e-4])).toEqual(['0', '0.00005', '0.00010', '0.00015', '0.00020'])
    expect(labels([0, 6e-5])).toEqual(['0', '1e-5', '2e-5', '3e-5', '4e-5', '5e-5', '6e-5'])
    expect(labels([1e-5, 10], { log: true })).toEqual(['1e-5', '1e-4', '1e-3', '1e-2', '1e-1', '1', '10'])
  })

  it('does not show amounts below zero where there are none', () => {
    // A margin of 0.4 at both ends, then the next tick: -2 without the rule.
    expect(createScale([0.1, 10], { nice: true, margin: 0.04 }).domain).toEqual([0, 12])
    expect(createScale([-10, 0], { nice: true, margin: 0.04 }).domain).toEqual([-12, 0])
    expect(createScale([-1, 10], { nice: true, margin: 0.04 }).domain).toEqual([-2, 12])
  })

  it('ends on ticks when it is nice', () => {
    const scale = createScale([2.93, 8.31], { nice: true })
    expect(scale.domain).toEqual([2, 9])
    expect(scale.fraction(2)).toBe(0)
    expect(scale.fraction(5.5)).toBe(0.5)
    expect(scale.fraction(9)).toBe(1)
  })

  it('leaves a margin where it is asked for', () => {
    expect(createScale([0, 10], { margin: 0.1 }).domain).toEqual([-1, 11])
    const [low, high] = createScale([1, 100], { margin: 0.5, log: true }).domain
    expect([low, high]).toEqual([0.1, 1000])
  })

  it('takes powers of ten on a logarithmic axis, and finer ticks where they are few', () => {
    expect(labels([1, 1000], { log: true })).toEqual(['1', '10', '100', '1,000'])
    expect(labels([1, 20], { log: true })).toEqual(['1', '2', '5', '10', '20'])
    expect(labels([3, 9], { log: true })).toEqual(['3', '4', '5', '6', '7', '8', '9'])
    expect(labels([2.1, 2.9], { log: true })).toEqual(['2.2', '2.4', '2.6', '2.8'])
    expect(labels([1e-30, 1], { log: true }).length).toBeLessThanOrEqual(12)
    const scale = createScale([1, 100], { log: true })
    expect(scale.fraction(10)).toBeCloseTo(0.5, 12)
  })

  it('falls back to a linear axis where a value is not positive', () => {
    expect(createScale([0, 100], { log: true }).fraction(50)).toBe(0.5)
  })

  it('is never empty: no values, one value, values that are no numbers', () => {
    expect(createScale([]).domain).toEqual([0, 1])
    expect(createScale([Number.NaN, Number.POSITIVE_INFINITY]).domain).toEqual([0, 1])
    expect(createScale([5]).domain).toEqual([4.5, 5.5])
    expect(createScale([0]).domain).toEqual([-1, 1])
    expect(createScale([7], { log: true }).fraction(7)).toBeCloseTo(0.5, 12)
  })

  it('keeps data inside, ticks inside and in order, and labels apart, for any data', () => {
    const number = fc.double({ min: -1e299, max: 1e299, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (values, nice, log) => {
          const span = Math.max(...values) - Math.min(...values)
          const size = Math.max(...values.map(Math.abs))
          const { domain, ticks, fraction } = createScale(values, { nice, log })
          for (const value of values) {
            expect(fraction(value)).toBeGreaterThanOrEqual(-1e-9)
            expect(fraction(value)).toBeLessThanOrEqual(1 + 1e-9)
          }
          expect(ticks.length).toBeGreaterThan(0)
          expect(ticks.length).toBeLessThanOrEqual(30)
          for (const [index, { value, label }] of ticks.entries()) {
            expect(fraction(value)).toBeGreaterThanOrEqual(-1e-6)
            expect(fraction(value)).toBeLessThanOrEqual(1 + 1e-6)
            if (index > 0) expect(value).toBeGreaterThan(ticks[index - 1]!.value)
            if (index > 0 && span > 1e-6 * size) expect(label).not.toBe(ticks[index - 1]!.label)
          }
          expect(domain[1]).toBeGreaterThan(domain[0])
        },
      ),
    )
  })
})

describe('formatNumber', () => {
  it('is short and keeps what tells neighbours apart', () => {
    expect([0, 5, 1250, 12_000, 12_500, 3_400_000, 2e9, -1500, 0.0005].map((value) => formatNumber(value))).toEqual([
      '0',
      '5',
      '1,250',
      '12k',
      '12.5k',
      '3.4M',
      '2G',
      '-1,500',
      '0.0005',
    ])
    expect(formatNumber(2e-5)).toBe('2e-5')
    expect(formatNumber(1.2345678)).toBe('1.235')
    expect(formatNumber(100_200, 200)).toBe('100.2k')
    expect(formatNumber(3e20)).toBe('3e20')
    expect(formatNumber(Number.NaN)).toBe('NaN')
  })
})
