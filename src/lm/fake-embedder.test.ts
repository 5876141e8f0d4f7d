import { expect, it } from 'vitest'
import { fakeEmbedder } from './fake-embedder.ts'

it('gives texts of like letters like vectors, from texts or ids, cut where they are too long', async () => {
  const embedder = fakeEmbedder({ contextLength: 5 })
  const [text, ids, cut] = await embedder.embed(['abc', embedder.encode('cab'), 'abcdef'])
  expect(text).toEqual(ids)
  expect(cut).toEqual(text)
  expect(Math.hypot(...text!)).toBeCloseTo(1)
  expect(embedder.encode('abcdef', { truncate: false })).toHaveLength(8)
  await expect(embedder.embed([[1, 2, 3, 4, 5, 6]])).rejects.toThrow('expected 1 to 5 tokens, got 6')
  const [{ vectors, ids: framed, before, after } = { vectors: [], ids: [], before: 0, after: 0 }] =
    await embedder.embedTokens(['ab'])
  expect([framed.length - before - after, vectors.length]).toEqual([2, 4 * embedder.dimensions])
})
