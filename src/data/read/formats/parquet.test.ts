import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../../../test/processor-time.ts'
import { InputError } from '../../../errors.ts'
import { stringifySpelled } from '../../../text/json-spelling.ts'
import type { Conversation } from '../../rows/conversation.ts'
import { readExample, readRow } from '../../rows/examples.ts'
import { type DataLimits, DEFAULT_LIMITS } from '../limits.ts'
import { readParquet } from './parquet.ts'
import type { BadStretch, FileRow } from './read-context.ts'

const fixtures = join(import.meta.dirname, '../../../../test/fixtures/data')
const directory = mkdtempSync(join(tmpdir(), 'anneal-parquet-'))
afterAll(() => rmSync(directory, { recursive: true }))
const TEXT = { required: 'text', optional: [] }

async function read(file: string, columns?: typeof TEXT, limits: Partial<DataLimits> = {}) {
  const rows: FileRow['row'][] = []
  const bad: BadStretch[] = []
  const report = { bad: (stretch: BadStretch) => bad.push(stretch), good: () => {}, notice: () => {} }
  const context = { file, limits: { ...DEFAULT_LIMITS, ...limits }, ...report }
  for await (const { row } of readParquet(context, columns)) rows.push(row)
  return { rows, bad }
}

describe('readParquet', () => {
  const codecs = ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'v2-delta']

  it.each(codecs)('reads what pyarrow wrote (%s): text, lists, structs, nulls, 64-bit integers', async (codec) => {
    const { rows } = await read(join(fixtures, `${codec}.parquet`))
    expect(rows).toHaveLength(7)
    expect(rows[0]).toEqual({
      id: 1,
      text: 'Document 0: blåbærgrød, naïve café, 北京 and 🙂.',
      tags: ['a', 'b'],
      meta: { url: 'https://example.org/0', score: 0 },
    })
    expect(rows[3]).toMatchObject({ text: null, tags: ['c'] })
    expect(rows[6]).toMatchObject({ id: '9007199254740993', tags: ['e', 'f', 'g'], meta: { score: 3 } })
    expect(() => JSON.stringify(rows)).not.toThrow()
  })

  it('remembers whole numbers that no number holds, also in lists and structs', async () => {
    const [first, second] = [2n ** 53n + 1n, -(2n ** 60n)]
    const id = { name: 'n', type: 'INT64', repetition_type: 'REQUIRED' } as const
    const file = join(directory, 'large.parquet')
    const table = parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 3 },
        id,
        { name: 'list', repetition_type: 'REQUIRED', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { ...id, name: 'element' },
        { name: 'struct', repetition_type: 'REQUIRED', num_children: 1 },
        id,
      ],
      columnData: [
        { name: 'n', data: [second, 7n] },
        { name: 'list', data: [[1n, first], [2n]] },
        { name: 'struct', data: [{ n: first }, { n: 3n }] },
      ],
    })
    writeFileSync(file, Buffer.from(table))
    const { rows } = await read(file)
    expect(rows.map(stringifySpelled)).toEqual([
      `{"n":${second},"list":[1,${first}],"struct":{"n":${first}}}`,
      '{"n":7,"list":[2],"struct":{"n":3}}',
    ])
  })

  // scripts/goldens/parquet_calls.py wrote it: one row calls f({a: 1}), the other g({b: "z"}).
  it('takes the nulls that a column store puts into structs for absent', async () => {
    const { rows } = await read(join(fixtures, 'calls.parquet'))
    const examples = rows.map((row) => readExample({ row, id: { file: 'calls.parquet', offset: 0, line: 1 } }))
    expect(examples.map((example) => (example as Conversation).messages[1]!.tool_calls![0]!.function)).toEqual([
      { name: 'f', arguments: { a: 1 } },
      { name: 'g', arguments: { b: 'z' } },
    ])
  })

  it('reports rows whose text is no text and keeps the others', async () => {
    const { rows, bad } = await read(join(fixtures, 'bad-text.parquet'), TEXT)
    expect(rows).toEqual([{ text: 'good' }, { text: 'good again' }])
    expect(bad.map(({ reason, line }) => [reason, line])).toEqual([
      ['invalid-utf8', 2],
      ['nul', 3],
    ])
  })

  // scripts/goldens/parquet_bytes.py wrote it.
  it('keeps rows with raw bytes beside their text, which are not handed on', async () => {
    const file = join(fixtures, 'bytes.parquet')
    const { rows, bad } = await read(file)
    expect(bad).toEqual([])
    expect(rows).toEqual(
      [0, 1].map((i) => ({
        prompt: `Question ${i}?`,
        completion: `Answer ${i}.`,
        hash: { bytes: 3 },
        image: { bytes: { bytes: 4 }, path: 'a.png' },
        packed: { bytes: 2 },
        note: 'plain',
      })),
    )
    const examples = rows.map((row) => readRow({ row, id: { file, offset: 0, line: 1 } }))
    expect(examples[0]).toMatchObject({
      example: { prompt: 'Question 0?', completion: 'Answer 0.' },
      unread: ['hash', 'image', 'packed', 'note'],
    })
    // Where the bytes are what is asked for, they must be text.
    expect((await read(file, { required: 'hash', optional: [] })).bad.map(({ reason }) => reason)).toEqual([
      'invalid-utf8',
      'invalid-utf8',
    ])
    expect((await read(file, { required: 'note', optional: [] })).rows).toEqual([{ note: 'plain' }, { note: 'plain' }])
  })

  it('refuses bombs before or while they unfold', async () => {
    const before = process.memoryUsage().rss
    const spent = startProcessorTime()
    const repeated = join(fixtures, 'repeat-bomb.parquet')
    await expect(read(join(fixtures, 'large-page-bomb.parquet'), TEXT)).rejects.toThrow(/expanded size of row group 0/)
    await expect(read(repeated, TEXT, { maxRowGroupValues: 1e6 })).rejects.toThrow(/rows of row group 0.*got 2000000/)
    await expect(read(repeated, TEXT)).rejects.toThrow(/expanded size in .*repeat-bomb.parquet:\d+/)
    expect(spent()).toBeLessThan(5000)
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })

  it('refuses a run longer than its page', async () => {
    const bytes = readFileSync(join(fixtures, 'run.parquet'))
    // The definition levels: three bytes, of them a run header 1000 << 1 as a varint, and the level 1.
    const levels = bytes.indexOf(Buffer.from([3, 0, 0, 0, 0xd0, 0x0f, 1]))
    bytes.set([0xfe, 0x7f], levels + 4)
    const file = join(directory, 'run.parquet')
    writeFileSync(file, bytes)
    await expect(read(file, TEXT)).rejects.toThrow(/a run of 8191 values in a page of 1000/)
  })

  it('refuses metadata that is cut, too long, or holds a number without end', async () => {
    const file = join(directory, 'bad.parquet')
    const whole = readFileSync(join(fixtures, 'none.parquet'))
    const endless = Buffer.concat([
      Buffer.alloc(1_000_000, 0xff),
      Buffer.from([0x40, 0x42, 0x0f, 0]),
      Buffer.from('PAR1'),
    ])
    const lengthy = Buffer.concat([whole.subarray(0, -8), Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.from('PAR1')])
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 100), whole.subarray(0, -1), endless, lengthy]) {
      writeFileSync(file, bytes)
      const spent = startProcessorTime()
      await expect(read(file, TEXT)).rejects.toThrow(InputError)
      expect(spent()).toBeLessThan(1000)
    }
  })

  it('never crashes or hangs on damaged files', async () => {
    const rounds = process.env.ANNEAL_LONG ? 20_000 : 60
    const file = join(directory, 'fuzzed.parquet')
    let state = 1
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (const codec of codecs) {
      const whole = readFileSync(join(fixtures, `${codec}.parquet`))
      for (let round = 0; round < rounds; round++) {
        const bytes = Buffer.from(whole)
        for (let flips = 1 + random(4); flips > 0; flips--) bytes[random(bytes.length)] = random(256)
        writeFileSync(file, bytes)
        const spent = startProcessorTime()
        await read(file).catch((error: unknown) => expect(error).toBeInstanceOf(InputError))
        expect(spent()).toBeLessThan(1000)
      }
    }
  })
})
