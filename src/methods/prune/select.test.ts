import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroupSet } from './groups.ts'
import { best, globalCounts, localCounts } from './select.ts'

const set = (layer: number, kind: 'mlp' | 'heads', count: number, cost: number): GroupSet => ({
  layer,
  kind,
  count,
  cost,
  members: [],
})
const every = ({ count }: GroupSet): number[] => Array.from({ length: count }, (_, i) => i + 1)
const anyHeads = { align: 1, headCounts: every }

describe('localCounts', () => {
  // One layer: 4 heads of 10, 100 neurons of 1; a share of 0.3 is 42 parameters.
  const layer = [set(0, 'heads', 4, 10), set(0, 'mlp', 100, 1)]

  it('makes up with neurons what whole heads cannot give', () => {
    // 2.8 heads would stay: 3 do, which takes 10; 32 neurons go.
    expect(localCounts(layer, 0.3, anyHeads)).toEqual([3, 68])
  })
  it('keeps more heads where two numbers are equally near', () => {
    expect(localCounts([set(0, 'heads', 2, 10), set(0, 'mlp', 100, 1)], 0.25, anyHeads)).toEqual([2, 70])
  })
  it('keeps to the numbers of heads that are allowed', () => {
    expect(localCounts(layer, 0.3, { align: 1, headCounts: () => [1, 2, 4] })).toEqual([2, 78])
  })
  it('rounds neurons to multiples', () => {
    expect(localCounts([set(0, 'mlp', 256, 3)], 0.3, { align: 64, headCounts: every })).toEqual([192])
    expect(localCounts([set(0, 'mlp', 256, 3)], 0.97, { align: 64, headCounts: every })).toEqual([64])
    expect(localCounts([set(0, 'mlp', 100, 3)], 0.03, { align: 64, headCounts: every })).toEqual([100])
  })
  it('never adds neurons where heads took more than the share', () => {
    expect(localCounts([set(0, 'heads', 2, 100), set(0, 'mlp', 10, 1)], 0.4, anyHeads)).toEqual([1, 10])
  })
  it('refuses to empty a layer', () => {
    expect(() => localCounts([set(3, 'mlp', 10, 1)], 0.96, anyHeads)).toThrow(
      /ratio: expected .* empties the mlp of layer 3/,
    )
    expect(() => localCounts([set(1, 'heads', 2, 1)], 0.8, anyHeads)).toThrow(/empties the heads of layer 1/)
  })
  it('removes the share of each layer, but for half a neuron', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 200, max: 999 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (heads, headCost, neurons, share) => {
          const sets = [set(0, 'heads', heads, headCost), set(0, 'mlp', neurons, 3)]
          const [keptHeads = 0, keptNeurons = 0] = localCounts(sets, share, anyHeads)
          const removed = (heads - keptHeads) * headCost + (neurons - keptNeurons) * 3
          const wanted = share * (heads * headCost + neurons * 3)
          // Heads may overshoot by half a head, and neurons never come back.
          expect(removed - wanted).toBeGreaterThanOrEqual(-1.5 - 1e-6)
          expect(removed - wanted).toBeLessThanOrEqual(Math.max(1.5, headCost / 2) + 1e-6)
        },
      ),
    )
  })
})

describe('globalCounts', () => {
  it('keeps the best of all layers, each as heavy as its parameters', () => {
    const sets = [set(0, 'heads', 2, 10), set(0, 'mlp', 4, 1), set(1, 'mlp', 4, 1)]
    const scores = [
      [0.9, 0.1],
      [0.8, 0.2, 0.7, 0.3],
      [0.4, 0.6, 0.5, 0.05],
    ]
    // The best of each cost 12; 15 leaves 3 more: 0.7, 0.5, 0.4.
    expect(globalCounts(sets, scores, 15, 1)).toEqual([1, 2, 3])
    expect(globalCounts(sets, scores, 28, 1)).toEqual([2, 4, 4])
  })
  it('meets the budget but for half of a group, and leaves something everywhere', () => {
    const sets = fc.array(fc.record({ count: fc.integer({ min: 1, max: 20 }), cost: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(sets, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer(), (shapes, share, seed) => {
        const list = shapes.map(({ count, cost }, layer) => set(layer, 'mlp', count, cost))
        const scores = list.map(({ count }, i) => Array.from({ length: count }, (_, k) => Math.sin(seed + 37 * i + k)))
        const least = list.reduce((sum, { cost }) => sum + cost, 0)
        const whole = list.reduce((sum, { cost, count }) => sum + cost * count, 0)
        const budget = least + share * (whole - least)
        const counts = globalCounts(list, scores, budget, 1)
        const kept = counts.reduce((sum, count, i) => sum + count * list[i]!.cost, 0)
        expect(Math.abs(kept - budget)).toBeLessThanOrEqual(Math.max(...list.map(({ cost }) => cost)) / 2 + 1e-9)
        for (const [i, count] of counts.entries()) {
          expect(count).toBeGreaterThanOrEqual(1)
          expect(count).toBeLessThanOrEqual(list[i]!.count)
        }
      }),
    )
  })
  it('refuses a budget below one group of each set', () => {
    expect(() => globalCounts([set(0, 'mlp', 4, 5), set(1, 'mlp', 4, 5)], [[], []], 9, 1)).toThrow(/empties/)
  })
})

describe('best', () => {
  it('gives the highest in their order, the first of equal ones', () => {
    expect(best([3, 9, 1, 9, 3], 3)).toEqual([0, 1, 3])
    expect(best([1, 1, 1], 2)).toEqual([0, 1])
  })
})
