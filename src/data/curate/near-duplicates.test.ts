import { describe, expect, it } from 'vitest'
import { type Candidates, closure, clusterSizes, KEPT, verified } from './near-duplicates.ts'

/** Documents with the given keys, one band for each column; 0 is a key of its own. Content hashes are by `order`. */
function candidates(
  keys: readonly (readonly number[])[],
  order: readonly number[] = keys.map((_, i) => i),
): Candidates {
  return {
    count: keys.length,
    bands: keys[0]!.length,
    keys: (band) => ({
      low: Uint32Array.from(keys.map((row, i) => row[band] || 1000 + i)),
      high: new Uint32Array(keys.length),
    }),
    has: () => true,
    compare: (a, b) => order[a]! - order[b]!,
  }
}

// A chain: 0–1 share a band, 1–2, 2–3; only neighbours resemble each other.
const chain = candidates([
  [1, 0, 0],
  [1, 2, 0],
  [0, 2, 3],
  [0, 0, 3],
])
const isNeighbour = (a: number, b: number): boolean => Math.abs(a - b) === 1

describe('near-duplicates', () => {
  it('joined without looking take a whole chain', () => {
    expect(Array.from(closure(chain))).toEqual([KEPT, 0, 0, 0])
  })

  it('that are verified take direct neighbours of what stays, and no more', () => {
    const { removed } = verified(chain, isNeighbour)
    // 0 stays, 1 goes for it; 2 resembles only 1, which is gone, so it stays, and 3 goes for it.
    expect(Array.from(removed)).toEqual([KEPT, 0, KEPT, 2])
    expect(verified(chain, () => false).removed.every((kept) => kept === KEPT)).toBe(true)
  })

  it('are the same for any order of the documents', () => {
    const keys = Array.from({ length: 60 }, (_, i) => [1 + (i % 7), 1 + (i % 11), 1 + ((i * i) % 13)])
    const resembles = (a: number, b: number): boolean => (a * b) % 3 === (a + b) % 2
    const expected = Array.from(verified(candidates(keys), resembles).removed)
    const closed = Array.from(closure(candidates(keys)))
    for (const step of [7, 13, 29]) {
      // Document i of the first is number (i · step) mod 60 of this one.
      const at = keys.map((_, i) => (i * step + 5) % 60)
      const moved = keys.map((_, j) => at.indexOf(j))
      const shuffled = candidates(
        moved.map((i) => keys[i]!),
        moved,
      )
      const again = verified(shuffled, (a, b) => resembles(moved[a]!, moved[b]!)).removed
      const name = (kept: number): number => (kept === KEPT ? KEPT : moved[kept]!)
      expect(at.map((j) => name(again[j]!))).toEqual(expected)
      const closedAgain = closure(shuffled)
      expect(at.map((j) => name(closedAgain[j]!))).toEqual(closed)
    }
  })

  it('never go for something that they do not resemble', () => {
    const keys = Array.from({ length: 200 }, (_, i) => [1 + (i % 3), 1 + (i % 5)])
    const resembles = (a: number, b: number): boolean => a % 4 === b % 4
    const { removed } = verified(candidates(keys), resembles)
    for (const [document, kept] of removed.entries()) {
      if (kept === KEPT) continue
      expect(resembles(document, kept)).toBe(true)
      expect(removed[kept]).toBe(KEPT)
    }
  })

  it('are counted by the size of their clusters', () => {
    expect([...clusterSizes(Uint32Array.from([KEPT, 0, 0, KEPT, 3, KEPT]))]).toEqual([
      [2, 1],
      [3, 1],
    ])
  })
})
