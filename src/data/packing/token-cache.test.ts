import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readDocuments } from '../read/sources.ts'
import { onSide } from '../split.ts'
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
  return { ids, wasCached: packed.isCached }
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

  it('leaves nothing behind when reading fails but the quarantine', async () => {
    writeFileSync(corpus, '{"text": "a"}\n'.repeat(10) + 'x\n'.repeat(10))
    await expect(blocks()).rejects.toThrow(/bad lines/)
    expect(readdirSync(join(directory, 'cache'))).toEqual([])
    const quarantinePath = join(directory, 'bad.jsonl')
    await expect(blocks({ quarantinePath, split: { fraction: 0.1, side: 'train' } })).rejects.toThrow(/bad lines/)
    expect(readFileSync(quarantinePath, 'utf8').split('\n')).toHaveLength(11)
  })

  it('keeps what reading met with the tokens', async () => {
    writeFileSync(corpus, `${'{"text": "a"}\n'.repeat(10)}x\n`)
    const folder = join(directory, 'folder')
    mkdirSync(folder)
    renameSync(corpus, join(folder, 'corpus.jsonl'))
    symlinkSync('nowhere.txt', join(folder, 'z.txt'))
    writeFileSync(join(folder, 'page.html'), '')
    const read = async () => {
      const notices: string[] = []
      const packed = await packCorpus(folder, bytes, { ...options, onNotice: (notice) => notices.push(notice) })
      return { notices, report: packed.report, isCached: packed.isCached }
    }
    const first = await read()
    expect(first).toMatchObject({ report: { bad: 1, good: 10, badByReason: { 'bad-json': 1 } }, isCached: false })
    const link = expect.stringMatching(/z\.txt is a link/)
    const left = expect.stringMatching(/1 file is left out, as its name does not .*: page\.html$/)
    // Of lines left out the reading itself tells; of the cache, those who ask for its report do.
    expect(first.notices).toEqual([
      link,
      left,
      expect.stringMatching(/^1 of 11 lines cannot be read and is left out \(1 bad-json/),
    ])
    const second = await read()
    expect(second).toEqual({ notices: [link, left], report: { ...first.report }, isCached: true })
  })

  describe('of few documents', () => {
    const words = (count: number, name: string): string =>
      Array.from({ length: count }, (_, i) => `${name}${i}`).join(' ')
    const textOn = async (
      side: 'train' | 'validation',
      fraction: number,
      maxDocumentBytes?: number,
    ): Promise<string> => {
      const packed = await packCorpus(corpus, bytes, {
        blockLength: 64,
        split: { side, fraction },
        ...(maxDocumentBytes && { limits: { maxDocumentBytes } }),
      })
      return Array.from({ length: packed.length }, (_, i) => Buffer.from(packed.get(i).ids).toString()).join('')
    }

    it.each([0.02, 0.3, 0.5])(
      'holds out passages of %d of the text, and no word of them is trained',
      async (fraction) => {
        corpus = join(directory, 'long.txt')
        writeFileSync(corpus, words(10_000, 'w'))
        for (const limit of [undefined, 20_000]) {
          const [train, held] = [await textOn('train', fraction, limit), await textOn('validation', fraction, limit)]
          const share = held.length / (train.length + held.length)
          expect(Math.abs(share / fraction - 1)).toBeLessThan(0.25)
          const trained = new Set(train.split(/\W+/))
          const both = held.split(/\W+/).filter((word) => word.length > 3 && trained.has(word))
          expect(both).toEqual([])
        }
      },
    )

    it('says so, once', async () => {
      corpus = join(directory, 'three.jsonl')
      writeFileSync(
        corpus,
        [900, 50, 3000].map((count, i) => JSON.stringify({ text: words(count, `d${i}w`) })).join('\n'),
      )
      const notices: string[] = []
      for (const side of ['train', 'validation'] as const)
        await packCorpus(corpus, bytes, {
          blockLength: 64,
          split: { side, fraction: 0.3 },
          onNotice: (notice) => notices.push(notice),
        })
      expect(notices).toEqual([
        expect.stringMatching(/^documents are few: held out is a passage of 30 % of each long one/),
      ])
      const [train, held] = [await textOn('train', 0.3), await textOn('validation', 0.3)]
      expect(held.length / (train.length + held.length)).toBeGreaterThan(0.25)
    })
  })

  it('puts nothing inside a text that was cut for its length alone', async () => {
    corpus = join(directory, 'long.txt')
    const text = 'A line of text.\n\n'.repeat(500)
    writeFileSync(corpus, text)
    writeFileSync(join(directory, 'short.txt'), 'short\n')
    const packed = await packCorpus([corpus, join(directory, 'short.txt')], bytes, {
      blockLength: 10_000,
      limits: { maxDocumentBytes: 1000 },
    })
    expect(packed.numDocuments).toBe(2)
    expect([...packed.get(0).ids]).toEqual([...Buffer.from(text), 256, ...Buffer.from('short\n'), 256])
    // All of it is on one side.
    const sides = await Promise.all(
      (['train', 'validation'] as const).map(async (side) => {
        const found = []
        const documents = readDocuments(corpus, { limits: { maxDocumentBytes: 1000 } })
        for await (const { text: part } of onSide(documents, side, { fraction: 0.5 })) found.push(part)
        return found.length
      }),
    )
    expect(sides).toContain(0)
  })

  it('splits without overlap or loss', async () => {
    const count = async (side: 'train' | 'validation') =>
      (await packCorpus(corpus, bytes, { ...options, split: { fraction: 0.2, side } })).numDocuments
    const held = await count('validation')
    expect(held).toBeGreaterThan(15)
    expect(held + (await count('train'))).toBe(200)
  })
})
