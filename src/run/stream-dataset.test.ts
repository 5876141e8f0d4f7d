import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { commitOf } from '../../test/hub-server.ts'
import { useHub } from '../../test/use-hub.ts'
import { readRows } from '../data/read/sources.ts'
import { openDataset, pullDataset } from '../hub/pull-dataset.ts'
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
      response.writeHead(206, {
        'content-length': Number(to) + 1 - Number(from),
        'content-range': `bytes ${from}-${to}/${body!.length}`,
      })
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
  it.each([
    ['no word of which ones they are (content-range: none)', undefined, 206],
    ['others, from 1 on', 'bytes 1-100/9437184', 206],
    ['those of a file of 12 bytes, which has changed since it was listed', 'bytes 9000000-9000099/12', 206],
    ['the whole file: HOST knows no parts of files', undefined, 200],
  ])('are not taken from %s', async (got, said, status) => {
    hub.server.add('datasets/org/rows', { 'a.jsonl': Buffer.alloc(9 << 20) })
    const { files } = await openDataset('org/rows', hub.options())
    let asked = 0
    hub.server.fault = (_, response, body) => {
      asked++
      response.writeHead(status, said === undefined ? {} : { 'content-range': said }).end(body)
      return true
    }
    const error = await files[0]!.read(9_000_000, 9_000_100).then(String, (each: Error) => each.message)
    expect(error.replace(hub.server.endpoint.slice(7), 'HOST')).toBe(
      `org/rows:a.jsonl: expected bytes 9000000 to 9000099 of 9437184, got ${got}. Download the file whole (anneal pull), or check HF_ENDPOINT`,
    )
    expect(asked).toBe(1)
  })
  it('keep whole numbers that no number of JavaScript holds, as numbers', async () => {
    const id = 9007199254740993n
    const table = parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 4 },
        { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' },
        { name: 'day', type: 'INT32', repetition_type: 'REQUIRED', converted_type: 'DATE' },
        { name: 'at', type: 'INT64', repetition_type: 'REQUIRED', converted_type: 'TIMESTAMP_MICROS' },
        { name: 'picture', type: 'BYTE_ARRAY', repetition_type: 'REQUIRED' },
      ],
      columnData: [
        { name: 'id', data: [id, 7n] },
        { name: 'day', data: [new Date('2026-11-27'), new Date('1960-02-29')] },
        { name: 'at', data: [1_600_000_000_000_001n, -1n] },
        { name: 'picture', data: [new Uint8Array([255, 0]), new Uint8Array([254])] },
      ],
    })
    const line = `{"id":12345678901234567890,"x":1.0,"list":[${id},2,{"y":${id}}],"as text":"${id}"}\n`
    hub.server.add('datasets/org/rows', { 'a.jsonl': line, 'b.parquet': Buffer.from(table) })
    await stream('org/rows:a.jsonl')
    expect(readFileSync(out(), 'utf8')).toBe(line)
    await stream('org/rows:b.parquet')
    expect(readFileSync(out(), 'utf8')).toBe(
      `{"id":${id},"day":"2026-11-27","at":"2020-09-13T12:26:40.000001Z","picture":{"bytes":2}}\n` +
        '{"id":7,"day":"1960-02-29","at":"1969-12-31T23:59:59.999999Z","picture":{"bytes":1}}\n',
    )
    expect(hub.notices.filter((each) => each.includes('bytes'))).toEqual([
      'picture: bytes that are no text have no place in JSON lines; their number stands for them. The files themselves have them',
    ])
  })
  it('are read in the cache where it has them, also offline', async () => {
    hub.server.add('datasets/org/rows', { 'train.jsonl': jsonl, 'test.jsonl': '{}' })
    await pullDataset('org/rows:train', hub.options())
    hub.server.requests.length = 0
    await stream('org/rows:train', 5, { HF_HUB_OFFLINE: '1' })
    expect(written()).toEqual(rows.slice(0, 5))
    expect(hub.server.requests).toEqual([])
    await expect(stream('org/rows:test', 5, { HF_HUB_OFFLINE: '1' })).rejects.toThrow(
      'got only the cache, which lacks test.jsonl',
    )
    await stream('org/rows:train', 5)
    expect(askedBytes()).toBe(0)
  })
  it('leave no part of a file behind for ever, take no name of another kind, and name what is no UTF-8', async () => {
    hub.server.add('datasets/org/rows', { 'a.jsonl': jsonl, 'wide.jsonl': Buffer.from('\uFEFF{}', 'utf16le') })
    const gone = ['.rows.jsonl.tmp-999999999-0123456789ab', '.other.jsonl.tmp-999999999-0123456789ab']
    for (const name of gone) writeFileSync(join(hub.home, name), 'half a row')
    await stream('org/rows:a.jsonl', 5)
    expect(gone.map((name) => existsSync(join(hub.home, name)))).toEqual([false, true])
    await expect(stream('org/rows:wide.jsonl')).rejects.toThrow(
      /:wide.jsonl: expected UTF-8, got UTF-16. Convert it: write a copy in UTF-8/,
    )
    for (const name of ['-', 'rows.jsonl.gz', 'rows.parquet'])
      await expect(streamDataset('org/rows:a.jsonl', { ...hub.options(), out: name })).rejects.toThrow(
        `out: expected a name that ends in .jsonl, got ${name}`,
      )
    const left = new AbortController()
    const { watch, ...options } = hub.options()
    const tell: NonNullable<typeof watch>['tell'] = (event) =>
      void (event.type === 'progress' && event.done > 0 && left.abort())
    await expect(
      streamDataset('org/rows:a.jsonl', { ...options, watch: { tell, signal: left.signal }, out: out() }),
    ).rejects.toThrow()
    expect(readdirSync(hub.home).filter((name) => name.startsWith('.rows'))).toEqual([])
    expect(written()).toHaveLength(5)
  })
})
