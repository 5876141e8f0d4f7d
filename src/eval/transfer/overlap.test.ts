import { describe, expect, it } from 'vitest'
import { subwordOverlap } from './overlap.ts'

describe('subword overlap', () => {
  it('counts a token as often as both have it', () => {
    // Common: 1 twice, 2 once; 5 + 7 tokens.
    expect(subwordOverlap([1, 1, 1, 2, 3], [1, 1, 2, 2, 4, 5, 6])).toEqual({ dice: 6 / 12, halfDice: 3 / 12 })
  })
  it('is 1 for the same tokens in another order, and 0 for none', () => {
    expect(subwordOverlap([1, 2, 2], [2, 1, 2]).dice).toBe(1)
    expect(subwordOverlap([1], [2]).dice).toBe(0)
    expect(subwordOverlap([], []).dice).toBeNaN()
  })
})
