import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FlatVectors } from './flat-vectors.ts'
import type { Metric } from './vector-block.ts'

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
const gaussian = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())

describe('FlatVectors', () => {
  it('scores as derived by hand', () => {
    const scores = (metric: Metric, type: 'f32' | 'int8' = 'f32') => {
      const index = new FlatVectors({ dimensions: 2, metric, type })
      index.add('a', [3, 4])
      index.add('b', [0, 2])
      return index.search([1, 0]).map(({ id, score }) => [id, Number(score.toFixed(6))])
    }
    for (const type of ['f32', 'int8'] as const) {
      expect(scores('cosine', type)).toEqual([
        ['a', 0.6],
        ['b', 0],
      ])
      expect(scores('product', type)).toEqual([
        ['a', 3],
        ['b', 0],
      ])
      // (1−0)² + (0−2)² = 5; (1−3)² + (0−4)² = 20
      expect(scores('l2', type)).toEqual([
        ['b', -5],
        ['a', -20],
      ])
    }
  })

  it.each(['cosine', 'product', 'l2'] as const)('finds what sorting finds, after changes: %s', (metric) => {
    const vector = fc
      .array(fc.integer({ min: -4, max: 4 }), { minLength: 5, maxLength: 5 })
      .filter((v) => v.some(Boolean))
    const change = fc.record({ id: fc.integer({ min: 0, max: 99 }), vector: fc.option(vector, { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), vector, (changes, query) => {
        const index = new FlatVectors({ dimensions: 5, metric })
        const known = new Map<string, number[]>()
        for (const { id, vector: given } of changes) {
          expect(given === undefined ? index.remove(`${id}`) : index.add(`${id}`, given)).toBe(
            given === undefined ? known.has(`${id}`) : undefined,
          )
          known.delete(`${id}`)
          if (given !== undefined) known.set(`${id}`, given)
        }
        expect(index.size).toBe(known.size)
        const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
        const score = (v: number[]) =>
          metric === 'product'
            ? dot(v, query)
            : metric === 'l2'
              ? -dot(v, v) + 2 * dot(v, query) - dot(query, query)
              : dot(v, query) / Math.sqrt(dot(v, v) * dot(query, query))
        const hits = index.search(query, { k: 7 })
        const wanted = [...known.values()].map(score).sort((a, b) => b - a)
        expect(hits.length).toBe(Math.min(7, known.size))
        for (const [i, hit] of hits.entries()) {
          expect(hit.score).toBeCloseTo(wanted[i]!, 5)
          expect(score(known.get(hit.id)!)).toBeCloseTo(hit.score, 5)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('finds by bytes nearly what it finds by floats, and with rescoring the same scores', () => {
    const next = random(5)
    const make = () => Array.from({ length: 64 }, () => gaussian(next))
    const options = { dimensions: 64, metric: 'cosine' } as const
    const exact = new FlatVectors(options)
    const bare = new FlatVectors({ ...options, type: 'int8', rescore: 0 })
    const again = new FlatVectors({ ...options, type: 'int8' })
    for (let i = 0; i < 2000; i++) {
      const vector = make()
      for (const index of [exact, bare, again]) index.add(`${i}`, vector)
    }
    const queries = Array.from({ length: 20 }, make)
    const wanted = exact.searchAll(queries)
    const recall = (index: FlatVectors) =>
      index.searchAll(queries).reduce((sum, hits, q) => {
        const right = new Set(wanted[q]!.map(({ id }) => id))
        return sum + hits.filter(({ id }) => right.has(id)).length / 200
      }, 0)
    expect(recall(bare)).toBeGreaterThan(0.9)
    expect(recall(again)).toBeGreaterThan(0.99)
    expect(again.search(queries[0]!)[0]).toEqual(wanted[0]![0])
  })

  it('leaves ties in the order of adding, and finds nothing in nothing', () => {
    const index = new FlatVectors({ dimensions: 3 })
    expect(index.search([1, 0, 0])).toEqual([])
    for (const id of ['c', 'a', 'b']) index.add(id, [1, 1, 0])
    expect(index.search([1, 0, 0], { k: 2 }).map(({ id }) => id)).toEqual(['c', 'a'])
    index.add('c', [1, 1, 0])
    expect(index.search([1, 0, 0], { k: 2 }).map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('refuses what cannot be compared', () => {
    const index = new FlatVectors({ dimensions: 2 })
    expect(() => index.add('a', [1, Number.NaN])).toThrow('vector of "a": expected finite numbers, got NaN at 1')
    expect(() => index.add('a', [1, 1e39])).toThrow('finite')
    expect(() => index.add('a', [0, 0])).toThrow('expected a vector with a direction, got zeros alone')
    expect(() => index.add('a', [1])).toThrow('expected 2 numbers, got 1')
    expect(() => index.search([0, 0])).toThrow('query: expected a vector with a direction')
    expect(index.size).toBe(0)
    // Lengths whose squares are no floats.
    index.add('small', [1e-30, 0])
    index.add('large', [1e30, 1e30])
    expect(index.search([1, 0]).map(({ score }) => score.toFixed(4))).toEqual(['1.0000', '0.7071'])
    new FlatVectors({ dimensions: 2, metric: 'l2' }).add('zero', [0, 0])
  })
})
