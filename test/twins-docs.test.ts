// The commands and programs of docs/twins.md, as they stand there: a service of rules is the teacher, and a tiny model learns.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ruleTeacher } from '../experiments/psydt/rule-teacher.ts'
import { COUNSELLORS, worldCases, worldSeeds } from '../experiments/psydt/world.ts'
import { writeLines } from '../src/methods/psydt/turns.ts'
import { WORDINGS } from '../src/prompting/base/wordings.ts'
import { writeTextModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'twins.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)

const teacher = ruleTeacher()
const server = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += String(piece)
  const { messages, seed } = JSON.parse(body)
  let content = ''
  for await (const { deltas } of teacher.answer({ messages, seed }))
    for (const delta of deltas) if (delta.type === 'text') content += delta.text
  const said = { choices: [{ delta: { content }, finish_reason: 'stop' }] }
  const usage = { choices: [], usage: { prompt_tokens: 20, completion_tokens: 5 } }
  response.end(`${[said, usage].map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`)
})

let folder: string
const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-twins-docs-'))
  const at = (...names: string[]): string => join(folder, ...names)
  symlinkSync(join(root, 'node_modules'), at('node_modules'))
  for (const name of ['examples', 'recipes']) cpSync(join(root, name), at(name), { recursive: true })
  const paths = { 'anneal/methods/*': [join(root, 'src', 'methods', '*', 'index.ts')] }
  const rooms = ['prompting/service', '*'].map((room) => [`anneal/${room}`, [join(root, 'src', room, 'index.ts')]])
  const compilerOptions = { paths: { ...paths, ...Object.fromEntries(rooms) }, allowJs: true }
  writeFileSync(at('tsconfig.json'), JSON.stringify({ compilerOptions }))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  writeFileSync(at('twin.yaml'), blocks('yaml')[0]!.replace('http://127.0.0.1:8000/v1', url))
  mkdirSync(at('cases'))
  for (const { id, topic, turns } of worldCases(COUNSELLORS[1]!))
    writeFileSync(at('cases', `${id}.txt`), `Topic: ${topic}\n\n${writeLines(turns, 'en')}\n`)
  const seeds = worldSeeds(12, 1).map(({ id, topic, title, detail, answer }) => ({
    ...{ id, topic, questionTitle: title, questionDetail: detail, counsellorLongText: answer },
  }))
  writeFileSync(at('questions.jsonl'), jsonl(seeds))
  mkdirSync(at('held-out'))
  const rowsOf = (who: number, seed: number, count: number): object[] =>
    worldCases(COUNSELLORS[who]!, seed)
      .slice(0, count)
      .map(({ id, topic, turns }) => ({
        ...{ id, topic, speaker: COUNSELLORS[who]!.name },
        messages: turns.slice(0, 4).map(({ speaker, text }) => ({ role: speaker, content: text })),
      }))
  writeFileSync(at('held-out', 'test.jsonl'), jsonl(rowsOf(1, 7, 2)))
  writeFileSync(at('held-out', 'cases.jsonl'), jsonl(rowsOf(1, 0, 4)))
  writeFileSync(at('held-out', 'others.jsonl'), jsonl(rowsOf(0, 7, 2)))
  const { model } = await writeTextModel(folder)
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  cpSync(model, at('runs', 'twin', 'base'), { recursive: true })
  const long = { ...config, max_position_embeddings: 4096 }
  writeFileSync(at('runs', 'twin', 'base', 'config.json'), JSON.stringify(long))
  // Its turns end with the one special token that the model has.
  const template =
    "{% for message in messages %}{{ message.role + ': ' + message.content + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
  writeFileSync(at('runs', 'twin', 'base', 'chat_template.jinja'), template)
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const run = async (words: readonly string[]) =>
  (await promisify(execFile)(process.execPath, ['--import', 'tsx', ...words], { cwd: folder })).stdout
const anneal = (line: string) => {
  const words = Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!)
  return run([join(root, 'src', 'cli', 'main.ts'), ...words.slice(1)])
}

describe('docs/twins.md', () => {
  it('has commands that work, from cases to an answer', { timeout: 1_200_000 }, async () => {
    const said: string[] = []
    for (const line of blocks('sh').join('').trim().split('\n')) said.push(await anneal(line))
    const [dry, preview, rows, , base, twin, answer, help] = said
    expect(dry).toContain('How this counsellor talks:')
    expect(preview).toContain('"recipe":"psydt"')
    expect(rows).toMatch(/1\d rows of 12 seeds/)
    expect(base).toContain('with a case shown: similarity')
    expect(twin).toContain('baseline, with a case shown: similarity')
    expect(answer).toContain('I am a computer program and no therapist')
    expect(help).toContain(WORDINGS.crisis.en.slice(0, 40))
  })
  it('has a program that works', { timeout: 120_000 }, async () => {
    const file = join(folder, 'program.mts')
    writeFileSync(file, blocks('ts')[0]!)
    expect(await run([file])).toContain('0 rows of 1 seeds, 1 without one')
    expect(readFileSync(join(folder, 'rows', 'rejects.jsonl'), 'utf8')).toContain('no JSON')
  })
})
