// The requests and programs of docs/serving.md, as they stand there, against a small model.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Engine } from '../src/infer/engine.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { CHAT } from '../src/serve/chat-completions.ts'
import { COMPLETION } from '../src/serve/completions.ts'
import { REFUSED } from '../src/serve/fields.ts'
import { ROUTES } from '../src/serve/routes.ts'
import { type Served, served } from './clients/served.ts'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'serving.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)

let folder: string
let lm: Engine
let one: Served
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-serving-'))
  mkdirSync(join(folder, 'runs', 'demo'), { recursive: true })
  const { model } = await writeChatModel(join(folder, 'runs', 'demo'))
  lm = await loadLm(model)
  one = await served(lm)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
})
afterAll(async () => {
  await one.close()
  lm.free()
  rmSync(folder, { recursive: true, force: true })
})

it.each(blocks('sh').filter((block) => block.startsWith('curl')))('%s', async (block) => {
  const [, url, body] = /^curl (\S+) -H 'content-type: application\/json' -d '([^']+)'\n$/.exec(block)!
  const path = url!.replace('http://127.0.0.1:8080', '')
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${one.url}${path}`, { method: 'POST', body: body!, headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('x-anneal-ignored')).toBeNull()
})

it.each(blocks('ts').map((program, i) => [/from '(?!zod)([\w@/-]+)'/.exec(program)![1]!, program, i] as const))(
  'the program with %s',
  { timeout: 120_000 },
  async (_, program, i) => {
    const file = join(folder, `program-${i}.mts`)
    writeFileSync(file, program.replaceAll('http://127.0.0.1:8080', one.url))
    // What the small model says differs between processors, and may be an empty name. The AI SDK writes what fails to stderr.
    const { stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], { cwd: folder })
    expect(stderr).toBe('')
  },
)

it('has every field of a request, and what is refused', () => {
  const table = text.split('## Fields of a request')[1]!.split('\n## ')[0]!
  const named = (row: string) =>
    Array.from(
      table
        .split(`| ${row}`)[1]!
        .split('\n')[0]!
        .matchAll(/`(\w+)`/g),
      ([, name]) => name!,
    )
  const accepted = ['accepted: texts', 'accepted: chats', 'accepted: completions'].flatMap(named)
  expect([...new Set(accepted)].sort()).toEqual(
    [...new Set(Object.keys({ ...CHAT, ...COMPLETION }))].filter((name) => name !== 'suffix').sort(),
  )
  expect(named('refused')).toEqual(expect.arrayContaining(Object.keys(REFUSED)))
})

it('names every path', () => {
  const paths = text.split('## Paths')[1]!.split('\n## ')[0]!
  for (const route of ROUTES) expect(paths).toContain(route.paths[0]!.replace(/:id.*/, 'NAME'))
})
