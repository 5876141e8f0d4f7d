import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bernoulliSampler, type MaskSampler, maskRandom, pivotalSampler } from './sample-masks.ts'

const rounds = process.env.ANNEAL_LONG === '1' ? 200_000 : 10_000

/** How often each branch was dropped, and the masks' statistics, over `count` draws. */
function simulate(sampler: MaskSampler, count: number, each: (mask: Uint8Array) => void = () => {}): number[] {
  const dropped = new Array<number>(sampler.keep.length).fill(0)
  for (let step = 0; step < count; step++) {
    const mask = sampler.draw(maskRandom(7, step, 0))
    for (const [i, value] of mask.entries()) dropped[i]! += value
    each(mask)
  }
  return dropped
}

/** Largest |z| of the observed counts against the exact probabilities. */
function worstDeviation(dropped: number[], keep: Float64Array, count: number): number {
  return Math.max(
    ...dropped.map((seen, i) => {
      const p = 1 - keep[i]!
      const deviation = Math.sqrt(count * p * (1 - p))
      return deviation === 0
        ? seen === count * p
          ? 0
          : Number.POSITIVE_INFINITY
        : Math.abs(seen - count * p) / deviation
    }),
  )
}

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0)

describe('pivotalSampler', () => {
  it('drops exactly the budget of equal branches, each with its rate', () => {
    const rates = Float64Array.from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9, 1, 0, 0])
    const sampler = pivotalSampler(rates, new Float64Array(10).fill(3))
    const dropped = simulate(sampler, rounds, (mask) => expect(sum(mask)).toBe(4))
    expect(worstDeviation(dropped, sampler.keep, rounds)).toBeLessThan(4.5)
    expect([...sampler.keep]).toEqual([...rates].map((rate) => 1 - rate))
  })

  it('passes a χ² test of uniform marginals for whole and broken sums', () => {
    for (const rate of [0.5, 0.75, 0.875, 0.9]) {
      const count = 24
      const dropped = simulate(
        pivotalSampler(new Float64Array(count).fill(rate), new Float64Array(count).fill(1)),
        rounds,
      )
      const chi = sum(dropped.map((seen) => (seen - rounds * rate) ** 2 / (rounds * rate * (1 - rate))))
      expect(chi, `${rate}`).toBeLessThan(54) // the 99.96 % point for 24 degrees of freedom; fixed counts lie below it
    }
  })

  it('misses the budget of unequal branches by less than one of them, without bias', () => {
    const flops = Float64Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 5 : 8))
    const rates = Float64Array.from({ length: 16 }, (_, i) => 0.2 + 0.04 * i)
    const budget = sum(rates.map((rate, i) => rate * flops[i]!))
    const sampler = pivotalSampler(rates, flops)
    let total = 0
    const dropped = simulate(sampler, rounds, (mask) => {
      const spent = sum(flops.map((cost, i) => cost * mask[i]!))
      expect(Math.abs(spent - budget)).toBeLessThan(8)
      total += spent
    })
    expect(worstDeviation(dropped, sampler.keep, rounds)).toBeLessThan(4.5)
    expect(total / rounds).toBeCloseTo(budget, 1)
  })

  it('meets any budget to within one branch', () => {
    const branch = fc.tuple(
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      fc.double({ min: 1e3, max: 1e15, noNaN: true }),
    )
    fc.assert(
      fc.property(fc.array(branch, { minLength: 1, maxLength: 40 }), fc.nat(1e6), (branches, step) => {
        const rates = Float64Array.from(branches, ([rate]) => rate)
        const flops = Float64Array.from(branches, ([, cost]) => cost)
        const mask = pivotalSampler(rates, flops).draw(maskRandom(1, step, 2))
        const missed = sum(flops.map((cost, i) => cost * (mask[i]! - rates[i]!)))
        expect(mask.every((value) => value === 0 || value === 1)).toBe(true)
        expect(mask.some((value, i) => value === 1 && rates[i] === 0)).toBe(false)
        expect(Math.abs(missed)).toBeLessThanOrEqual(Math.max(...flops) * (1 + 1e-9))
      }),
    )
  })
})

describe('bernoulliSampler', () => {
  it('drops the biased share of the official rule', () => {
    // E max(X, N·P)/N for X ~ Binomial(N, P), summed in exact arithmetic
    const cases = [
      [0.5, 0.5403],
      [0.75, 0.7847],
      [0.875, 0.9012],
    ] as const
    for (const [target, share] of cases) {
      const sampler = bernoulliSampler(new Float64Array(24).fill(target), target)
      const dropped = simulate(sampler, rounds, (mask) => expect(sum(mask)).toBeGreaterThanOrEqual(24 * target))
      expect(sum(dropped) / 24 / rounds).toBeCloseTo(share, 2)
      expect(1 - sum(sampler.keep) / 24).toBeCloseTo(share, 4)
    }
  })

  it('forces the branches with the highest rates first, the lower of equals', () => {
    const never = (): number => 0.999999
    expect([...bernoulliSampler(Float64Array.from([0.5, 0.9, 0.5, 0.1]), 0.5).draw(never)]).toEqual([1, 1, 0, 0])
  })

  it('knows the exact probabilities: all 2⁶ outcomes of the coins, forced and added up', () => {
    const rates = Float64Array.from([0.3, 0.8, 0.5, 0.5, 0.1, 0.8])
    const sampler = bernoulliSampler(rates, 0.5)
    const keep = new Float64Array(6)
    for (let outcome = 0; outcome < 64; outcome++) {
      const coins = Array.from(rates, (_, i) => (outcome >> i) & 1)
      const chance = coins.reduce((product, coin, i) => product * (coin ? rates[i]! : 1 - rates[i]!), 1)
      let next = 0
      const mask = sampler.draw(() => (coins[next++] ? 0 : 0.999999))
      for (const [i, value] of mask.entries()) keep[i]! += chance * (1 - value)
    }
    for (const [i, value] of keep.entries()) expect(sampler.keep[i]).toBeCloseTo(value, 12)
  })
})

describe('maskRandom', () => {
  it('depends on seed, step and micro-batch, and on nothing else', () => {
    const first = (seed: number, step: number, micro: number): number => maskRandom(seed, step, micro)()
    const all = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1), first(2 ** 40, 0, 0)]
    expect(new Set(all).size).toBe(5)
    expect(first(0, 1, 0)).toBe(all[2])
    expect(all.every((value) => value >= 0 && value < 1)).toBe(true)
  })
})
