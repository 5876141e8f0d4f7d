// An index on disk: what it finds after any changes is what one finds that was made at once.
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InputError, UsageError } from '../../errors.ts'
import { fakeEmbedder } from '../../lm/fake-embedder.ts'
import { Bm25 } from '../bm25.ts'
import { FlatVectors } from '../flat-vectors.ts'
import { writeIndex } from './index-writer.ts'
import { openIndex } from './search-index.ts'
import type { IndexEmbedder, IndexOptions } from './settings.ts'
import { ByteBuffer, decodePostings, encodePostings } from './varbyte.ts'

let folder: string
let directory: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-index-'))
  directory = join(folder, 'index')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const embedder: IndexEmbedder = { model: fakeEmbedder({ dimensions: 16 }), name: 'fake', revision: 'abc' }
const DOCUMENTS = [
  { id: 'cat', text: 'A cat sat on the mat.', meta: { page: 1 } },
  { id: 'dog', text: 'A dog ran in the park.' },
  { id: 'fish', text: 'The fish and the cat.', meta: { nested: { a: [1, null] } } },
]

async function made(documents = DOCUMENTS, options: IndexOptions = {}): Promise<void> {
  const writer = writeIndex(directory, options)
  await writer.add(documents)
  await writer.commit()
  writer.close()
}

describe('an index on disk', () => {
  it('finds documents with their text and meta', async () => {
    await made()
    const index = openIndex(directory)
    const hits = await index.search('cat')
    expect(hits).toEqual(new Bm25(DOCUMENTS).search('cat'))
    expect(hits.map(({ id, meta }) => [id, meta])).toEqual([
      ['fish', { nested: { a: [1, null] } }],
      ['cat', { page: 1 }],
    ])
    expect(index.get('dog')).toEqual(DOCUMENTS[1])
    expect(index.get('cow')).toBeUndefined()
    expect([...index.documents()]).toEqual(DOCUMENTS)
    expect(await index.search('')).toEqual([])
    expect(await index.search('zebra')).toEqual([])
    expect(index.info).toMatchObject({ documents: 3, withWords: 3, tokens: 17, segments: 1, removed: 0 })
    index.close()
  })

  it.each(['lucene', 'okapi', 'plus', 'l'] as const)(
    'scores after any changes as one made at once: %s',
    async (variant) => {
      const text = fc.array(fc.constantFrom(...'abcdefgh'), { maxLength: 12 }).map((words) => words.join(' '))
      const id = fc.integer({ min: 0, max: 30 }).map((n) => `d${n}`)
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ add: fc.array(fc.record({ id, text }), { maxLength: 6 }) }) },
        { weight: 2, arbitrary: fc.record({ remove: fc.array(id, { maxLength: 6 }) }) },
        { weight: 3, arbitrary: fc.constant('commit' as const) },
        { weight: 1, arbitrary: fc.constant('merge' as const) },
        { weight: 1, arbitrary: fc.constant('reopen' as const) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), text, async (steps, query) => {
          rmSync(directory, { recursive: true, force: true })
          const options = { bm25: { variant }, embedder, vectors: 'f32' } as const
          let writer = writeIndex(directory, options)
          const now = new Map<string, string>()
          for (const each of steps) {
            if (each === 'commit') await writer.commit()
            else if (each === 'merge') await writer.merge()
            else if (each === 'reopen') {
              await writer.commit()
              writer.close()
              writer = writeIndex(directory, options)
            } else if ('remove' in each) {
              expect(writer.remove(each.remove)).toBe(new Set(each.remove.filter((known) => now.has(known))).size)
              for (const gone of each.remove) now.delete(gone)
            } else {
              const counts = await writer.add(each.add)
              expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(each.add.length)
              for (const { id: added, text: words } of each.add) {
                if (now.get(added) === words) continue
                now.delete(added)
                now.set(added, words)
              }
            }
            expect(writer.documents).toBe(now.size)
          }
          await writer.commit()
          writer.close()
          const documents = [...now].map(([known, words]) => ({ id: known, text: words }))
          const index = openIndex(directory, { embedder })
          expect([...index.documents()]).toEqual(documents)
          const atOnce = new Bm25(documents, { variant })
          expect(await index.search(query, { by: 'words', k: 50 })).toEqual(atOnce.search(query, { k: 50 }))
          const { documents: count, withWords, tokens } = index.info
          expect({ documents: count, withWords, tokens }).toEqual(atOnce.stats)
          const vectors = new FlatVectors({ dimensions: 16 })
          for (const document of documents) vectors.add(document.id, (await embedder.model.embed([document.text]))[0]!)
          const [asked] = await embedder.model.embed([query])
          const found = await index.search(query, { by: 'vectors', k: 5 })
          expect(found.map(({ id: known, score }) => ({ id: known, score }))).toEqual(vectors.search(asked!, { k: 5 }))
          index.close()
        }),
        { numRuns: process.env.ANNEAL_LONG ? 500 : 12 },
      )
    },
  )

  it('says what became of documents', async () => {
    const writer = writeIndex(directory)
    expect(await writer.add([...DOCUMENTS, DOCUMENTS[0]!])).toEqual({
      added: 3,
      replaced: 0,
      unchanged: 0,
      repeated: 1,
    })
    await writer.commit()
    const next = [DOCUMENTS[1]!, { id: 'cat', text: 'Another cat.' }, { id: 'cow', text: 'A cow.' }]
    expect(await writer.add(next)).toEqual({ added: 1, replaced: 1, unchanged: 1, repeated: 0 })
    expect(writer.remove(['dog', 'dog', 'nobody'])).toBe(1)
    await writer.commit({ row: 7 })
    writer.close()
    const index = openIndex(directory)
    expect([...index.documents()].map(({ id }) => id)).toEqual(['fish', 'cat', 'cow'])
    expect(index.info.state).toEqual({ row: 7 })
    expect(await index.search('dog park')).toEqual([])
    index.close()
  })

  it('stays as it was for those who read, and takes one writer', async () => {
    await made()
    const before = openIndex(directory)
    const writer = writeIndex(directory)
    expect(() => writeIndex(directory)).toThrow(UsageError)
    writer.remove(['cat', 'dog'])
    await writer.add([{ id: 'new', text: 'cat cat' }])
    await writer.merge()
    const after = openIndex(directory)
    expect((await before.search('cat')).map(({ id }) => id)).toEqual(['fish', 'cat'])
    expect((await after.search('cat')).map(({ id }) => id)).toEqual(['new', 'fish'])
    writer.close()
    for (const index of [before, after]) index.close()
    expect(readdirSync(directory).sort()).toEqual(['index.json', expect.stringMatching(/^segment-\d+\.bin$/)])
    const dropped = writeIndex(directory)
    dropped.remove(['new'])
    dropped.close()
    expect([...openIndex(directory).documents()]).toHaveLength(2)
  })

  it('searches by vectors, and by both', async () => {
    await made(DOCUMENTS, { embedder })
    const index = openIndex(directory, { embedder })
    const [first] = await index.search('The fish and the cat.', { by: 'vectors' })
    expect([first!.id, first!.score.toFixed(6)]).toEqual(['fish', '1.000000'])
    const both = await index.search('cat')
    expect(both[0]!.score).toBeLessThanOrEqual(2 / 61)
    expect(both).toHaveLength(3) // the dog by its vector alone
    const [vector] = await embedder.model.embed(['cat'])
    const bare = openIndex(directory)
    expect(await bare.search('cat', { vector: vector! })).toEqual(both)
    expect((await bare.search('cat')).map(({ id }) => id)).toEqual(['fish', 'cat'])
    await expect(bare.search('cat', { by: 'vectors' })).rejects.toThrow('embedder: expected fake')
    await expect(bare.search('cat', { vector: [1] })).rejects.toThrow('query: expected 16 numbers, got 1')
    for (const opened of [index, bare]) opened.close()
  })

  it('is searched only with what it was made with', async () => {
    await made(DOCUMENTS, { embedder })
    const model = fakeEmbedder({ dimensions: 8 })
    expect(() => openIndex(directory, { embedder: { model, name: 'other' } })).toThrow(
      `embedder: expected fake at abc (16 numbers), whose vectors ${directory} has, got other (8 numbers). Search with the model of the index`,
    )
    expect(() => openIndex(directory, { embedder: { ...embedder, revision: 'def' } })).toThrow('got fake at def')
    expect(() => openIndex(directory, { embedder: { ...embedder, queryPrefix: 'query: ' } })).toThrow('queryPrefix')
    expect(() => openIndex(directory, { tokenizer: { cjk: 'single' } })).toThrow('tokenizer: expected {"cjk":"bigrams"')
    expect(() => writeIndex(directory, { bm25: { k1: 2 } })).toThrow('bm25: expected')
    const writer = writeIndex(directory)
    await expect(writer.add([{ id: 'x', text: 'x' }])).rejects.toThrow('embedder: expected fake')
    await expect(writer.add([{ id: 'x', text: 'x', vector: [1] }])).rejects.toThrow('expected 16 numbers, got 1')
    expect(await writer.add([{ id: 'x', text: 'x', vector: Array(16).fill(1) }])).toMatchObject({ added: 1 })
    writer.close()
    // Another formula needs no other index.
    const plus = openIndex(directory, { bm25: { variant: 'okapi', k1: 2 } })
    expect(await plus.search('dog')).toEqual(new Bm25(DOCUMENTS, { variant: 'okapi', k1: 2 }).search('dog'))
    plus.close()
  })

  it('takes a tokenizer of yours, by its name', async () => {
    const tokenizer = { name: 'letters', tokenize: (text: string) => [...text.toLowerCase()] }
    await made(DOCUMENTS, { tokenizer })
    expect(() => openIndex(directory)).toThrow('tokenizer: expected "letters"')
    const index = openIndex(directory, { tokenizer })
    expect((await index.search('z')).length).toBe(0)
    expect((await index.search('F')).map(({ id }) => id)).toEqual(['fish'])
    index.close()
  })

  it('takes no documents, one, empty ones, and what is hard to store', async () => {
    await made([])
    expect(await openIndex(directory).search('a')).toEqual([])
    const deep = JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`) as Record<string, unknown>
    const hard = [
      { id: '\ud83d', text: 'half \ud83d', meta: deep },
      { id: '__proto__', text: '' },
      { id: 'long', text: 'word '.repeat(50_000) },
    ]
    const writer = writeIndex(directory)
    await writer.add(hard)
    await writer.commit()
    writer.close()
    const index = openIndex(directory)
    expect([...index.documents()]).toEqual(hard)
    expect(index.get('__proto__')?.text).toBe('')
    expect((await index.search('half')).map(({ id }) => id)).toEqual(['\ud83d'])
    index.close()
  })

  it('refuses documents that it could not give back', async () => {
    const writer = writeIndex(directory)
    const circle: Record<string, unknown> = {}
    circle.self = circle
    for (const [document, message] of [
      [{ id: '', text: 'a' }, 'id: expected a text that is not empty, got ""'],
      [{ id: 3, text: 'a' }, 'id: expected a text that is not empty, got 3'],
      [{ id: 'a', text: null }, 'text of "a": expected a text, got null'],
      [{ id: 'a', text: 'a', meta: circle }, 'meta of "a": expected what JSON can hold'],
      [{ id: 'a', text: 'a', meta: [1] }, 'meta of "a": expected an object, got [1]'],
      [{ id: 'a', text: 'a', vector: [1] }, 'vector of "a": expected none'],
    ] as const)
      await expect(writer.add([document as never])).rejects.toThrow(message)
    writer.close()
    expect(readdirSync(folder)).toEqual([]) // nothing was committed
  })

  it('says in one line what is no index, or damaged', async () => {
    expect(() => openIndex(directory)).toThrow(`${directory}: expected an index, got nothing there`)
    expect(() => openIndex(folder)).toThrow(`${folder}: expected an index, got no index.json in it`)
    await made(DOCUMENTS, { embedder })
    const manifest = join(directory, 'index.json')
    const segment = join(directory, readdirSync(directory).find((name) => name.startsWith('segment'))!)
    const [goodManifest, goodSegment] = [readFileSync(manifest, 'utf8'), readFileSync(segment)]
    const fails = (message: string | RegExp): void => {
      expect(() => openIndex(directory)).toThrow(InputError)
      expect(() => openIndex(directory)).toThrow(message)
      expect(() => writeIndex(directory)).toThrow()
    }
    for (const [text, message] of [
      ['{"model_type":"llama"}', 'expected format anneal-retrieval-index, got another file'],
      [goodManifest.slice(0, 100), 'expected JSON'],
      [goodManifest.replace('"version": 1', '"version": 2'), 'expected version 1, got 2'],
      [goodManifest.replace(/segment-\d+/, '../segment-0'), 'expected settings, counts and segments'],
      [goodManifest.replace(/segment-\d+/, 'segment-999'), 'expected all files that index.json names'],
    ] as const) {
      writeFileSync(manifest, text)
      fails(message)
    }
    writeFileSync(manifest, goodManifest)
    truncateSync(segment, 100)
    fails(/expected \d+ bytes, got 100. It is damaged/)
    writeFileSync(segment, Buffer.alloc(goodSegment.length))
    fails('expected a segment of an index, got another file')
    writeFileSync(segment, goodSegment)
    // Whatever byte is wrong: an answer or one clear error, and no hang.
    const errors = new Set<string>()
    for (let at = 8; at < goodSegment.length; at += 5) {
      const bad = Buffer.from(goodSegment)
      bad[at]! ^= 0xff
      writeFileSync(segment, bad)
      try {
        const index = openIndex(directory, { embedder })
        try {
          await index.search('cat dog')
        } finally {
          index.close()
        }
      } catch (error) {
        errors.add(error instanceof InputError ? 'InputError' : String((error as Error).stack))
      }
    }
    expect([...errors]).toEqual(['InputError'])
    const other = join(folder, 'other')
    const foreign = writeIndex(other)
    foreign.close()
    rmSync(other, { recursive: true, force: true })
    copyFileSync(manifest, join(folder, 'model.safetensors'))
    expect(() => writeIndex(folder)).toThrow('expected an index or an empty folder')
  })
})

describe('varbyte', () => {
  it('gives back what it was given', () => {
    const postings = fc.uniqueArray(fc.nat(2 ** 31 - 1), { minLength: 1 }).chain((docs) =>
      fc.record({
        docs: fc.constant(Uint32Array.from(docs).sort()),
        counts: fc.array(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { minLength: docs.length, maxLength: docs.length }),
      }),
    )
    fc.assert(
      fc.property(postings, ({ docs, counts }) => {
        const bytes = new ByteBuffer()
        const given = { docs, counts: Uint32Array.from(counts) }
        encodePostings(given, bytes)
        expect(decodePostings(bytes.take(), docs.length, 2 ** 31, 'x')).toEqual(given)
      }),
    )
  })
})
