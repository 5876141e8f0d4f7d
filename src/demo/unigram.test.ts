import { describe, expect, it } from 'vitest'
import { unigramLoss } from './unigram.ts'

describe('unigramLoss', () => {
  it('is the mean of -log of the smoothed frequencies', () => {
    // Counts 3, 1, 0 of three tokens, one more each: 4/7, 2/7, 1/7.
    const train = [Int32Array.of(0, 0, 1), Int32Array.of(0)]
    const heldOut = [Int32Array.of(0, 2), Int32Array.of(1)]
    const expected = -(Math.log(4 / 7) + Math.log(1 / 7) + Math.log(2 / 7)) / 3
    expect(unigramLoss(train, heldOut, 3)).toBeCloseTo(expected, 12)
  })
  it('reads a source that can be read once only', () => {
    const once = [Int32Array.of(0, 1)].values()
    expect(unigramLoss([], once, 2)).toBeCloseTo(Math.LN2, 12)
  })
})
