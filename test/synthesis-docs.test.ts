// The commands and programs of docs/synthesis.md, as they stand there, and the example that it names.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'synthesis.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-synthesis-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  cpSync(join(root, 'examples'), join(folder, 'examples'), { recursive: true })
  const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  writeFileSync(join(folder, 'topics.jsonl'), '{"topic":"rain"}\n{"topic":"snow"}\n{"topic":"hail"}\n')
  writeFileSync(join(folder, 'synth.yaml'), blocks('yaml')[0]!)
  const { model } = await writeChatModel(folder, 8192)
  for (const [from, to] of [
    ['models', 'base'],
    ['runs/demo', 'model'],
  ] as const)
    cpSync(model, join(folder, from, to), { recursive: true })
  renameSync(model, join(folder, 'unused'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = async (words: readonly string[]) =>
  (await promisify(execFile)(process.execPath, ['--import', 'tsx', ...words], { cwd: folder })).stdout
const anneal = (line: string) => run([join(root, 'src', 'cli', 'main.ts'), ...line.split(' ').slice(1)])

describe('docs/synthesis.md', () => {
  it('has commands that work', { timeout: 240_000 }, async () => {
    const said = []
    for (const line of blocks('sh')[0]!.trim().split('\n')) said.push(await anneal(line))
    expect(said[0]).toContain('user: Write one question about rain.')
    expect(said[1]).toMatch(/^\{"question":.*"kind":"(?:easy|hard)"\}\nall 3 seeds at this rate: about 6 calls/)
    expect(said[2]).toMatch(/^3 rows of 3 seeds/)
    expect(said[3]).toMatch(/^3 rows of 3 seeds, 0 without one, 0 tries refused, .*; 6 calls/)
  })
  it('names an example that works, by batches too', { timeout: 240_000 }, async () => {
    const made = await anneal('anneal synth examples/synth.yaml --sampling.max_tokens 8')
    expect(made).toMatch(/^\d rows of 4 seeds, \d without one/)
    const waiting = await anneal('anneal synth examples/synth.yaml --out batches --batch true')
    expect(waiting).toContain('4 calls wait for answers: give batches/batch-1.jsonl to the service')
  })
  const OUTPUTS = ['1 rows of 1 seeds, 0 without one, 1 tries refused', 'promptTokens: ']
  it.each(blocks('ts').map((program, i) => [i, program] as const))(
    'has program %i',
    { timeout: 120_000 },
    async (i, program) => {
      const file = join(folder, `program-${i}.mts`)
      writeFileSync(file, program)
      const said = await run([file])
      expect(said).toContain(OUTPUTS[i])
      expect(said).toContain(["[ 2, 'It has to be another word.' ]", '[ { text: 2, like: 0, share: 1 } ]'][i])
    },
  )
  it('has a configuration of psydt that works', { timeout: 240_000 }, async () => {
    const turns = ['I am tired.', 'Since when?', 'Since May.', 'What was in May?']
    const messages = turns.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }))
    writeFileSync(join(folder, 'cases.jsonl'), `${JSON.stringify({ topic: 'sleep', messages })}\n`)
    const question = {
      topic: 'sleep',
      questionTitle: 'No rest',
      questionDetail: 'I lie awake.',
      counsellorLongText: 'Rest.',
    }
    writeFileSync(join(folder, 'questions.jsonl'), `${JSON.stringify(question)}\n`)
    expect(blocks('yaml')).toHaveLength(3)
    writeFileSync(join(folder, 'twin.yaml'), blocks('yaml')[2]!)
    expect(await anneal('anneal synth twin.yaml --dry-run')).toContain('Since May.')
  })
})
