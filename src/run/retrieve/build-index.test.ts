import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tinyEncoderDirectory } from '../../../test/tiny-encoder.ts'
import { indexInfo, openIndex } from '../../retrieve/store/search-index.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { askIndex } from './ask-index.ts'
import { addToIndex, type BuildIndexOptions, buildIndex } from './build-index.ts'

let folder: string
let out: string
let data: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-build-index-'))
  out = join(folder, 'index')
  data = join(folder, 'data.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const rows = (...lines: object[]): void =>
  writeFileSync(data, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
async function build(options: Partial<BuildIndexOptions> = {}) {
  const notices: string[] = []
  const result = await resultOf(buildIndex({ out, data: [data], ...options }), (event: WorkEvent) => {
    if (event.type === 'notice') notices.push(event.message)
  })
  return { ...result, notices }
}

describe('buildIndex', () => {
  it('takes rows with their ids and fields, and puts bad ones aside', async () => {
    rows(
      { id: 'a', text: 'a cat', title: 'Cats' },
      { text: 'a dog' },
      { id: 7, text: 'a cow' },
      { id: 'a', text: 'two cats' },
    )
    writeFileSync(data, `${readFileSync(data, 'utf8')}{"id": "bad"\n`)
    const { notices, ...result } = await build()
    expect(result).toEqual({ out, documents: 3, added: 3, replaced: 0, unchanged: 0, repeated: 1, bad: 1 })
    expect(notices).toContainEqual('1 row had an id that came before: of rows with one id the last is kept')
    expect(readFileSync(join(out, 'quarantine.jsonl'), 'utf8')).toContain('"reason":"bad-json"')
    const index = openIndex(out)
    expect([...index.documents()]).toEqual([
      { id: `${data}:2`, text: 'a dog' },
      { id: '7', text: 'a cow' },
      { id: 'a', text: 'two cats' },
    ])
    index.close()
    expect((await askIndex(out, 'cow')).map(({ id }) => id)).toEqual(['7'])
  })

  it('goes on where it was stopped, to the same index', async () => {
    rows(...Array.from({ length: 2000 }, (_, i) => ({ id: `d${i % 1500}`, text: `word${i % 7} other${i}` })))
    const events = buildIndex({ out, data: [data], commitRows: 300 })
    let progress = 0
    for await (const event of events) if (event.type === 'progress' && ++progress === 6) break
    const rest = (indexInfo(out).state as { build: { rows: number; isDone: boolean } }).build
    expect(rest.isDone).toBe(false)
    expect(rest.rows).toBeGreaterThanOrEqual(300)
    await expect(build({ commitRows: 300, textKey: 'id' })).rejects.toThrow('expected the data and settings with which')
    await expect(resultOf(addToIndex(out, { data: [data] }))).rejects.toThrow('expected an index that is done')
    const { notices } = await build({ commitRows: 300 })
    expect(notices[0]).toBe(`going on with ${out} after ${rest.rows.toLocaleString('en')} rows that are in it`)
    const atOnce = join(folder, 'at-once')
    await build({ out: atOnce })
    const [one, other] = [openIndex(out), openIndex(atOnce)]
    expect([...one.documents()]).toEqual([...other.documents()])
    expect(await one.search('word3 other11')).toEqual(await other.search('word3 other11'))
    for (const index of [one, other]) index.close()
    await expect(build()).rejects.toThrow('expected a place without an index')
    expect(await build({ overwrite: true })).toMatchObject({ documents: 1500 })
  })

  it('adds, replaces and leaves what is the same', async () => {
    rows({ id: 'a', text: 'a cat' }, { id: 'b', text: 'a dog' })
    await build()
    rows({ id: 'a', text: 'a cat' }, { id: 'b', text: 'a cow' }, { id: 'c', text: 'a hen' })
    const result = await resultOf(addToIndex(out, { data: [data] }))
    expect(result).toMatchObject({ documents: 3, added: 1, replaced: 1, unchanged: 1 })
    await expect(resultOf(addToIndex(folder, { data: [data] }))).rejects.toThrow('expected an index, got no index.json')
  })

  it('reads tables, pages and texts, and names them so that people find them', async () => {
    writeFileSync(join(folder, 'a.csv'), 'question,answer\nWho?,Me\n')
    writeFileSync(join(folder, 'b.html'), '<html><body><p>A page about cows</p></body></html>')
    writeFileSync(join(folder, 'c.md'), '# Dogs\n\nThey bark.\n')
    await build({ data: ['a.csv', 'b.html', 'c.md'].map((name) => join(folder, name)) })
    const index = openIndex(out)
    const found = [...index.documents()].map(({ id, text }) => [id.slice(folder.length + 1), text.trim()])
    index.close()
    expect(found).toEqual([
      ['a.csv:2', 'question: Who?\nanswer: Me'],
      ['b.html', 'A page about cows'],
      ['c.md', '# Dogs\n\nThey bark.'],
    ])
  })

  it('cuts into passages, and takes away those that a document has no longer', async () => {
    const ids = (): string[] => {
      const index = openIndex(out)
      const found = [...index.documents()].map(
        ({ id, text, meta }) => `${id} ${meta!.start}-${meta!.end} ${text.trim()}`,
      )
      index.close()
      return found.sort()
    }
    rows({ id: 'a', text: 'One cat here.\n\nTwo cats there.\n\nNo cat.' }, { id: 'b', text: 'A dog.' })
    await build({ passages: 20 })
    expect(ids()).toEqual([
      'a#1 0-15 One cat here.',
      'a#2 15-32 Two cats there.',
      'a#3 32-39 No cat.',
      'b#1 0-6 A dog.',
    ])
    rows({ id: 'a', text: 'A cow.' })
    expect(await resultOf(addToIndex(out, { data: [data] }))).toMatchObject({ documents: 2, replaced: 1 })
    expect(ids()).toEqual(['a#1 0-6 A cow.', 'b#1 0-6 A dog.'])
    rows({ id: 'a', text: 'One cat here.\n\nTwo cats there.' }, { id: 'a', text: 'A hen.' }, { id: 'c', text: ' ' })
    await resultOf(addToIndex(out, { data: [data] }))
    expect(ids()).toEqual(['a#1 0-6 A hen.', 'b#1 0-6 A dog.'])
  })

  it('makes vectors by an encoder, and knows it again', async () => {
    const encoder = tinyEncoderDirectory('bert-mlm')
    const other = tinyEncoderDirectory('roberta-mlm')
    try {
      rows({ id: 'a', text: 'the sun is up' }, { id: 'b', text: 'a dog ran' })
      await build({ embed: encoder.directory })
      const [first] = await askIndex(out, 'a dog ran', { by: 'vectors' })
      expect([first!.id, first!.score.toFixed(4)]).toEqual(['b', '1.0000'])
      expect(await askIndex(out, 'the sun', { by: 'both', rerank: encoder.directory, k: 1 })).toHaveLength(1)
      expect(indexInfo(out).settings.embedding).toMatchObject({ dimensions: 16, type: 'int8', metric: 'cosine' })
      await expect(askIndex(out, 'dog', { by: 'both', embed: other.directory })).rejects.toThrow('embedder: expected')
    } finally {
      encoder.remove()
      other.remove()
    }
  })
})
