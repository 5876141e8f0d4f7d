import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { writeTextModel } from '../../test/text-model.ts'
import { mcpTools } from '../prompting/service/mcp-tools.ts'
import { serve } from '../run/serve.ts'
import { command } from './service.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = join(root, 'src/cli/main.ts')
const example = join(root, 'examples/services.mjs')
const folder = mkdtempSync(join(tmpdir(), 'anneal-service-'))
const file = join(folder, 'services.mjs')
let model = ''
beforeAll(async () => {
  ;({ model } = await writeTextModel(folder))
  writeFileSync(
    file,
    `import { service } from ${JSON.stringify(new URL('../prompting/service/index.ts', import.meta.url).href)}
import { z } from ${JSON.stringify(import.meta.resolve('zod'))}
export default [
  service('shout', {
    description: 'Says it louder.',
    input: z.object({
      text: z.string().describe('What to say'),
      marks: z.number().int().min(0).max(5).default(1),
      tone: z.enum(['angry', 'glad']).optional(),
      politely: z.boolean().default(false),
      tags: z.array(z.string()).default([]),
      more_of: z.object({ it: z.number() }).optional(),
    }),
    run: ({ text, marks, ...rest }) => ({ said: text.toUpperCase() + '!'.repeat(marks), ...rest }),
  }),
  service('count', { description: 'Counts.', input: z.object({ to: z.number() }), async *run({ to }) { for (let i = 1; i <= to; i++) yield i + ' ' } }),
]`,
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The command as people run it, in a process of its own. */
function anneal(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', entry, ...words], { cwd: root })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => (said.out += chunk))
  child.stderr.on('data', (chunk) => (said.err += chunk))
  child.stdin.end()
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })))
}

describe('anneal service', () => {
  it('reads fields by their types, and JSON', async () => {
    const fields = ['--marks', '2', '--tone=glad', '--politely', '--tags', 'a', '--tags', 'b', '--more-of', '{"it":1}']
    const { out, code } = await runCommand(command, [file, 'shout', '--text', 'hi', ...fields])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({
      said: 'HI!!',
      tone: 'glad',
      politely: true,
      tags: ['a', 'b'],
      more_of: { it: 1 },
    })
    const given = await runCommand(command, [
      file,
      'shout',
      '--input',
      '{"text":"a","marks":0}',
      '--no-politely',
      '--json',
    ])
    expect(JSON.parse(given.out)).toEqual({ type: 'result', output: { said: 'A', politely: false, tags: [] } })
    expect((await runCommand(command, [file, 'count', '--to', '3'])).out).toBe('1 2 3 \n')
    expect((await runCommand(command, [file])).out).toMatch(/shout +Says it louder\.\n +count +Counts\./)
  })
  it.each([
    [['shout'], 2, /^error: --text: .*expected string/],
    [['shout', '--txt', 'a'], 2, /^error: --txt: unknown field\. Did you mean '--text'/],
    [['shout', '--text', 'a', '--marks', 'x'], 2, /^error: --marks: expected a whole number, got 'x'/],
    [['shout', '--text', 'a', '--tone', 'sad'], 2, /^error: --tone: expected angry, glad, got 'sad'/],
    [['shout', '--text', 'a', '--text', 'b'], 2, /^error: --text: expected once/],
    [['shout', '--input', '{}'], 2, /^error: text: /],
    [['shout', '--input', '[1]'], 2, /^error: --input: expected an object/],
    [['loud'], 2, /expected one of shout, count, got 'loud'/],
    [['shout', '--mcp'], 2, /^error: --mcp: expected a file alone/],
  ])('%j is one line', async (words, code, message) => {
    const result = await runCommand(command, [file, ...words])
    expect([result.code, result.err]).toEqual([code, expect.stringMatching(message)])
    expect(result.err.trimEnd()).not.toContain('\n')
  })
  it('says what is wrong with a file', async () => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    for (const [path, message] of [
      [join(folder, 'none.mjs'), /expected a file of services, got nothing/],
      [write('throws.mjs', 'throw new Error("no key")'), /a module that can be loaded, got an error: no key/],
      [write('nothing.mjs', 'export const a = 1'), /expected its default export .* got nothing/],
      [write('other.mjs', 'export default [1]'), /got something else at 0/],
      [write('needs.mjs', 'export default () => []'), /--model: expected one/],
    ] as const)
      expect((await runCommand(command, [path])).err).toMatch(message)
  })
  it('makes its help from the schema', async () => {
    const { out, code } = await anneal('service', example, 'ask-document', '--help')
    expect(code).toBe(0)
    expect(out).toMatch(/--size N +Characters of a part \(default 4000, at least 50, at most 100000\)/)
    expect(out).toMatch(/--document TEXT +Its text \(required\)/)
  })
})

describe('services of a file, behind a small model', () => {
  it('is mounted by anneal serve', async () => {
    const served = await serve({ model, port: 0, services: file })
    try {
      expect(served.services).toEqual(['shout', 'count'])
      const page = await fetch(`${served.url}/services/shout`, { headers: { accept: 'text/html' } })
      expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
      expect(await page.text()).toContain('name="text"')
      const called = await fetch(`${served.url}/services/shout`, {
        method: 'POST',
        body: '{"text":"a"}',
        headers: { 'content-type': 'application/json' },
      })
      expect(await called.json()).toMatchObject({ output: { said: 'A!' } })
      const { tools, close } = await mcpTools({ url: `${served.url}/mcp` })
      expect(tools.map(({ name }) => name)).toEqual(['shout', 'count'])
      await close()
    } finally {
      await served.close()
    }
  })
})
