import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { commitOf } from '../../test/hub-server.ts'
import { useHub } from '../../test/use-hub.ts'
import { readRows } from '../data/read/sources.ts'
import { pullDataset } from '../hub/pull-dataset.ts'
import { type StreamedDataset, streamDataset } from './stream-dataset.ts'

const hub = useHub()
const COUNT = 3000
const rows = Array.from({ length: COUNT }, (_, i) => ({
  text: `row ${i}: ${'æ'.repeat(i % 7)} ${Math.imul(i + 1, 0x9e3779b1) >>> 0}`.repeat(9),
  label: i % 3,
}))
const jsonl = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const parquet = Buffer.from(
  parquetWriteBuffer({
    columnData: [
      { name: 'text', data: rows.map(({ text }) => text) },
      { name: 'label', data: rows.map(({ label }) => label), type: 'INT32' },
    ],
    rowGroupSize: 100,
  }),
)
const out = (): string => join(hub.home, 'rows.jsonl')
const stream = (
  name: string,
  maxSamples?: number,
  environment: Record<string, string> = {},
): Promise<StreamedDataset> =>
  streamDataset(name, { ...hub.options(environment), out: out(), maxSamples, usual: 'train' })
const written = (): unknown[] =>
  readFileSync(out(), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
/** Bytes of data files that were asked for. */
const askedBytes = (of: 'hub' | 'cdn' = 'hub'): number =>
  hub.server.requests
    .filter(({ host }) => host === of)
    .map(({ range }) => /^bytes=(\d+)-(\d+)$/.exec(range ?? ''))
    .reduce((sum, match) => sum + (match ? Number(match[2]) + 1 - Number(match[1]) : 0), 0)

describe('rows that are streamed from the hub', () => {
  it.each([
    ['train.jsonl', jsonl],
    ['train.jsonl.gz', gzipSync(jsonl)],
    ['train.json', JSON.stringify(rows)],
    ['train.csv', `text,label\n${rows.map(({ text, label }) => `"${text}",${label}\n`).join('')}`],
    ['data/train-00000-of-00001.parquet', parquet],
  ])('%s are those of a file that was pulled, and nothing of it stays', async (path, contents) => {
    hub.server.add('datasets/org/rows', { 'README.md': '# rows', [path]: contents, 'test.jsonl': '{}' })
    const streamed = await stream('org/rows:train')
    expect(streamed).toMatchObject({ name: `org/rows@${commitOf('a')}:train`, rows: COUNT })
    const snapshot = join(hub.home, 'hub', 'datasets--org--rows', 'snapshots', commitOf('a'))
    expect(readdirSync(snapshot)).toEqual(['README.md'])
    const pulled: unknown[] = []
    for await (const { row } of readRows((await pullDataset('org/rows:train', hub.options())).paths)) pulled.push(row)
    expect(written()).toEqual(pulled)
    expect(pulled.at(-1)).toMatchObject({ text: rows.at(-1)!.text })
  })
  it('are few where few are wanted, and little more than those is asked for', async () => {
    const large = jsonl.repeat(12)
    hub.server.add('datasets/org/rows', { 'a.jsonl': large })
    hub.server.add('datasets/org/table', { 'a.parquet': parquet })
    expect(await stream('org/rows', 10)).toMatchObject({ rows: 10 })
    expect(written()).toEqual(rows.slice(0, 10))
    expect(askedBytes()).toBeLessThan(1e6)
    expect(large.length).toBeGreaterThan(4e6)
    hub.server.requests.length = 0
    await stream('org/table', 150)
    expect(written()).toEqual(rows.slice(0, 150))
    // The last bytes, the metadata, and a request for each row group.
    const store = hub.server.requests.filter(({ host, range }) => host === 'cdn' && range !== undefined)
    expect(store).toHaveLength(4)
    expect(askedBytes('cdn')).toBeLessThan(parquet.length / 5)
  })
  it('go on where a connection was cut', async () => {
    hub.server.add('datasets/org/rows', { 'a.jsonl': jsonl, 'b.jsonl': jsonl })
    let cuts = 3
    hub.server.fault = ({ range }, response, body) => {
      if (range === undefined || cuts-- <= 0) return false
      const [, from, to] = /(\d+)-(\d+)/.exec(range)!
      response.writeHead(206, { 'content-length': Number(to) + 1 - Number(from) })
      response.write(body!.subarray(Number(from), Number(from) + 1000), () => response.destroy())
      return true
    }
    expect(await stream('org/rows')).toMatchObject({ rows: 2 * COUNT })
    expect(written()).toEqual([...rows, ...rows])
  })
  it('leave what was there where they cannot be had, with one line', async () => {
    hub.server.add('datasets/org/rows', { 'a.jsonl': jsonl, 'b.parquet': parquet.subarray(0, 5000), 'c.jsonl': '\n' })
    await stream('org/rows:a.jsonl', 1)
    await expect(stream('org/rows:b.parquet')).rejects.toThrow(/Parquet in org\/rows@a+:b.parquet: expected a readable/)
    await expect(stream('org/rows:c.jsonl')).rejects.toThrow(/data in org\/rows@a+:c.jsonl: expected at least one row/)
    await expect(stream('org/rows:a.jsonl', 5, { HF_HUB_OFFLINE: '1' })).rejects.toThrow(
      /Unset HF_HUB_OFFLINE|got nothing/,
    )
    await expect(stream('org/rows', 0)).rejects.toThrow('maxSamples: expected at least 1, got 0')
    expect(written()).toEqual(rows.slice(0, 1))
    hub.server.fault = ({ range }, response) => range !== undefined && !!response.destroy()
    await expect(stream('org/rows:a.jsonl')).rejects.toThrow(/org\/rows:a.jsonl: expected an answer/)
    expect(written()).toEqual(rows.slice(0, 1))
    expect(existsSync(`${out()}.tmp`)).toBe(false)
  })
})
