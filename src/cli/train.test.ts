// `anneal train DATA`: what counts as data, and what is refused before a model is looked at.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from './main.ts'

const rows = [
  { instruction: 'a', output: 'b' },
  { instruction: 'c', output: 'd' },
]
const labelled = rows.map(({ instruction, output }, index) => ({
  prompt: instruction,
  completion: output,
  label: index === 0,
}))
const lines = (all: readonly object[]): string => all.map((row) => `${JSON.stringify(row)}\n`).join('')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-train-data-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What is said about data for a model that is not there. */
async function said(name: string, content: string | Uint8Array, ...more: string[]): Promise<string> {
  const file = join(folder, name)
  writeFileSync(file, content)
  return trained(file, ...more)
}

async function trained(file: string, ...more: string[]): Promise<string> {
  const err: string[] = []
  const words = ['train', file, '--model', join(folder, 'no-model'), '--output_dir', join(folder, 'out'), ...more]
  await main([...words, '--dry-run'], {
    stdout: { write: () => true },
    stderr: { write: (text: string) => err.push(text) > 0 },
  } as unknown as Parameters<typeof main>[1])
  return err.join('').replaceAll(folder, '.')
}

describe('anneal train DATA', () => {
  it('says in its help what follows from data alone', async () => {
    const out: string[] = []
    const stdout = { write: (text: string) => out.push(text) > 0 }
    await main(['train', '--help'], { stdout, stderr: stdout })
    const text = out.join('').replaceAll(/\s+/g, ' ')
    expect(text).toContain(
      'stage follows from the data, finetuning is lora, output_dir is runs/ and the name of the data',
    )
  })

  it('takes rows from every kind of file that holds some, of any size, and from a folder', async () => {
    const alpaca = (name: string): string =>
      `notice: ./${name} is alpaca data (2 of 2 rows have 'instruction' and 'output'): stage sft`
    expect(await said('rows.jsonl', lines(rows))).toContain(alpaca('rows.jsonl'))
    expect(await said('rows.ndjson', lines(rows))).toContain(alpaca('rows.ndjson'))
    expect(await said('rows.csv.gz', gzipSync('instruction,output\na,b\nc,d\n'))).toContain(alpaca('rows.csv.gz'))
    expect(await said('rows.json.gz', gzipSync(JSON.stringify(rows)))).toContain(alpaca('rows.json.gz'))
    const large = [rows[0], { instruction: 'c', output: 'd'.repeat(1.5 * 2 ** 20) }]
    expect(await said('large.json', JSON.stringify(large))).toContain(alpaca('large.json'))
    mkdirSync(join(folder, 'many'))
    await said(join('many', 'one.jsonl'), lines(rows.slice(0, 1)))
    await said(join('many', 'two.jsonl'), lines(rows.slice(1)))
    expect(await trained(join(folder, 'many'))).toContain(alpaca('many'))
  })

  it('takes an object of settings and a file that is not there for a configuration', async () => {
    expect(await said('run.json', '{"stage": "sft", "stagge": 1}')).toMatch(/^error: unknown key 'stagge'/)
    expect(await trained(join(folder, 'none.json'))).toMatch(
      /^error: configuration \.\/none\.json: expected a YAML file, got nothing/,
    )
  })

  it('learns running text as it is, in a file or a folder, unless a stage is asked for', async () => {
    const text = (name: string): string => `notice: ./${name} is running text: stage pretrain, which learns all of it\n`
    expect(await said('corpus.txt', 'Once upon a time.\n')).toContain(text('corpus.txt'))
    expect(await said('corpus.md.gz', gzipSync('# Once\n'))).toContain(text('corpus.md.gz'))
    mkdirSync(join(folder, 'texts'))
    await said(join('texts', 'one.txt'), 'One.\n')
    expect(await said(join('texts', 'two.md'), 'Two.\n')).toContain(text('texts/two.md'))
    expect(await trained(join(folder, 'texts'))).toContain(text('texts'))
    const sft = 'corpus.txt is text data'
    expect(await said('corpus.txt', 'Once.\n', '--stage', 'sft')).toContain(`${sft} (1 of 1 row has 'text'): stage sft`)
    expect(await said('corpus.txt', 'Once.\n', '--stage', 'pretrain')).not.toContain('is running text')
    // Rows stay rows: a column of texts, rows in a file that is called .txt, rows beside a text.
    expect(await said('texts.jsonl', lines([{ text: 'a' }]))).toContain('stage sft')
    expect(await said('rows.txt', lines(rows))).toContain('stage sft')
    await said(join('texts', 'three.jsonl'), lines(rows))
    expect(await trained(join(folder, 'texts'))).toContain('stage sft')
  })

  it('learns from answers with labels only where that is asked for', async () => {
    const data = lines(labelled)
    expect(await said('kto.jsonl', data)).toMatch(
      /^error: \.\/kto\.jsonl: expected answers or pairs of answers, got answers with labels \(2 of 2 rows have 'prompt' and 'completion' and 'label'\)/,
    )
    const asked = 'kto.jsonl is prompt-completion data'
    expect(await said('kto.jsonl', data, '--stage', 'sft')).toContain(asked)
    expect(await said('kto.jsonl', data, '--columns', '{"label": null}')).toContain(asked)
  })
})
