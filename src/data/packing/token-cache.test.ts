import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { TextEncoder } from './pack.ts'
import { type CorpusOptions, packCorpus } from './token-cache.ts'

/** Tokens are bytes, in a vocabulary of which the size is not known: four bytes each in the file. */
const bytes: TextEncoder = { encode: (text) => Buffer.from(text), eosTokenId: 256, bosTokenId: undefined }

let directory: string
let corpus: string
let options: CorpusOptions
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-cache-'))
  corpus = join(directory, 'corpus.jsonl')
  const lines = Array.from({ length: 200 }, (_, i) => JSON.stringify({ text: `document ${i} æøå` }))
  writeFileSync(corpus, lines.join('\n'))
  options = { blockLength: 16, cache: { directory: join(directory, 'cache'), tokenizerHash: 'abc' } }
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

async function blocks(changes: Partial<CorpusOptions> = {}, encoder = bytes) {
  const packed = await packCorpus(corpus, encoder, { ...options, ...changes })
  const ids = Array.from({ length: packed.length }, (_, i) => [...packed.get(i).ids])
  packed.close()
  return { ids, wasCached: packed.report === undefined }
}

describe('packCorpus', () => {
  it('gives the same blocks from the texts, while it fills the cache, and from the cache', async () => {
    const { cache: _, ...uncached } = options
    const direct = await packCorpus(corpus, bytes, uncached)
    const expected = Array.from({ length: direct.length }, (_, i) => [...direct.get(i).ids])
    // 'document ', up to three digits, ' æøå' in seven bytes, and the end.
    expect(expected.flat()).toHaveLength(200 * (9 + 7 + 1) + 10 + 90 * 2 + 100 * 3)
    expect(await blocks()).toEqual({ ids: expected, wasCached: false })
    expect(await blocks()).toEqual({ ids: expected, wasCached: true })
    expect(readdirSync(join(directory, 'cache'))).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.tokens$/)])
  })

  it('uses the same cache for other blocks of the same tokens', async () => {
    await blocks()
    expect((await blocks({ blockLength: 32, boundaries: true })).wasCached).toBe(true)
  })

  it('knows a change of data, tokenizer or options', async () => {
    await blocks()
    const cache = { ...options.cache!, tokenizerHash: 'abd' }
    expect((await blocks({ cache })).wasCached).toBe(false)
    expect((await blocks({ appendEos: false })).wasCached).toBe(false)
    expect((await blocks({ split: { fraction: 0.1, side: 'train' } })).wasCached).toBe(false)
    expect((await blocks({}, { ...bytes, eosTokenId: 257 })).wasCached).toBe(false)
    writeFileSync(corpus, readFileSync(corpus, 'utf8').replace('document 7', 'document 8'))
    expect((await blocks()).wasCached).toBe(false)
  })

  it('sees that a cache file is damaged and makes it again', async () => {
    const { ids } = await blocks()
    const [name] = readdirSync(join(directory, 'cache'))
    const path = join(directory, 'cache', name!)
    const whole = readFileSync(path)
    for (const keep of [0, 5, 12, 1000, whole.length - 1]) {
      truncateSync(path, keep)
      expect(await blocks()).toEqual({ ids, wasCached: false })
      expect(readFileSync(path)).toEqual(whole)
    }
  })

  it('leaves nothing behind when reading fails', async () => {
    writeFileSync(corpus, '{"text": "a"}\n'.repeat(10) + 'x\n'.repeat(10))
    await expect(blocks()).rejects.toThrow(/bad lines/)
    expect(readdirSync(join(directory, 'cache'))).toEqual([])
  })

  it('splits without overlap or loss', async () => {
    const count = async (side: 'train' | 'validation') =>
      (await packCorpus(corpus, bytes, { ...options, split: { fraction: 0.2, side } })).numDocuments
    const held = await count('validation')
    expect(held).toBeGreaterThan(15)
    expect(held + (await count('train'))).toBe(200)
  })
})
