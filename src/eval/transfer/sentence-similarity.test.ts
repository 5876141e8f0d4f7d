import { describe, expect, it } from 'vitest'
import { fakeLm } from '../../lm/fake-lm.ts'
import { sentenceSimilarity } from './sentence-similarity.ts'

describe('similarity of parallel sentences', () => {
  // "a" and "b" stand at right angles in the embeddings, and are the same from the first block on.
  const lm = fakeLm({ layers: 2, vector: (ids, index, layer) => (layer === 0 && ids[index] === 98 ? [0, 2] : [2, 0]) })
  it('is the mean over layers of the cosine of mean states', async () => {
    const { mean, layers } = await sentenceSimilarity(lm, ['ab', 'a'], ['a', 'b'])
    expect(layers).toEqual([expect.closeTo(Math.SQRT1_2 / 2, 6), 1, 1])
    expect(mean).toBeCloseTo((Math.SQRT1_2 / 2 + 2) / 3, 6)
  })
  it('refuses lists that are not parallel, and models that show no states', async () => {
    await expect(sentenceSimilarity(lm, ['a'], ['a', 'b'])).rejects.toThrow(
      /as many translations as sentences, got 2 and 1/,
    )
    await expect(sentenceSimilarity({ ...lm, hidden: undefined } as never, ['a'], ['a'])).rejects.toThrow(
      /hidden states/,
    )
  })
})
