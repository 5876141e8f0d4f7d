import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { asSet, detection, jaccard, MINHASH, MinHasher } from './minhash.ts'
import { SIMPLIFIERS, simplifiedWords, simplify } from './simplify.ts'

interface Golden {
  text: string
  simplified: string
  hashes: string[]
  signature: string
}
const goldens = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/curate/minhash.json', import.meta.url), 'utf8'),
) as Golden[]
const hasher = new MinHasher()
const hex = (signature: BigUint64Array): string =>
  Array.from(signature, (x) => x.toString(16).padStart(16, '0')).join('')

describe('MinHasher', () => {
  it('simplifies as the reference does', () => {
    for (const { text, simplified } of goldens) expect(simplify(text)).toBe(simplified)
  })

  it('simplifies in one pass what it does in steps', () => {
    const pieces =
      'a b æ å é e\u0301 \u0301 1 2.5 3,14 ٣٫١ . , … « - _ ß ǆ ﬁ ≠ 한 漢 \u00a0 \u2028 \ufeff Ω 𝟏 ½ ı'.split(' ')
    let passes = 0
    for (let seed = 1; seed < 3000; seed++) {
      const text = Array.from({ length: 12 }, (_, i) => {
        const at = Math.imul(seed, 2654435761 + 40503 * i) >>> 7
        return pieces[at % pieces.length]! + (at & 64 ? ' ' : '')
      })
        .join('')
        .toLowerCase()
      const once = SIMPLIFIERS.onePass(text)
      if (once === undefined) continue
      passes++
      expect(once).toBe(SIMPLIFIERS.steps(text))
    }
    expect(passes).toBeGreaterThan(300)
  })

  it('hashes by xxHash64', () => {
    // Of the specification: the empty text with seed 0.
    expect(hasher.hash('').toString(16)).toBe('ef46db3751d8e999')
    for (const { simplified, hashes } of goldens) {
      const words = simplified.split(' ')
      expect(
        hasher
          .hash(words.slice(0, Math.min(5, words.length)).join(' '))
          .toString(16)
          .padStart(16, '0'),
      ).toBe(hashes[0])
    }
  })

  it('gives the signatures of the reference bit for bit, uint64 wrap included', () => {
    expect(goldens).toHaveLength(9)
    for (const { text, signature } of goldens) expect(hex(hasher.signature(text)!)).toBe(signature)
  })

  it('gives a text without words no signature, and a short one the signature of the whole', () => {
    expect(hasher.signature(' …!? ')).toBeUndefined()
    expect(hex(hasher.signature('one two')!)).not.toBe(hex(hasher.signature('one three')!))
    expect(hex(hasher.signature('One, two!')!)).toBe(hex(hasher.signature('one two')!))
  })

  it('grows its memory for long texts and stays right afterwards', () => {
    const long = `${Array.from({ length: 200_000 }, (_, i) => `w${i}`).join(' ')} æøå`
    expect(hasher.shingles(simplifiedWords(long))).toHaveLength(200_001 - 4)
    expect(hex(hasher.signature(goldens[0]!.text)!)).toBe(goldens[0]!.signature)
  })

  it('finds pairs as often as the S-curve says', () => {
    expect([0.5, 0.6, 0.7, 0.75, 0.8, 0.85].map((s) => Number(detection(s).toFixed(3)))).toEqual([
      0.053, 0.211, 0.565, 0.772, 0.924, 0.988,
    ])
    const { bands, rows } = MINHASH
    const pairs = 400
    for (const similarity of [0.5, 0.7, 0.8, 0.9]) {
      // Two sets of one-word shingles with |A ∩ B| / |A ∪ B| = s, as single-shingle permutations see them.
      const one = new MinHasher({ ...MINHASH, ngram: 1 })
      const all = 100
      const common = Math.round(similarity * all)
      const own = (all - common) / 2
      let found = 0
      for (let pair = 0; pair < pairs; pair++) {
        const words = (from: number, to: number): string[] =>
          Array.from({ length: to - from }, (_, i) => `p${letters(pair)}x${letters(from + i)}`)
        const shared = words(0, common)
        const a = one.signature([...shared, ...words(common, common + Math.floor(own))].join(' '))!
        const b = one.signature([...shared, ...words(common + Math.floor(own), all)].join(' '))!
        const isFound = Array.from({ length: bands }, (_, band) =>
          Array.from({ length: rows }, (__, row) => a[band * rows + row] === b[band * rows + row]).every(Boolean),
        ).some(Boolean)
        if (isFound) found++
      }
      const p = detection(common / all)
      expect(Math.abs(found - pairs * p)).toBeLessThan(3.5 * Math.sqrt(pairs * p * (1 - p)) + 1)
    }
  })

  it('measures the similarity of sets', () => {
    const set = (text: string): Float64Array => asSet(hasher.shingles(text, 1))
    expect(jaccard(set('a b c d'), set('b c d e'))).toBeCloseTo(3 / 5, 12)
    expect(jaccard(set('a a a b'), set('a b'))).toBe(1)
    expect(jaccard(set('a'), set('b'))).toBe(0)
  })
})

/** Digits would become 0. */
function letters(number: number): string {
  return number.toString().replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)]!)
}
