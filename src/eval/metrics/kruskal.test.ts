// Kruskal and Wallis' test against SciPy 1.17.1, with and without ties.
import { describe, expect, it } from 'vitest'
import { chiSquareP, kruskalP } from './kruskal.ts'

describe('several samples', () => {
  it.each([
    [
      [
        [1, 2, 3, 4, 5],
        [2, 4, 6, 8, 10],
        [5, 5, 5, 9],
      ],
      0.09416852335388368,
    ],
    [
      [
        [0.5, 0.25, -0.1, 0.25],
        [0.6, 0.9, 0.8],
      ],
      0.03231291124324416,
    ],
    [
      [
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
        [2, 3, 4, 5, 6, 7, 8, 9, 10],
        [3, 1, 4, 1, 5, 9],
        [12, 11, 15, 13],
      ],
      0.008927778251265365,
    ],
  ])('%j', (samples, expected) => expect(kruskalP(samples)).toBeCloseTo(expected, 10))

  it('have no p where there is nothing to compare', () => {
    for (const samples of [
      [],
      [[1, 2]],
      [[1], []],
      [
        [2, 2],
        [2, 2],
      ],
    ])
      expect(kruskalP(samples)).toBeNaN()
  })
})

describe('χ²', () => {
  it.each([
    [0.1, 1, 0.7518296340458492],
    [3.84, 1, 0.05004352124870519],
    [5.99, 2, 0.05003662708658629],
    [20, 3, 0.00016974243555282632],
    [1, 6, 0.9856123220330293],
    [60, 7, 1.5095553022989154e-10],
    [0, 3, 1],
  ])('is at least %d with %d degrees of freedom', (x, freedom, expected) =>
    expect(chiSquareP(x, freedom) / expected).toBeCloseTo(1, 9),
  )
})
