import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { order } from './order.ts'

function epochOf(size: number, seed: number, epoch: number): number[] {
  const at = order(size, seed)
  return Array.from({ length: size }, (_, position) => at(epoch, position))
}

describe('order', () => {
  it('visits every index once, for every small size and several seeds and epochs', () => {
    for (let size = 1; size <= 300; size++) {
      for (const seed of [0, 1, 42, 2 ** 40 + 1]) {
        for (const epoch of [0, 1, 1000]) expect(new Set(epochOf(size, seed, epoch)).size).toBe(size)
      }
    }
    expect(Math.max(...epochOf(300, 1, 0))).toBe(299)
  })

  it('visits every index once for sizes around powers of two, and stays in range for huge ones', () => {
    for (const size of [2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1]) expect(new Set(epochOf(size, 7, 3)).size).toBe(size)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.maxSafeNat(), fc.maxSafeNat(), (size, seed, epoch) => {
        const index = order(size, seed)(epoch, size - 1)
        expect(Number.isInteger(index) && index >= 0 && index < size).toBe(true)
      }),
    )
  })

  it('depends on seed, epoch and position only, not on the calls before', () => {
    const at = order(1000, 5)
    const first = at(3, 17)
    at(4, 0)
    at(0, 999)
    expect(at(3, 17)).toBe(first)
    expect(order(1000, 5)(3, 17)).toBe(first)
    // Pinned: another order would make every resumed run see other data.
    expect(epochOf(10, 1, 0)).toEqual([2, 6, 7, 9, 1, 5, 8, 4, 3, 0])
  })

  it('differs between epochs and between seeds, high bits included', () => {
    const orders = [
      epochOf(50, 1, 0),
      epochOf(50, 1, 1),
      epochOf(50, 2, 0),
      epochOf(50, 2 ** 33 + 1, 0),
      epochOf(50, 1, 2 ** 33),
    ]
    expect(new Set(orders.map(String)).size).toBe(5)
  })

  it('puts every index equally often at every position, and follows each by every other', () => {
    const size = 6
    const epochs = 30_000
    const at = Array.from({ length: size }, () => new Float64Array(size))
    const follows = Array.from({ length: size }, () => new Float64Array(size))
    for (let epoch = 0; epoch < epochs; epoch++) {
      const visited = epochOf(size, 9, epoch)
      for (const [position, index] of visited.entries()) {
        at[position]![index]!++
        if (position > 0) follows[visited[position - 1]!]![index]!++
      }
    }
    // 25 degrees of freedom: 65 is passed once in 50,000 tries of a fair shuffle.
    const expected = epochs / size
    expect(at.flatMap((row) => [...row]).reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)).toBeLessThan(65)
    const pairs = follows.flatMap((row, i) => [...row].filter((_, j) => j !== i))
    expect(pairs.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)).toBeLessThan(65)
  })

  it('refuses sizes, seeds and positions that are none', () => {
    expect(() => order(-1, 0)).toThrow(/dataset size/)
    expect(() => order(10, 1.5)).toThrow(/seed/)
    expect(() => order(10, 0)(0, 10)).toThrow(/from 0 to 9, got 10/)
    expect(() => order(10, 0)(0, 0.5)).toThrow(/position/)
  })
})
