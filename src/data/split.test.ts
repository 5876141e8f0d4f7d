import { describe, expect, it } from 'vitest'
import { fractionFor, onSide, sideOf } from './split.ts'

const documents = Array.from({ length: 10_000 }, (_, i) => ({ text: `document ${i}` }))

async function take(side: 'train' | 'validation', fraction: number, salt?: string): Promise<string[]> {
  const texts = []
  for await (const { text } of onSide(documents, side, salt === undefined ? { fraction } : { fraction, salt }))
    texts.push(text)
  return texts
}

describe('split', () => {
  it('puts each document on one side, in the share asked for', async () => {
    const [train, validation] = [await take('train', 0.1), await take('validation', 0.1)]
    expect(new Set([...train, ...validation]).size).toBe(10_000)
    expect(train.length + validation.length).toBe(10_000)
    // 1000 ± 5 standard deviations of a binomial, √(10,000 · 0.1 · 0.9) = 30.
    expect(Math.abs(validation.length - 1000)).toBeLessThan(150)
    expect(await take('validation', 0)).toEqual([])
    expect(await take('train', 1)).toEqual([])
  })

  it('only adds to the held-out side when the fraction grows, and splits otherwise under another salt', async () => {
    const small = await take('validation', 0.05)
    const large = new Set(await take('validation', 0.2))
    expect(small.every((text) => large.has(text))).toBe(true)
    expect(await take('validation', 0.05, 'other')).not.toEqual(small)
  })

  it('moves the fraction where texts are so few that luck would decide, and only there', () => {
    const ranks = [0.9, 0.4, 0.7, 0.2, 0.6]
    const held = (fraction: number): number => ranks.filter((rank) => rank < fractionFor(ranks, fraction)).length
    expect([0.01, 0.2, 0.4, 0.5, 0.99].map(held)).toEqual([1, 1, 2, 3, 4])
    expect([held(0), fractionFor([0.3], 0.5), fractionFor([], 0.5)]).toEqual([0, 0.5, 0.5])
    expect(
      fractionFor(
        Array.from({ length: 80 }, (_, i) => i / 80),
        0.1,
      ),
    ).toBe(0.1)
    // Equal texts stay together.
    expect(fractionFor([0.2, 0.2, 0.2, 0.9], 0.25)).toBe(0.9)
  })

  it('is fixed for ever', () => {
    // Python: int(hashlib.sha256(b"\0document 0").hexdigest()[:12], 16) / 2**48 is 0.65713…
    expect(sideOf('document 0', { fraction: 0.657 })).toBe('train')
    expect(sideOf('document 0', { fraction: 0.658 })).toBe('validation')
    expect(() => sideOf('x', { fraction: 2 })).toThrow(/from 0 to 1/)
  })
})
