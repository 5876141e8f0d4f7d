import { describe, expect, it } from 'vitest'
import { stack } from '../../data/batches.ts'
import { prependPrompt } from './prepend-prompt.ts'

const sample = (ids: number[], starts?: number[]): Parameters<typeof stack>[0][number] => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(ids),
  ...(starts && { starts: Int32Array.from(starts) }),
})

describe('prependPrompt', () => {
  it('puts virtual tokens, which carry no loss, before every row', () => {
    const batch = prependPrompt(stack([sample([5, 6, 7]), sample([8, 9])]), 2)
    expect(batch).toEqual({
      rows: 2,
      length: 5,
      inputIds: Int32Array.from([-1, -2, 5, 6, 7, -1, -2, 8, 9, 0]),
      labels: Int32Array.from([-100, -100, 5, 6, 7, -100, -100, 8, 9, -100]),
    })
  })

  it('puts them before every document of a packed row, at the positions before it', () => {
    const batch = prependPrompt(stack([sample([5, 6, 7, 8], [0, 2]), sample([9, 10, 11, 12], [0])]), 1)
    expect(batch.length).toBe(6)
    expect(Array.from(batch.inputIds)).toEqual([-1, 5, 6, -1, 7, 8, -1, 9, 10, 11, 12, 0])
    expect(Array.from(batch.positionIds!)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 0])
    expect(Array.from(batch.segmentIds!)).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, -1])
    expect(Array.from(batch.labels)).toEqual([-100, 5, 6, -100, 7, 8, -100, 9, 10, 11, 12, -100])
  })
})
