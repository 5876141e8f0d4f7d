// Fusing, reranking and measuring of ranked lists.
import { describe, expect, it } from 'vitest'
import { fuse } from './fuse.ts'
import { meanMetrics, rankingMetrics } from './metrics.ts'
import { rerank } from './rerank.ts'

const list = (...scores: [string, number][]) => scores.map(([id, score]) => ({ id, score, text: `text of ${id}` }))

describe('fuse', () => {
  it('sums reciprocal ranks', () => {
    const fused = fuse([list(['a', 9], ['b', 8]), list(['b', 0.2], ['c', 0.1])])
    expect(fused.map(({ id }) => id)).toEqual(['b', 'a', 'c'])
    expect(fused.map(({ score }) => score)).toEqual([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    expect(fused[0]!.text).toBe('text of b')
  })
  it('sums weighted scores from 0 to 1', () => {
    // a: .25·1, b: .25·0 + .75·1, c: .75·0; one that is alone in its list has 1.
    const fused = fuse([list(['a', 9], ['b', 8]), list(['b', 7], ['c', 3])], { by: 'weighted', weights: [0.25, 0.75] })
    expect(fused.map(({ id, score }) => [id, score])).toEqual([
      ['b', 0.75],
      ['a', 0.25],
      ['c', 0],
    ])
    expect(fuse([list(['a', 5])], { by: 'weighted' })[0]!.score).toBe(1)
  })
  it('takes empty lists, ties in order, and an id that a list has twice', () => {
    expect(fuse([])).toEqual([])
    expect(fuse([[], list(['x', 1])]).map(({ id }) => id)).toEqual(['x'])
    expect(fuse([list(['a', 1]), list(['b', 1])]).map(({ id }) => id)).toEqual(['a', 'b'])
    expect(fuse([list(['a', 1], ['a', 1])])[0]!.score).toBe(1 / 61)
    expect(() => fuse([[]], { weights: [1, 2] })).toThrow('weights: expected 1 numbers')
  })
})

describe('rerank', () => {
  const hits = list(['a', 3], ['b', 2], ['c', 1])
  it('orders by a function, or by a reranker', async () => {
    const scores = [0, 5, 5]
    const byFunction = await rerank('q', hits, (query, texts) => {
      expect([query, texts]).toEqual(['q', ['text of a', 'text of b', 'text of c']])
      return scores
    })
    expect(byFunction.map(({ id, score }) => [id, score])).toEqual([
      ['b', 5],
      ['c', 5],
      ['a', 0],
    ])
    const byReranker = await rerank('q', hits, { rank: async () => ({ scores, promptTokens: 1 }) }, { k: 1 })
    expect(byReranker.map(({ id }) => id)).toEqual(['b'])
    expect(await rerank('q', [], () => [1])).toEqual([])
  })
  it('refuses what is not one score each', async () => {
    await expect(rerank('q', hits, () => [1])).rejects.toThrow('expected 3 finite scores, one for each document, got 1')
    await expect(rerank('q', hits, () => [1, Number.NaN, 2])).rejects.toThrow('got 3 with NaN at 1')
  })
})

describe('rankingMetrics', () => {
  it('measures as derived by hand', () => {
    const { ndcg, ...rest } = rankingMetrics(['x', 'a', 'b', 'c'], ['a', 'b', 'd', 'e'], 3)
    expect(rest).toEqual({ recall: 0.5, hit: 1, precision: 2 / 3, reciprocalRank: 0.5 })
    // (1/log₂3 + 1/log₂4) / (1 + 1/log₂3 + 1/log₂4), the ideal cut at 3
    expect(ndcg).toBeCloseTo((0.63093 + 0.5) / (1 + 0.63093 + 0.5), 5)
    const grades = new Map([
      ['a', 3],
      ['b', 1],
    ])
    // gains 1 and 7: (1 + 7/log₂3) / (7 + 1/log₂3)
    expect(rankingMetrics(['b', 'a'], grades, 2).ndcg).toBeCloseTo((1 + 7 * 0.63093) / (7 + 0.63093), 5)
    expect(rankingMetrics([], ['a'], 5)).toEqual({ recall: 0, hit: 0, precision: 0, reciprocalRank: 0, ndcg: 0 })
  })
  it('takes means, and refuses what cannot be measured', () => {
    const [good, bad] = [rankingMetrics(['a'], ['a'], 1), rankingMetrics(['b'], ['a'], 1)]
    expect(meanMetrics([good, bad])).toEqual({ recall: 0.5, hit: 0.5, precision: 0.5, reciprocalRank: 0.5, ndcg: 0.5 })
    expect(() => rankingMetrics(['a'], [], 1)).toThrow('expected at least one document')
    expect(() => rankingMetrics(['a', 'a'], ['a'], 1)).toThrow('got one twice')
    expect(() => meanMetrics([])).toThrow('at least one ranking')
  })
})
