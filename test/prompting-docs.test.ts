// The programs and commands of docs/prompting.md, as they stand there and in their order, against a small model, our server and a service.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '../src/infer/engine.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { type Served, served } from './clients/served.ts'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = join(root, 'docs', 'prompting.md')
const text = readFileSync(page, 'utf8')
const blocks = Array.from(text.matchAll(/```(ts|sh)\n([\s\S]*?)```/g), ([, language, block]) => ({
  language: language!,
  block: block!,
}))

/** Anthropic's messages, always the same answer. */
const messages = (): Server =>
  createServer((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    for (const event of [
      { type: 'message_start', message: { usage: { input_tokens: 7 } } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'The heron.' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 4 } },
    ])
      response.write(`data: ${JSON.stringify(event)}\n\n`)
    response.end()
  })

describe('docs/prompting.md', () => {
  let folder: string
  let lm: Engine
  let own: Served
  let other: Server
  /** What each block printed. */
  let printed: readonly string[]
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'anneal-prompting-docs-'))
    mkdirSync(join(folder, 'runs', 'demo'), { recursive: true })
    const { model } = await writeChatModel(join(folder, 'runs', 'demo'), 2048)
    for (const name of ['examples', 'docs']) cpSync(join(root, name), join(folder, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))

    lm = await loadLm(model)
    own = await served(lm)
    other = messages()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    // All in one process, which takes a second to start.
    const steps = blocks.flatMap(({ language, block }, i) => {
      if (language === 'sh')
        return block
          .trim()
          .split('\n')
          .map((line) => {
            const words = Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!)
            return `if (await main(${JSON.stringify(words.slice(2))}) !== 0) throw new Error(${JSON.stringify(line)})`
          })
      const program = block
        .replaceAll('http://127.0.0.1:8080', own.url)
        .replaceAll('https://api.anthropic.com', address)
      writeFileSync(join(folder, `program-${i}.mts`), program)
      return [`console.log('\\n@@${i}')`, `await import('./program-${i}.mts')`]
    })
    const cli = JSON.stringify(join(root, 'src', 'cli', 'main.ts'))
    writeFileSync(join(folder, 'all.mts'), `import { main } from ${cli}\n${steps.join('\n')}\n`)
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join(folder, 'all.mts')], {
      cwd: folder,
      env: { ...process.env, ANTHROPIC_API_KEY: 'none' },
    })
    printed = stdout.split(/\n@@\d+\n/).slice(1)
    if (process.env.SHOW_DOCS) console.log(stdout)
  }, 300_000)
  afterAll(async () => {
    other?.close()
    await own?.close()
    lm?.free()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has programs and commands that run, and print', () => {
    expect(printed).toHaveLength(blocks.filter(({ language }) => language === 'ts').length)
    for (const out of printed) expect(out).toMatch(/\S/)
  })
})

it('links to what is there', () => {
  const links = Array.from(text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g), ([, link]) => link!)
  const files = links.filter((link) => !link.startsWith('http'))
  expect(files.length).toBeGreaterThan(20)
  for (const file of files) expect([file, existsSync(join(dirname(page), file))]).toEqual([file, true])
})

it('has a test for each of the fourteen dimensions, but for what nobody can test', () => {
  const section = text.split("## The survey's fourteen dimensions")[1]!.split('\n## ')[0]!
  const rows = Array.from(
    section.matchAll(/^\| (\d+) [^|]*\|[^|]*\|(.*)\|$/gm),
    ([, n, test]) => [Number(n), test!] as const,
  )
  expect(rows.map(([n]) => n)).toEqual(Array.from({ length: 14 }, (_, i) => i + 1))
  for (const [n, test] of rows) if (n !== 14) expect(test).toMatch(/\(\.\.\/(src|test)\/[\w/-]+\.test\.ts\)/)
})
