// The program of docs/chat.md, as it stands there, on a small model; and its table of families.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'chat.md'), 'utf8')

it('runs the program', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-chat-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'runs', 'demo'), { recursive: true })
  // The tools alone take more than 256 of the model's words.
  await writeChatModel(join(folder, 'runs', 'demo'), 2048)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  writeFileSync(join(folder, 'program.mts'), /```ts\n([\s\S]*?)```/.exec(text)![1]!)
  const run = promisify(execFile)(process.execPath, ['--import', 'tsx', 'program.mts'], { cwd: folder })
  expect((await run).stdout).toMatch(
    /written into the texts[\s\S]*tool_calls \[ \[ 'weather', \{ city: '(Oslo|Rome)' \} \]/,
  )
})

it('names every family', () => {
  const families = readFileSync(join(root, 'src', 'chat', 'families.ts'), 'utf8')
  const names = Array.from(families.matchAll(/\bname: '([\w-]+)'/g), ([, name]) => name!)
  expect(names.length).toBeGreaterThan(9)
  for (const name of names.filter((one) => one !== 'generic')) expect(text).toContain(`\`${name}\``)
})
