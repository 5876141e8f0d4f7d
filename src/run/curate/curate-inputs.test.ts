// Inputs of a curation: what they may be, and what is said of those that are bad.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it, vi } from 'vitest'
import { jsonl, text, useCurations } from '../../../test/use-curations.ts'
import { readJob } from '../../data/curate/read-job.ts'
import { shardOfEnvironment } from './shards.ts'

const { folder, place, file, curate, corpus } = useCurations()
const [, , c] = corpus.inputs

describe('bad input', () => {
  it('of nothing, or of nothing but empty files, is said', async () => {
    await expect(curate({ inputs: join(folder, 'nothing') })).rejects.toThrow(/got nothing there/)
    await expect(curate({ inputs: file('empty.txt', '') })).rejects.toThrow(
      /inputs .*empty.txt: expected some text, got an empty file/,
    )
    const { notices, texts } = await curate({ inputs: [file('empty2.txt', ''), c] })
    expect(notices.join('\n')).toMatch(/empty: .*empty2.txt/)
    expect((await curate({ inputs: [file('empty3.jsonl.gz', ''), c] })).texts).toHaveLength(1)
    await expect(curate({ inputs: file('blank.txt', '\n \n') })).rejects.toThrow(
      /inputs: expected some text, got files without any/,
    )
    expect(texts).toHaveLength(1)
  })

  it('is not what a page without an article is: those are counted and told, and the rest goes on', async () => {
    const pages = join(folder, 'pages')
    for (let i = 0; i < 3; i++) {
      file(
        `pages/article-${i}.html`,
        `<html><body><article><p>${text(i)}.</p><p>${text(i + 9)}.</p></article></body></html>`,
      )
      file(`pages/menu-${i}.html`, '<html><body><script>1</script></body></html>')
    }
    const { summary, notices } = await curate({ inputs: pages, preset: 'none', max_bad: 0 })
    expect(summary).toMatchObject({ records: 6, quarantined: 3, kept: { documents: 3 } })
    expect(notices.join('\n')).toMatch(/3 pages of 6 records without an article, such as menus, in .*quarantine/)
    file('pages/broken.jsonl', '{"text": broken\n')
    await expect(curate({ inputs: pages, preset: 'none', max_bad: 0 })).rejects.toThrow(
      /broken.jsonl, byte 0: expected at most 0 %, got 1 of 7 \(1 bad-json; \d/,
    )
  })

  it('in another encoding is said with its offset and the key that reads it', async () => {
    const latin = 'Hvad der høres på gården\n'.repeat(20)
    const inputs = file('latin.txt', Buffer.concat([Buffer.from('Godt begyndt\n'), Buffer.from(latin, 'latin1')]))
    await expect(curate({ inputs })).rejects.toThrow(
      /bad records in .*latin.txt, byte 13: .*invalid-utf8.*`encoding: windows-1252`/,
    )
    const { texts } = await curate({ inputs, encoding: 'windows-1252' })
    expect(texts[0]).toBe(`Godt begyndt\n${latin.trim()}`)
    const wide = file('wide.txt', Buffer.from('\ufeffHøns i gården', 'utf16le'))
    await expect(curate({ inputs: wide })).rejects.toThrow(/expected UTF-8, got UTF-16LE. Set `encoding: utf-16le`/)
    expect((await curate({ inputs: wide, encoding: 'utf-16le' })).texts).toEqual(['Høns i gården'])
    const packed = file('wide.csv.gz', gzipSync(Buffer.from('\ufefftext\nHøns i gården\n', 'utf16le').swap16()))
    await expect(curate({ inputs: packed })).rejects.toThrow(/^(?!.*iconv).*got UTF-16BE. Set `encoding: utf-16be`/)
    await expect(curate({ inputs: packed, encoding: 'utf-16le' })).rejects.toThrow(
      /expected utf-16le, got UTF-16BE. Set `encoding: utf-16be`/,
    )
    expect((await curate({ inputs: packed, encoding: 'utf-16be' })).texts).toEqual(['Høns i gården'])
  })

  it('in an encoding that it is not, or cannot wholly be, is said', async () => {
    const latin = file(
      'mostly.txt',
      Buffer.concat([Buffer.from('Godt\n'), Buffer.from('på gården '.repeat(99), 'latin1')]),
    )
    // One bad record is a slip, but not when it is nearly all of the bytes.
    await expect(curate({ inputs: latin })).rejects.toThrow(/1 of 2 \(1 invalid-utf8; 99.6 %.*`encoding: windows-1252`/)
    const bare = file('bare.txt', Buffer.from('Høns i gården', 'utf16le'))
    await expect(curate({ inputs: bare })).rejects.toThrow(/1 nul; .*`encoding: utf-16le`/)
    const utf8 = file('utf8.txt', 'Høns i gården og på marken')
    await expect(curate({ inputs: utf8, encoding: 'utf-16le' })).rejects.toThrow(
      /encoding in .*utf8.txt: expected utf-16le, got UTF-8. Leave `encoding` out/,
    )
    const said = await curate({ inputs: utf8, encoding: 'windows-1252' })
    expect(said.notices.join('\n')).toMatch(
      /utf8.txt reads as UTF-8, and is read as windows-1252: leave `encoding` out/,
    )
    const odd = file('odd.txt', Buffer.concat([Buffer.from('Høns i gården', 'utf16le'), Buffer.from('A')]))
    const { notices } = await curate({ inputs: odd, encoding: 'utf-16le' })
    expect(notices.join('\n')).toMatch(/odd.txt: 1 place that cannot be utf-16le became U\+FFFD/)
  })

  it('in a column of a table that nobody wants costs no row', async () => {
    const columns = { text: [text(1), text(2)], note: ['a\0', 'b\0'] }
    const columnData = Object.entries(columns).map(([name, data]) => ({ name, data, type: 'STRING' as const }))
    const inputs = file('wanted.parquet', Buffer.from(parquetWriteBuffer({ columnData })))
    expect((await curate({ inputs, preset: 'none' })).texts).toEqual([text(1), text(2)])
    await expect(curate({ inputs, preset: 'none', keep_columns: ['tag', 'note'], max_bad: 0 })).rejects.toThrow(/2 nul/)
    await expect(curate({ inputs, text_column: 'body' })).rejects.toThrow(
      /column 'body' in .*wanted.parquet: .* found text, note\. .*text_column/,
    )
  })

  it('that becomes shorter, longer or nothing while it is read is said', async () => {
    const source = { textKey: 'text', keep: [], split: 'file' } as never
    const rows = jsonl([{ text: text(1) }, { text: text(2) }])
    const changing = file('changing.jsonl', rows)
    for (const [range, written, got] of [
      [undefined, rows.slice(0, 20), /stays as it is .* with \d+ bytes, got 20\./],
      [undefined, `${rows}{"text": "en til"}\n`, /with \d+ bytes, got \d+\./],
      [[0, rows.length], rows.slice(0, 20), /with at least \d+ bytes, got 20\./],
      [[0, rows.length], undefined, /got none\./],
    ] as const) {
      file('changing.jsonl', rows)
      const bad: string[] = []
      const report = { bad: ({ detail }: { detail?: string }) => bad.push(detail ?? ''), notice: () => {} }
      const job = { index: 0, file: changing, source: 0, size: Buffer.byteLength(rows), ...(range && { range }) }
      const texts: string[] = []
      for await (const record of readJob(job, source, report)) {
        texts.push(record.text)
        if (written === undefined) rmSync(changing, { force: true })
        else writeFileSync(changing, written)
      }
      expect(texts).toEqual([text(1), text(2)])
      expect(bad).toEqual([expect.stringMatching(got)])
    }
  })

  it('of columns and places that the result has itself is refused or left out', async () => {
    await expect(curate({ ...corpus, keep_columns: ['url', 'id'] })).rejects.toThrow(
      /keep_columns.1: expected a column other than id, text, .*got 'id'/,
    )
    const rows = file('within/x.jsonl', '{"__proto__":{"a":1},"text":"en to tre fire fem"}\n')
    const inputs = join(folder, 'within')
    await expect(curate({ inputs, output_dir: inputs })).rejects.toThrow(
      /output_dir: expected a folder that does not hold the inputs/,
    )
    const out = join(inputs, 'out')
    const first = await curate({ inputs, output_dir: out, keep_columns: ['__proto__'] })
    expect(readFileSync(join(out, 'data', 'part-00000.jsonl'), 'utf8')).toContain('"__proto__":{"a":1}')
    const again = await curate({ inputs, output_dir: out, keep_columns: ['__proto__'] })
    expect(again.summary).toEqual(first.summary)
    expect(again.notices.join('\n')).toMatch(/\d+ files in .*out left out: that is where the result goes/)
    // One file by several ways is one file.
    expect((await curate({ inputs: [rows, `${inputs}/../within/x.jsonl`] })).summary).toMatchObject({ records: 1 })
  })

  it('of items of evaluations that are too short to be looked for is said', async () => {
    const items = file('evals/short.jsonl', jsonl([{ q: 'hvad er 2 + 2 i dag?' }, { q: '4' }]))
    const { notices } = await curate({ ...corpus, contamination: { files: items } })
    expect(notices.join('\n')).toMatch(/1 of 2 items of evaluations has no text of five words or more/)
  })

  it('cut short gives what is whole, says so, and fails above the rate', async () => {
    const whole = gzipSync(jsonl(Array.from({ length: 200 }, (_, i) => ({ text: text(i) }))))
    const inputs = file('cut.jsonl.gz', whole.subarray(0, whole.length * 0.7))
    const out = place()
    await expect(curate({ inputs, output_dir: out, max_bad: 0 })).rejects.toThrow(/truncated.*what was good is kept/)
    const { texts, notices } = await curate({ inputs, output_dir: out, max_bad: 0.1 })
    expect(texts.length).toBeGreaterThan(50)
    expect(texts[0]).toBe(text(0))
    expect(notices.join('\n')).toMatch(/cut short/)
  })

  it('is refused where settings do not fit', async () => {
    await expect(curate(corpus, { shards: 3, shard: 3 })).rejects.toThrow(/shard: expected 0 to 2, got 3/)
    await expect(curate(corpus, { shards: 3 })).rejects.toThrow(/shard: expected a number beside shards/)
    expect(() => shardOfEnvironment({ SLURM_ARRAY_TASK_ID: 'x' })).toThrow(
      /SLURM_ARRAY_TASK_ID: expected a whole number/,
    )
    expect(shardOfEnvironment({ JOB_COMPLETION_INDEX: '7' })).toBe(7)
    await expect(curate({ ...corpus, rules: { min_doc_word: 1 } })).rejects.toThrow(
      /rules.min_doc_word: .*'min_doc_words'/,
    )
    await expect(curate({ ...corpus, sources: [{ path: 'elsewhere' }] })).rejects.toThrow(
      /sources: expected a path of an input, got elsewhere/,
    )
    const { out } = await curate(corpus)
    await expect(curate({ ...corpus, output_dir: out, pii: { email: false } })).rejects.toThrow(
      /output_dir: .*made from other inputs or settings/,
    )
    await curate({ ...corpus, output_dir: out, pii: { email: false } }, { overwrite: true })
  })

  it('warns of a source that loses half and of a cluster of one in a hundred', async () => {
    const same = Array.from({ length: 30 }, (_, i) => ({ text: `${text(1)} ${'abcdefghijklmnopqrstuvwxyzæøå0'[i]}` }))
    const { notices } = await curate({ inputs: file('same.jsonl', jsonl(same)) })
    expect(notices.join('\n')).toMatch(/source same.jsonl lost 96.\d % of its words, most of it .* by near \(near\)/)
    expect(notices.join('\n')).toMatch(/one cluster of near-duplicates holds 30 documents, 100 % of all/)
  })
})

it('may be a dataset of the hub by name, which is the name of its source', async () => {
  vi.stubEnv('HF_HUB_CACHE', fileURLToPath(new URL('../../../test/fixtures/hub-cache', import.meta.url)))
  const { texts, summary } = await curate({ inputs: 'org/rows' }).finally(() => vi.unstubAllEnvs())
  expect(texts).toEqual(['one'])
  expect(Object.keys(summary!.sources)).toEqual(['org/rows'])
})
