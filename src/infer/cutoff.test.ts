import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { cutoffByMass, cutoffByRank } from './cutoff.ts'

// Quarters: sums are exact, and equal values are frequent.
const quarters = fc.array(
  fc.integer({ min: 0, max: 12 }).map((n) => n / 4),
  { minLength: 1, maxLength: 60 },
)

describe('cutoffByRank', () => {
  it('is the value at that rank of the sorted list', () => {
    fc.assert(
      fc.property(quarters, fc.nat(), (values, n) => {
        const rank = 1 + (n % values.length)
        const sorted = [...values].sort((a, b) => b - a)
        expect(cutoffByRank(Float32Array.from(values), values.length, rank)).toBe(sorted[rank - 1])
      }),
    )
  })

  it('takes minus infinity and looks at the first `count` values only', () => {
    const values = Float32Array.of(1, Number.NEGATIVE_INFINITY, 3, 99)
    expect(cutoffByRank(values, 3, 3)).toBe(Number.NEGATIVE_INFINITY)
    expect(cutoffByRank(Float32Array.of(1, 2, 3, 99), 3, 1)).toBe(3)
  })

  it('stays fast on sorted, reversed and constant lists', () => {
    const count = 200_000
    const lists = [(i: number) => i, (i: number) => -i, () => 1].map((f) =>
      Float32Array.from({ length: count }, (_, i) => f(i)),
    )
    const spent = startProcessorTime()
    for (const list of lists) cutoffByRank(list, count, count / 2)
    // Quadratic time would take minutes.
    expect(spent()).toBeLessThan(2000)
  })
})

describe('cutoffByMass', () => {
  it('is the largest value that, with all larger ones, sums to the mass', () => {
    fc.assert(
      fc.property(quarters, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const total = values.reduce((a, b) => a + b, 0)
        fc.pre(total > 0)
        const mass = share * total
        const edge = cutoffByMass(Float32Array.from(values), values.length, mass)
        const atLeast = values.filter((value) => value >= edge).reduce((a, b) => a + b, 0)
        const above = values.filter((value) => value > edge).reduce((a, b) => a + b, 0)
        expect(values).toContain(edge)
        expect(atLeast).toBeGreaterThanOrEqual(mass)
        expect(above).toBeLessThan(mass)
      }),
    )
  })
})
