// The commands and programs of docs/gates.md, as they stand there and one after the other: from facts and questions to a model with a gate.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Bm25 } from '../src/retrieve/bm25.ts'
import { recordAnswers } from '../src/run/gate/record-answers.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { writeTextModel } from './text-model.ts'
import { TINY_CHAT_TEMPLATE } from './tiny-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'gates.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-gates-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  const { model } = await writeTextModel(folder)
  mkdirSync(join(folder, 'models'))
  cpSync(model, join(folder, 'models', 'base'), { recursive: true })
  writeFileSync(join(folder, 'models', 'base', 'chat_template.jinja'), TINY_CHAT_TEMPLATE)
  const rows = (all: readonly object[]): string => all.map((row) => `${JSON.stringify(row)}\n`).join('')
  const facts = Array.from({ length: 60 }, (_, i) => ({ id: `${i}`, text: `the cat number ${i} sat on the moon` }))
  writeFileSync(join(folder, 'facts.jsonl'), rows(facts))
  // An untaught model knows nothing: what it says without documents is right for every other question, and what it says with them for the rest.
  const lm = await loadLm(join(folder, 'models', 'base'))
  try {
    const asked = facts.map(({ id }) => ({ question: `where is the cat number ${id}?`, gold: ['?'], entity: id }))
    const records = await recordAnswers(lm, asked, { retriever: new Bm25(facts) })
    const questions = records.map(({ question, entity, closed, retrieved }, i) => ({
      question,
      gold: (i % 2 === 0 ? closed : retrieved).text.trim() || '?',
      entity,
      relation: `r${i % 3}`,
      popularity: i + 1,
    }))
    writeFileSync(join(folder, 'questions.jsonl'), rows(questions))
  } finally {
    lm.free()
  }
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (words: readonly string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', ...words], { cwd: folder })

it('has commands that lead from questions to a page', { timeout: 240_000 }, async () => {
  const [lines] = blocks('sh').map((block) => block.trim().split('\n'))
  expect(lines).toHaveLength(4)
  for (const line of lines!) {
    const { stdout } = await run([join(root, 'src', 'cli', 'main.ts'), ...line.split(' ').slice(1)])
    expect(stdout).toMatch(/\S/)
  }
  const figures = JSON.parse(readFileSync(join(folder, 'gates.json'), 'utf8')) as {
    gates: { gate: string; cost: object }[]
  }
  for (const gate of ['popularity by relation', 'p-true', 'MLP probe, layer 1'])
    expect(figures.gates.find((one) => one.gate === gate)?.cost, gate).toBeTruthy()
  expect(readFileSync(join(folder, 'again.html'), 'utf8')).toBe(readFileSync(join(folder, 'gates.html'), 'utf8'))
  expect(existsSync(join(folder, 'gate.safetensors'))).toBe(true)
  const [program] = blocks('ts')
  writeFileSync(join(folder, 'program.mts'), program!)
  expect((await run([join(folder, 'program.mts')])).stdout).toBe('true\n')
})
it('has a gate of one’s own', { timeout: 120_000 }, async () => {
  writeFileSync(join(folder, 'own.mts'), blocks('ts')[1]!)
  expect((await run([join(folder, 'own.mts')])).stdout).toBe('looked up and known\n')
})
