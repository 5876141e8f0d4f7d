import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Point, smoothed, thinned } from './series.ts'

describe('thinned', () => {
  it('keeps short lines as they are', () => {
    const points: Point[] = [
      [0, 1],
      [1, 2],
    ]
    expect(thinned(points, 1)).toBe(points)
  })

  it('keeps spikes, both ends and the order', () => {
    const points = Array.from(
      { length: 10_000 },
      (_, x): Point => [x, x === 5555 ? 99 : x === 7777 ? -99 : Math.sin(x)],
    )
    const kept = thinned(points, 100)
    expect(kept.length).toBeLessThanOrEqual(404)
    expect(kept).toContainEqual([5555, 99])
    expect(kept).toContainEqual([7777, -99])
    expect([kept[0], kept.at(-1)]).toEqual([points[0], points.at(-1)])
    expect(kept.map(([x]) => x)).toEqual(kept.map(([x]) => x).toSorted((a, b) => a - b))
  })

  it('ends and keeps extremes for any sorted points', () => {
    const sorted = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.float()), { minLength: 41, maxLength: 300 })
    fc.assert(
      fc.property(sorted, (raw) => {
        const points: Point[] = raw.toSorted(([a], [b]) => a - b)
        const values = points.map(([, y]) => y).filter(Number.isFinite)
        fc.pre(values.length === points.length)
        const kept = thinned(points, 10).map(([, y]) => y)
        expect(Math.max(...kept)).toBe(Math.max(...values))
        expect(Math.min(...kept)).toBe(Math.min(...values))
      }),
    )
  })
})

describe('smoothed', () => {
  it('starts at the first value and corrects for the missing past', () => {
    // weight ½: means 4/2=2 of ½ → 4; then (2·½+½·8)/(¾) = 5/0.75.
    const points: Point[] = [
      [0, 4],
      [1, 8],
      [2, Number.NaN],
      [3, 8],
    ]
    const [first, second, gap, last] = smoothed(points, 0.5).map(([, y]) => y)
    expect(first).toBe(4)
    expect(second).toBeCloseTo(5 / 0.75, 12)
    expect(gap).toBeNaN()
    // ½·5 + ½·8 = 6.5, over ½·¾ + ½ = 0.875.
    expect(last).toBeCloseTo(6.5 / 0.875, 12)
  })
})
