import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { greedyRates, knapsackRates, MAX_RATE, waterFilling } from './allocate-rates.ts'

const of = (...values: number[]): Float64Array => Float64Array.from(values)
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)
const cost = (sensitivities: Float64Array, rates: Float64Array): number =>
  rates.reduce((sum, rate, i) => sum + (sensitivities[i]! * rate * rate) / 2, 0)

describe('waterFilling', () => {
  it('solves an example by hand', () => {
    // No limit binds: b ∝ F/S = (1, 1/2, 1/4), Σ b = 0.4·3 → λ = 1.2/1.75
    const rates = waterFilling(of(1, 2, 4), of(1, 1, 1), 0.4)
    for (const [i, part] of [1, 1 / 2, 1 / 4].entries()) expect(rates[i]).toBeCloseTo((1.2 / 1.75) * part, 12)
    // At P = 0.6 the first would get 1.03: it stays at 0.9, and the others share 0.9 as 2 : 1.
    expect([...waterFilling(of(1, 2, 4), of(1, 1, 1), 0.6)].map((rate) => rate.toFixed(12))).toEqual(
      [0.9, 0.6, 0.3].map((rate) => rate.toFixed(12)),
    )
  })

  it('drops costly branches more often when they matter alike', () => {
    const rates = waterFilling(of(1, 1), of(1, 2), 0.5)
    expect(rates[1]! / rates[0]!).toBeCloseTo(2, 12)
    expect(rates[0]! + 2 * rates[1]!).toBeCloseTo(1.5, 12)
  })

  it('fills branches without sensitivity first, and shares alike when all are', () => {
    expect([...waterFilling(of(0, 5, 0, 5), of(1, 1, 1, 1), 0.4)]).toEqual(
      [0.8, 0, 0.8, 0].map((r) => expect.closeTo(r, 12)),
    )
    expect([...waterFilling(of(0, 5, 0, 5), of(1, 1, 1, 1), 0.6)]).toEqual(
      [0.9, 0.3, 0.9, 0.3].map((r) => expect.closeTo(r, 12)),
    )
    expect([...waterFilling(of(0, 0, 0), of(1, 1, 1), 0.5)]).toEqual([0.5, 0.5, 0.5].map((r) => expect.closeTo(r, 12)))
    expect([...waterFilling(of(1, 2), of(1, 1), 0)]).toEqual([0, 0])
  })

  it('is no worse than the best point of a grid', () => {
    const [sensitivities, flops] = [of(0.3, 2, 7), of(3, 4, 5)]
    for (const target of [0.2, 0.5, 0.8]) {
      const best = cost(sensitivities, waterFilling(sensitivities, flops, target))
      const budget = target * total(flops)
      let grid = Number.POSITIVE_INFINITY
      for (let a = 0; a <= 90; a++) {
        for (let b = 0; b <= 90; b++) {
          const third = (budget - flops[0]! * (a / 100) - flops[1]! * (b / 100)) / flops[2]!
          if (third >= 0 && third <= MAX_RATE) grid = Math.min(grid, cost(sensitivities, of(a / 100, b / 100, third)))
        }
      }
      expect(best).toBeLessThanOrEqual(grid + 1e-12)
      expect(best).toBeGreaterThan(grid * 0.99)
    }
  })

  it('spends the budget within the limits, whatever the numbers', () => {
    const branch = fc.tuple(
      fc.oneof(fc.constant(0), fc.double({ min: 1e-30, max: 1e20, noNaN: true })),
      fc.double({ min: 1e3, max: 1e15, noNaN: true }),
    )
    fc.assert(
      fc.property(
        fc.array(branch, { minLength: 1, maxLength: 100 }),
        fc.double({ min: 0, max: MAX_RATE, noNaN: true }),
        (branches, target) => {
          const flops = Float64Array.from(branches, ([, f]) => f)
          const rates = waterFilling(
            Float64Array.from(branches, ([s]) => s),
            flops,
            target,
          )
          expect(rates.every((rate) => rate >= 0 && rate <= MAX_RATE)).toBe(true)
          expect(dot(rates, flops) / total(flops)).toBeCloseTo(target, 9)
        },
      ),
    )
  })
})

describe('knapsackRates', () => {
  it('solves an example by hand', () => {
    // S/F = 1/2, 3, 4/3; the budget is 0.5·6 = 3: the first takes 0.9·2, the third 1.2/3.
    expect([...knapsackRates(of(1, 3, 4), of(2, 1, 3), 0.5)]).toEqual([0.9, 0, 0.4].map((r) => expect.closeTo(r, 12)))
  })

  it('spends the budget, and no shift between two branches lowers the expected error', () => {
    const branch = fc.tuple(fc.double({ min: 0, max: 10, noNaN: true }), fc.double({ min: 1, max: 9, noNaN: true }))
    fc.assert(
      fc.property(
        fc.array(branch, { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (branches, target) => {
          const sensitivities = of(...branches.map(([value]) => value))
          const flops = of(...branches.map(([, value]) => value))
          const rates = knapsackRates(sensitivities, flops, target)
          expect(dot(rates, flops)).toBeCloseTo(target * total(flops), 9)
          for (const rate of rates) expect(rate >= 0 && rate <= MAX_RATE).toBe(true)
          for (const [i, from] of rates.entries())
            for (const [j, to] of rates.entries())
              if (from > 1e-9 && to < MAX_RATE - 1e-9)
                expect(sensitivities[i]! / flops[i]!).toBeLessThanOrEqual(sensitivities[j]! / flops[j]! + 1e-12)
        },
      ),
    )
  })
})

describe('greedyRates', () => {
  it('walks the official steps: an example by hand', () => {
    // Keys S·(b + 0.1): branch 0 is raised at .1 .2 .3 .4, branch 1 at .25 and .5. Up to 0.2 of 2 FLOPs in order: 0, 0, 1, 0, 0, 1, …
    expect([...greedyRates(of(1, 2.5), of(1, 1), 0.15)]).toEqual([0.2, 0.1])
    expect([...greedyRates(of(1, 2.5), of(1, 1), 0.25)]).toEqual([0.4, 0.1])
    expect([...greedyRates(of(1, 2.5), of(1, 1), 0.3)]).toEqual([0.4, 0.2])
  })

  it('ignores FLOPs in its order, gives ties to the later branch and overshoots by less than a step', () => {
    expect([...greedyRates(of(1, 1), of(1, 100), 0.05)]).toEqual([0, 0.1])
    expect([...greedyRates(of(1, 1), of(100, 1), 0.05)]).toEqual([0.1, 0.1])
    const [sensitivities, flops] = [of(5, 3, 0.2, 0.7), of(2, 3, 2, 3)]
    for (const target of [0.5, 0.75, 0.875]) {
      const share = dot(greedyRates(sensitivities, flops, target), flops) / total(flops)
      expect(share).toBeGreaterThan(target - 1e-9)
      expect(share).toBeLessThan(target + (0.1 * 3) / total(flops))
    }
  })

  it('stops at the highest rate', () => {
    expect([...greedyRates(of(1, 2, 3), of(1, 1, 1), 0.9)]).toEqual([0.9, 0.9, 0.9])
    expect([...greedyRates(of(1, 2), of(1, 1), 0)]).toEqual([0, 0])
  })
})
