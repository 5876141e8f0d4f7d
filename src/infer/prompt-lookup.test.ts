import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PromptLookup } from './prompt-lookup.ts'

/** The same by looking: the latest earlier place of the longest ending, up to three tokens, and what followed it. */
function byLooking(ids: readonly number[], max: number): number[] {
  for (let n = Math.min(3, ids.length - 1); n >= 1; n--) {
    const ending = ids.slice(-n).join()
    for (let end = ids.length - 1; end >= n; end--) {
      if (ids.slice(end - n, end).join() !== ending) continue
      const all = [...ids]
      while (all.length < ids.length + max) all.push(all[end + all.length - ids.length]!)
      return all.slice(ids.length)
    }
  }
  return []
}

describe('PromptLookup', () => {
  it('goes on as the text did after the same three tokens', () => {
    expect(new PromptLookup([1, 2, 3, 4, 5, 9, 1, 2, 3]).draft(3)).toEqual([4, 5, 9])
  })

  it('prefers a longer ending, and of equal ones the latest', () => {
    // `2 3` was there before 7; `3` alone, later, before 8.
    expect(new PromptLookup([2, 3, 7, 3, 8, 2, 3]).draft(1)).toEqual([7])
    expect(new PromptLookup([3, 7, 3, 8, 3]).draft(1)).toEqual([8])
  })

  it('guesses nothing where nothing is repeated, nor of an empty text', () => {
    expect(new PromptLookup([1, 2, 3]).draft(4)).toEqual([])
    expect(new PromptLookup().draft(4)).toEqual([])
    expect(new PromptLookup([1]).draft(4)).toEqual([])
  })

  it('goes on in its own guess where the text ends', () => {
    expect(new PromptLookup([5, 6, 5, 6]).draft(5)).toEqual([5, 6, 5, 6, 5])
    expect(new PromptLookup([4, 4]).draft(3)).toEqual([4, 4, 4])
  })

  it('finds what looking finds, however the text came', () => {
    const text = fc.array(fc.nat(3), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(text, fc.nat(60), fc.integer({ min: 1, max: 8 }), (ids, cut, max) => {
        const lookup = new PromptLookup(ids.slice(0, cut))
        for (const [i, id] of ids.slice(cut).entries()) {
          lookup.push(id)
          expect(lookup.draft(max)).toEqual(byLooking(ids.slice(0, Math.min(cut, ids.length) + i + 1), max))
        }
      }),
    )
  })
})
