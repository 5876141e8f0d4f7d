import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { didYouMean, editDistance, nearest } from './nearest.ts'

describe('nearest', () => {
  it('counts edits, a swap of neighbours as one', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3) // k→s, e→i, +g
    expect(editDistance('trian', 'train')).toBe(1)
    expect(editDistance('', 'abc')).toBe(3)
  })

  it('is a distance: symmetric, zero only for equal words', () => {
    const word = fc.string({ maxLength: 12 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })

  it('finds slips, other spellings and shortened words, and nothing far away', () => {
    const keys = ['learning_rate', 'max_steps', 'output_dir', 'max_length']
    expect(nearest('learning_rte', keys)).toBe('learning_rate')
    expect(nearest('learningRate', keys)).toBe('learning_rate')
    expect(nearest('output', keys)).toBe('output_dir')
    expect(nearest('zebra', keys)).toBeUndefined()
    expect(nearest('5', ['2', '3', '16'])).toBeUndefined()
    expect(nearest('x'.repeat(100_000), keys)).toBeUndefined()
    expect(didYouMean('modl', ['model'], '--')).toBe(" Did you mean '--model'?")
    expect(didYouMean('zebra', keys)).toBe('')
  })
})
