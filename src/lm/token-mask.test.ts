import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hasToken, tokenBits } from './token-mask.ts'

it('sets bit i & 31 of word i >>> 5', () => {
  expect(Array.from(tokenBits([0, 31, 32, 69], 70))).toEqual([0x80000001, 1, 0x20])
})

it('holds what it was made of, and nothing beyond the vocabulary', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 90 })), fc.integer({ min: 1, max: 80 }), (ids, vocabSize) => {
      const bits = tokenBits(ids, vocabSize)
      expect(bits).toHaveLength(Math.ceil(vocabSize / 32))
      for (let id = 0; id < 96; id++) expect(hasToken(bits, id)).toBe(id < vocabSize && ids.includes(id))
    }),
  )
})
