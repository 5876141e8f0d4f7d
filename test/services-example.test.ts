// examples/services.mjs with a small model, by its four faces: a command, a route, a form, and tools over MCP by pipes and by HTTP.
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mcpTools } from '../src/prompting/service/mcp-tools.ts'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = ['--import', 'tsx', join(root, 'src', 'cli', 'main.ts')]
const example = join(root, 'examples', 'services.mjs')
const NAMES = ['sort-mail', 'ask-document']
const KINDS = ['order', 'complaint', 'question', 'other']
const SORTED = { kind: expect.toBeOneOf(KINDS), urgent: expect.any(Boolean) }
const signal = AbortSignal.timeout(300_000)

describe('the example of services', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-services-'))
  let model: string
  beforeAll(async () => {
    ;({ model } = await writeChatModel(folder, 2048))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is a command', { timeout: 300_000 }, async () => {
    const document = 'The heron waits in the shallow water. '.repeat(10)
    const words = ['service', example, 'ask-document', '--model', model, '--json', '--size', '200']
    const fields = ['--document', document, '--question', 'Who waits?']
    const { stdout } = await promisify(execFile)(process.execPath, [...main, ...words, ...fields], { cwd: root })
    const { output } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { output: { parts: number; answer: string } }
    expect(output.parts).toBe(2)
    expect(output.answer).not.toBe('')
  })
  it('has its services as tools, on pipes', { timeout: 300_000 }, async () => {
    const args = [...main, 'service', example, '--model', model, '--mcp']
    const server = await mcpTools({ command: process.execPath, args, cwd: root, connectSeconds: 280 })
    try {
      expect(server.tools.map(({ name }) => name)).toEqual(NAMES)
      const sorted = await server.tools[0]!.run({ mail: 'Where is it?' } as never, { signal })
      expect(JSON.parse(String(sorted))).toEqual(SORTED)
    } finally {
      await server.close()
    }
  })
  it('is behind a server as routes, forms and tools', { timeout: 300_000 }, async () => {
    const words = ['serve', '--model', model, '--services', example, '--port', '0', '--json']
    const child = spawn(process.execPath, [...main, ...words], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      let url = ''
      for await (const line of createInterface({ input: child.stdout })) {
        if (!line.includes('"serving"')) continue
        url = (JSON.parse(line) as { url: string }).url
        break
      }
      const called = await fetch(`${url}/services/sort-mail`, {
        method: 'POST',
        body: '{"mail":"Where is it?"}',
        headers: { 'content-type': 'application/json' },
      })
      expect(await called.json()).toEqual({ output: SORTED })
      const page = await (await fetch(`${url}/services/sort-mail`, { headers: { accept: 'text/html' } })).text()
      expect(page).toMatch(/name="mail"/)
      const server = await mcpTools({ url: `${url}/mcp`, connectSeconds: 280 })
      expect(server.tools.map(({ name }) => name)).toEqual(NAMES)
      const sorted = await server.tools[0]!.run({ mail: 'Where is it?' } as never, { signal })
      expect(JSON.parse(String(sorted))).toEqual(SORTED)
      await server.close()
    } finally {
      child.kill('SIGKILL')
    }
  })
})
