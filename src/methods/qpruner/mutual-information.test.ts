import { describe, expect, it } from 'vitest'
import { equalWidthBins, frequentClasses, mutualInformation } from './mutual-information.ts'

describe('mutualInformation', () => {
  it('is the entropy of what is known for sure, and 0 for what is independent', () => {
    expect(mutualInformation([0, 1, 2, 3], [7, 5, 6, 4])).toBeCloseTo(Math.log(4), 12)
    expect(mutualInformation([0, 0, 1, 1], [0, 1, 0, 1])).toBeCloseTo(0, 12)
    expect(mutualInformation([3, 3, 3], [1, 2, 1])).toBe(0)
  })

  it('equals the sum by hand', () => {
    // p(0,0) = ½, p(1,0) = ¼, p(1,1) = ¼; p(x) = ½, ½; p(y) = ¾, ¼.
    const expected = 0.5 * Math.log(0.5 / (0.5 * 0.75)) + 0.25 * Math.log(0.25 / (0.5 * 0.75)) + 0.25 * Math.log(2)
    expect(mutualInformation([0, 0, 1, 1], [0, 0, 0, 1])).toBeCloseTo(expected, 12)
  })
})

describe('bins', () => {
  it('are equally wide from the least to the largest', () => {
    expect(equalWidthBins([0, 0.24, 0.26, 0.5, 1], 4)).toEqual([0, 0, 1, 2, 3])
    expect(equalWidthBins([5, 5], 4)).toEqual([0, 0])
  })

  it('keep the most frequent numbers apart', () => {
    expect(frequentClasses([9, 9, 9, 4, 4, 7, 2], 3)).toEqual([0, 0, 0, 1, 1, 2, 2])
  })
})
