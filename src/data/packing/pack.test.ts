import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packDocuments, type TextEncoder } from './pack.ts'

/** One token a letter: a = 1, b = 2, … ; 0 ends a text and 27 begins one. */
const letters: TextEncoder = {
  encode: (text) => Array.from(text, (letter) => letter.charCodeAt(0) - 96),
  eosTokenId: 0,
  bosTokenId: 27,
  vocabSize: 28,
}

const documents = (...texts: string[]) => texts.map((text) => ({ text }))

describe('packDocuments', () => {
  it('cuts one run of tokens into blocks', async () => {
    const packed = await packDocuments(documents('abc', '', 'de', 'f'), letters, { blockLength: 4 })
    expect([packed.length, packed.numTokens, packed.numDocuments]).toEqual([2, 9, 3])
    expect(packed.get(0)).toEqual({ ids: Int32Array.of(1, 2, 3, 0), labels: Int32Array.of(1, 2, 3, 0) })
    expect([...packed.get(1).ids]).toEqual([4, 5, 0, 6])
    // The ninth token would be alone in its block and predict nothing.
    const longer = await packDocuments(documents('abc', 'de', 'fg'), letters, { blockLength: 4 })
    expect([...longer.get(2).ids]).toEqual([7, 0])
    const full = await packDocuments(documents('abc', 'de', 'fg'), letters, { blockLength: 4, dropShortBlock: true })
    expect(full.length).toBe(2)
  })

  it('records where documents start and asks nobody for the first token of the next', async () => {
    const packed = await packDocuments(documents('abc', 'de', 'fghij'), letters, { blockLength: 8, boundaries: true })
    expect(packed.get(0)).toEqual({
      ids: Int32Array.of(1, 2, 3, 0, 4, 5, 0, 6),
      labels: Int32Array.of(-100, 2, 3, 0, -100, 5, 0, -100),
      starts: Int32Array.of(0, 4, 7),
    })
    // The second block begins inside the third document.
    expect(packed.get(1)).toEqual({
      ids: Int32Array.of(7, 8, 9, 10, 0),
      labels: Int32Array.of(-100, 8, 9, 10, 0),
      starts: Int32Array.of(0),
    })
  })

  it('puts special tokens around documents as asked', async () => {
    const around = { blockLength: 8, appendEos: false, prependBos: true }
    expect([...(await packDocuments(documents('ab', 'c'), letters, around)).get(0).ids]).toEqual([27, 1, 2, 27, 3])
    const without = { ...letters, eosTokenId: undefined }
    await expect(packDocuments(documents('a'), without, { blockLength: 4 })).rejects.toThrow(
      /end-of-text token.*appendEos/,
    )
  })

  it('reads control tokens as tokens when asked to, and puts none of them there twice', async () => {
    const rendering: TextEncoder = {
      ...letters,
      encode: (text, { allowSpecial }) =>
        Array.from(text, (sign) => (allowSpecial && '^$'.includes(sign) ? { '^': 27, $: 0 }[sign]! : 1)),
    }
    const idsOf = async (allowSpecial: boolean, ...texts: string[]): Promise<number[]> => {
      const options = { blockLength: 16, prependBos: true, allowSpecial }
      return [...(await packDocuments(documents(...texts), rendering, options)).get(0).ids]
    }
    expect(await idsOf(true, '^a$', 'a$a', 'a')).toEqual([27, 1, 0, 27, 1, 0, 1, 0, 27, 1, 0])
    expect(await idsOf(false, '^a$', 'a')).toEqual([27, 1, 1, 1, 0, 27, 1, 0])
  })

  it('loses no token and doubles none', async () => {
    const texts = fc.array(fc.array(fc.constantFrom('a', 'b', 'c')).map((parts) => parts.join('')))
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 2, max: 9 }), fc.boolean(), async (all, blockLength, boundaries) => {
        const packed = await packDocuments(documents(...all), letters, { blockLength, boundaries })
        const expected = all
          .filter((text) => text !== '')
          .flatMap((text) => [...(letters.encode(text, { addSpecialTokens: false }) as number[]), 0])
        const found = Array.from({ length: packed.length }, (_, i) => [...packed.get(i).ids]).flat()
        expect(expected.length - found.length).toBe(expected.length % blockLength === 1 ? 1 : 0)
        expect(found).toEqual(expected.slice(0, found.length))
        if (!boundaries) return
        const starts = Array.from({ length: packed.length }, (_, i) =>
          [...packed.get(i).starts!].map((at) => i * blockLength + at),
        )
        const firsts = expected.flatMap((_, i) => (i === 0 || expected[i - 1] === 0 ? [i] : []))
        const blockStarts = starts.map((_, i) => i * blockLength)
        const wanted = new Set([...firsts.filter((at) => at < found.length), ...blockStarts])
        expect(starts.flat()).toEqual([...wanted].sort((a, b) => a - b))
      }),
    )
  })

  it('checks the tokenizer and the block length before it is too late', async () => {
    const wrong = { ...letters, encode: () => [1, 28] }
    await expect(packDocuments(documents('x'), wrong, { blockLength: 4 })).rejects.toThrow(/from 0 to 27, got 28/)
    await expect(packDocuments(documents('x'), letters, { blockLength: 1 })).rejects.toThrow(/blockLength/)
  })

  it('moves to a file when memory is short, and gives the same blocks', async () => {
    const zigzag = { ...letters, encode: (text: string) => Int32Array.from({ length: Number(text) }, (_, i) => i % 28) }
    const long = documents(...Array.from({ length: 120 }, (_, i) => String(10_000 + i)))
    const inMemory = await packDocuments(long, zigzag, { blockLength: 1000 })
    const inFile = await packDocuments(long, zigzag, { blockLength: 1000, maxMemoryBytes: 1 })
    expect(inMemory.numTokens).toBeGreaterThan(2 ** 20)
    expect([inFile.numTokens, inFile.length]).toEqual([inMemory.numTokens, inMemory.length])
    for (let i = 0; i < inFile.length; i++) {
      expect(Buffer.compare(Buffer.from(inFile.get(i).ids.buffer), Buffer.from(inMemory.get(i).ids.buffer))).toBe(0)
    }
    inFile.close()
  })
})
