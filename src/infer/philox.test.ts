import { describe, expect, it } from 'vitest'
import { philox4x32, uniform } from './philox.ts'

describe('philox4x32', () => {
  // kat_vectors of the authors' Random123 library, lines `philox4x32 10`.
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ] as const)('gives the published words for counter %j', (counter, key, expected) => {
    const words = philox4x32([...counter], key)
    expect(words.map((word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(expected)
  })
})

describe('uniform', () => {
  it('is 53 bits of the first two words', () => {
    const expected = ((0x6627e8d5 >>> 5) * 2 ** 26 + (0xe169c58d >>> 6)) / 2 ** 53
    expect(uniform(0, 0)).toBe(expected)
  })

  it('uses all bits of seed and step', () => {
    const values = [0, 1, 2 ** 31, 2 ** 32, 2 ** 52].flatMap((x) => [uniform(x, 7), uniform(7, x)])
    expect(new Set(values).size).toBe(values.length)
  })

  it('spreads evenly over ten bins', () => {
    const bins = new Array<number>(10).fill(0)
    for (let step = 0; step < 20_000; step++) bins[Math.floor(uniform(42, step) * 10)]!++
    // χ² with 9 degrees of freedom exceeds 27.9 once in a thousand.
    expect(bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9)
  })
})
