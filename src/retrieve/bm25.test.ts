import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bm25 } from './bm25.ts'
import { type Bm25Options, byteToLength, lengthToByte } from './bm25-formula.ts'
import { TopK } from './top-k.ts'

const golden = JSON.parse(readFileSync(new URL('../../test/fixtures/retrieve/bm25.json', import.meta.url), 'utf8')) as {
  documents: string[]
  queries: string[]
  scores: Record<'okapi' | 'plus' | 'l' | 'lucene', number[][]>
}
const split = (text: string): string[] => text.split(' ').filter((word) => word !== '')
const indexOf = (texts: readonly string[], options: Bm25Options = {}): Bm25 =>
  new Bm25(
    texts.map((text, i) => ({ id: `${i}`, text })),
    { tokenize: split, ...options },
  )
const scoresOf = (index: Bm25, query: string, count: number): number[] => {
  const hits = new Map(index.search(query, { k: count }).map(({ id, score }) => [Number(id), score]))
  return Array.from({ length: count }, (_, i) => hits.get(i) ?? 0)
}

describe('Bm25', () => {
  it('scores as derived by hand', () => {
    // N = 3, mean length 2; "cat" is in 2 documents: idf = ln(1 + 1.5/2.5) = ln 1.6.
    const index = indexOf(['cat cat dog', 'cat', 'a b'])
    const idf = Math.log(1.6)
    const [first, second] = index.search('cat')
    // 2/(2 + 1.2·(.25 + .75·3/2)) = 2/3.65 and 1/(1 + 1.2·(.25 + .75·1/2)) = 1/1.75
    expect([first!.id, second!.id]).toEqual(['1', '0'])
    expect(first!.score).toBeCloseTo(idf / 1.75, 14)
    expect(second!.score).toBeCloseTo((idf * 2) / 3.65, 14)
    // okapi of "a", in 1 of 3: ln 2.5 − ln 1.5; 1·2.5/(1 + 1.5·(.25 + .75·2/2)) = 1.
    expect(indexOf(['cat cat dog', 'cat', 'a b'], { variant: 'okapi' }).search('a')[0]!.score).toBeCloseTo(
      Math.log(2.5 / 1.5),
      14,
    )
  })

  it.each(['lucene', 'okapi'] as const)('equals others: %s', (variant) => {
    const { documents, queries, scores } = golden
    const index = indexOf(documents, { variant })
    for (const [q, query] of queries.entries()) {
      const ours = scoresOf(index, query, documents.length)
      for (const [d, score] of ours.entries()) expect(score).toBeCloseTo(scores[variant][q]![d]!, 12)
    }
    // Some document has a word of negative idf, which okapi raises to a share of the mean.
    expect(scores.okapi[0]!.some((score) => score > 0)).toBe(true)
  })

  it.each(['plus', 'l'] as const)('equals rank-bm25 without what it gives for absent words: %s', (variant) => {
    const { documents, queries, scores } = golden
    const index = indexOf(documents, { variant })
    const has = documents.map((text) => new Set(split(text)))
    const absent = (term: string): number => {
      const n = has.filter((words) => words.has(term)).length
      if (n === 0) return 0
      const idf = Math.log(documents.length + 1) - Math.log(n + (variant === 'l' ? 0.5 : 0))
      return variant === 'l' ? (idf * 2.5 * 0.5) / 2 : idf
    }
    for (const [q, query] of queries.entries())
      for (const [d, score] of scoresOf(index, query, documents.length).entries()) {
        const missing = split(query).filter((term) => !has[d]!.has(term))
        const theirs = scores[variant][q]![d]! - missing.reduce((sum, term) => sum + absent(term), 0)
        expect(score).toBeCloseTo(theirs, 12)
      }
  })

  it('keeps lengths in a byte as Lucene does', () => {
    // Exact up to 40; above only what four bits hold: 41 → 40, 47 → 46, 1000 → 24 + 15·2⁶ = 984.
    for (let length = 0; length <= 40; length++) expect(byteToLength(lengthToByte(length))).toBe(length)
    expect([41, 47, 1000].map((length) => byteToLength(lengthToByte(length)))).toEqual([40, 46, 984])
    for (let byte = 0; byte < 256; byte++)
      if (byteToLength(byte) < 2 ** 31) expect(lengthToByte(byteToLength(byte))).toBe(byte)
    const long = Array.from({ length: 41 }, (_, i) => `x${i}`).join(' ')
    const score = (lengths: 'exact' | 'byte') => indexOf([long, 'y'], { lengths }).search('x1')[0]!.score
    expect(score('byte')).toBeGreaterThan(score('exact'))
  })

  it('finds nothing for an empty query, unknown words and no documents', () => {
    const index = indexOf(['a b', 'c'])
    expect(index.search('')).toEqual([])
    expect(index.search('zebra toString __proto__')).toEqual([])
    expect(indexOf([]).search('a')).toEqual([])
    expect(indexOf(['', '']).search('a')).toEqual([])
    expect(indexOf(['constructor']).search('constructor')).toHaveLength(1)
  })

  it('finds the one document there is, and a word that is in half or all of them', () => {
    expect(indexOf(['only one']).search('one')[0]!.score).toBeGreaterThan(0)
    for (const hit of indexOf(['a b', 'a c']).search('a')) expect(hit.score).toBeGreaterThan(0)
    // rank-bm25 scores 0 where a word is in exactly half, and others filter that out: it matches all the same.
    const half = indexOf(['a', 'b', 'a', 'c'], { variant: 'okapi' }).search('a')
    expect(half.map(({ id, score }) => [id, score])).toEqual([
      ['0', 0],
      ['2', 0],
    ])
  })

  it('leaves ties in the order of documents, whatever k', () => {
    const index = indexOf(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 'same words' : 'others')))
    for (const k of [1, 3, 25])
      expect(index.search('words', { k }).map(({ id }) => Number(id))).toEqual(
        Array.from({ length: k }, (_, i) => 2 * i),
      )
  })

  it.each(['lucene', 'okapi', 'plus', 'l'] as const)('finds the best, however few are asked for: %s', (variant) => {
    const word = fc.nat(399).map((n) => `w${Math.floor(Math.sqrt(n))}`)
    const texts = fc.array(
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
      { minLength: 20, maxLength: 80 },
    )
    fc.assert(
      fc.property(texts, fc.array(word, { minLength: 1, maxLength: 5 }), (documents, query) => {
        const index = indexOf(documents, { variant })
        const all = index.search(query.join(' '), { k: documents.length })
        for (const k of [1, 2, 5]) expect(index.search(query.join(' '), { k })).toEqual(all.slice(0, k))
      }),
      { numRuns: 200 },
    )
  })

  it('counts a word as often as it is asked for', () => {
    const index = indexOf(['a b', 'b c', 'c d'])
    expect(index.search('a a')[0]!.score).toBe(2 * index.search('a')[0]!.score)
  })

  it('says what is wrong', () => {
    const twice = () => new Bm25(['x', 'x'].map((id) => ({ id, text: '' })))
    expect(twice).toThrow('documents: expected an id for each, got "x" twice')
    expect(() => indexOf(['a'], { b: 2 })).toThrow('b: expected a number from 0 to 1, got 2')
    expect(() => indexOf(['a'], { k1: Number.NaN })).toThrow('k1: expected')
    expect(() => indexOf(['a']).search('a', { k: 0 })).toThrow('k: expected a whole number of at least 1, got 0')
  })

  it('takes a huge document, and halves of surrogates', () => {
    const index = new Bm25([
      { id: 'huge', text: `${'word '.repeat(300_000)}${'x'.repeat(100_000)} needle` },
      { id: 'half', text: '\ud83d needle' },
    ])
    expect(index.search('needle').map(({ id }) => id)).toEqual(['half', 'huge'])
  })
})

describe('TopK', () => {
  it('keeps what sorting would', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 })), fc.integer({ min: 1, max: 9 }), (scores, k) => {
        const best = new TopK(k)
        for (const [row, score] of scores.entries()) if (score >= best.threshold) best.add(row, score)
        const sorted = scores.map((score, row) => ({ row, score })).sort((a, b) => b.score - a.score || a.row - b.row)
        expect(best.take()).toEqual(sorted.slice(0, k))
      }),
    )
  })
})
