import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../lm/fake-lm.ts'
import { createServer } from '../../serve/server.ts'
import { localModel } from '../base/local-model.ts'
import { modelOf } from '../base/model.ts'
import { type AgentEvent, type AgentTool, agent } from '../execute/agent.ts'
import { McpError, type McpTools, mcpTools } from './mcp-tools.ts'
import { service } from './service.ts'
import { serviceHandler } from './service-handler.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A program that speaks over its pipes, in the repository, with these packages. */
const program = (code: string): { command: string; args: string[]; cwd: string } => ({
  command: process.execPath,
  args: ['--import', 'tsx', '--input-type=module', '--eval', code],
  cwd: root,
})

/** One that needs no compiler begins sooner. */
const plain = (code: string): { command: string; args: string[]; cwd: string } => ({
  command: process.execPath,
  args: ['--input-type=module', '--eval', code],
  cwd: root,
})

const OURS = `
import { z } from 'zod'
import { serveMcp, service } from './src/prompting/service/index.ts'
console.log('a word that does not belong here')
const add = service('add', {
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number().default(1) }),
  output: z.object({ sum: z.number() }),
  run: ({ a, b }) => { console.log('another one'); return { sum: a + b } },
})
const fail = service('fail', { description: 'Fails.', input: z.object({}), run: () => { throw new Error('hunter2') } })
setInterval(() => {}, 1e6)
await serveMcp([add, fail])
process.exit(0)
`

/** A server of the official package with the tools that \`tools\` makes. */
const official = (tools: string): string => `
import { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
serveStdio(() => {
  const server = new McpServer({ name: 'official', version: '1.0.0' })
  ${tools}
  return server
})
`

const THEIRS = official(`
  server.registerTool('notes/search.v2', { description: 'Finds notes.', inputSchema: z.object({ query: z.string(), kind: z.enum(['new', 'old']).optional() }) },
    ({ query }) => ({ content: [{ type: 'text', text: 'found ' + query }] }))
  server.registerTool('notes_search_v2', { inputSchema: z.object({}) }, () => ({ content: [] }))
  server.registerTool('sum', { inputSchema: z.object({ n: z.array(z.number()) }), outputSchema: z.object({ sum: z.number() }) },
    ({ n }) => ({ content: [], structuredContent: { sum: n.reduce((a, b) => a + b, 0) } }))
  server.registerTool('picture', { inputSchema: z.object({}) }, () => ({ content: [
    { type: 'image', data: 'AAAA', mimeType: 'image/png' }, { type: 'resource_link', uri: 'file:///x', name: 'x' },
    { type: 'resource', resource: { uri: 'note://1', text: 'a note' } } ] }))
  server.registerTool('huge', { inputSchema: z.object({}) }, () => ({ content: [{ type: 'text', text: 'x'.repeat(200000) }] }))
  server.registerTool('wrong', { inputSchema: z.object({}) }, () => ({ content: [{ type: 'text', text: 'no such note' }], isError: true }))
  server.registerTool('die', { inputSchema: z.object({}) }, () => { console.error('out of ideas'); process.exit(3) })
  server.registerTool('hang', { inputSchema: z.object({}) }, () => new Promise(() => {}))
  server.registerTool('noise', { inputSchema: z.object({}) }, () => { console.log('debug: here'); return { content: [{ type: 'text', text: 'still here' }] } })
  server.registerTool('grow', { inputSchema: z.object({}) }, () => {
    server.registerTool('grown', { inputSchema: z.object({}) }, () => ({ content: [] }))
    return { content: [{ type: 'text', text: 'grown' }] }
  })
  server.registerTool('key', { inputSchema: z.object({}) }, () => ({ content: [{ type: 'text', text: String(process.env.SECRET_OF_OURS) + String(process.env.GIVEN) }] }))
`)

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const gone = async (pid: number): Promise<void> => {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10))
}

const call = async (tools: readonly AgentTool[], name: string, input: unknown = {}): Promise<unknown> => {
  const found = tools.find((one) => one.name === name)!
  return found.run(input as never, { signal: AbortSignal.timeout(300_000) })
}

describe('our services, to the official client', () => {
  const check = async (client: Client): Promise<void> => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['add', 'fail'])
    expect(tools[0]!.inputSchema).toMatchObject({ type: 'object', required: ['a'] })
    expect(tools[0]!.outputSchema).toMatchObject({ properties: { sum: { type: 'number' } } })
    const added = await client.callTool({ name: 'add', arguments: { a: 2 } })
    expect(added).toMatchObject({ structuredContent: { sum: 3 }, content: [{ type: 'text', text: '{"sum":3}' }] })
    const refused = await client.callTool({ name: 'add', arguments: { a: 'x' } })
    expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/^a: /) }] })
    const failed = await client.callTool({ name: 'fail' })
    expect(failed).toMatchObject({ isError: true })
    expect(JSON.stringify(failed)).not.toContain('hunter2')
    await expect(client.callTool({ name: 'other' })).rejects.toThrow(/expected one of add, fail/)
  }
  it.each(['legacy', 'auto'] as const)('over pipes (%s)', async (mode) => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
    const transport = new StdioClientTransport({ ...program(OURS), stderr: 'ignore' })
    await client.connect(transport)
    const { pid } = transport
    await check(client)
    await client.close()
    await gone(pid!)
  })
  it.each(['legacy', 'auto'] as const)('over HTTP, behind our server (%s)', async (mode) => {
    const add = service('add', {
      description: 'Adds.',
      input: z.object({ a: z.number(), b: z.number().default(1) }),
      output: z.object({ sum: z.number() }),
      run: ({ a, b }) => ({ sum: a + b }),
    })
    const fail = service('fail', {
      description: 'Fails.',
      input: z.object({}),
      run: () => Promise.reject(new Error('hunter2')),
    })
    const server = createServer(fakeLm({}), { mounts: [serviceHandler([add, fail])], keys: ['secret'] })
    const connected = async (key: string): Promise<Client> => {
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      await client.connect(
        new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
          requestInit: { headers: { authorization: `Bearer ${key}` } },
          fetch: (url, init) => server.fetch(new Request(url, init)),
        }),
      )
      return client
    }
    await expect(connected('guess')).rejects.toThrow()
    const client = await connected('secret')
    await check(client)
    await client.close()
  })
})

describe('mcpTools, of an official server', () => {
  const withTools = async (use: (server: McpTools) => Promise<void>, more: object = {}): Promise<void> => {
    const server = await mcpTools({ ...plain(THEIRS), ...more })
    try {
      await use(server)
    } finally {
      await server.close()
    }
    expect(isAlive(server.pid!)).toBe(false)
  }
  it('calls them, keeps their schemas, and tells what they answer', async () => {
    process.env.SECRET_OF_OURS = 'hunter2'
    await withTools(
      async ({ tools, notices }) => {
        expect(notices[0]).toBe('notes/search.v2: called notes_search_v2 here')
        expect(tools.map(({ name }) => name).slice(0, 3)).toEqual(['notes_search_v2', 'notes_search_v2_2', 'sum'])
        const { input } = tools[0]!
        expect(input['~standard'].jsonSchema!.input({ target: 'x' })).toMatchObject({
          properties: { kind: { enum: ['new', 'old'] } },
          required: ['query'],
        })
        expect(await input['~standard'].validate({ query: 'a', kind: 'x' })).toMatchObject({
          issues: [{ path: ['kind'], message: 'expected one of "new", "old", got "x"' }],
        })
        expect(await call(tools, 'notes_search_v2', { query: 'herons' })).toBe('found herons')
        expect(await call(tools, 'notes_search_v2_2')).toBe('(no output)')
        expect(await call(tools, 'sum', { n: [1, 2] })).toBe('{"sum":3}')
        expect(await call(tools, 'picture')).toBe(
          '[image of image/png, 3 bytes: not shown]\n[link to x: file:///x]\n[note://1]\na note',
        )
        expect(await call(tools, 'huge')).toBe(
          `${'x'.repeat(1000)}\n[cut here: 199000 of 200000 characters were left out]`,
        )
        await expect(call(tools, 'wrong')).rejects.toThrow(/^no such note$/)
        expect(await call(tools, 'noise')).toBe('still here')
        expect(await call(tools, 'key')).toBe('undefinedyes')
      },
      { maxCharacters: 1000, env: { GIVEN: 'yes' } },
    )
  })
  it('says in one line that a server died, and what it said last', async () => {
    await withTools(async ({ tools }) => {
      const error = await call(tools, 'die').catch((e: unknown) => e)
      expect(error).toBeInstanceOf(McpError)
      expect(String(error)).toMatch(/expected an answer of die .*it ended with 3; it said: .*out of ideas/)
      expect(String(error)).not.toContain('\n')
      await expect(call(tools, 'sum', { n: [] })).rejects.toThrow(McpError)
    })
  })
  it('ends a call that takes too long, and one with its signal', async () => {
    await withTools(
      async ({ tools }) => {
        await expect(call(tools, 'hang')).rejects.toThrow(/an answer of hang within 0.1 s, got .*timed out/i)
      },
      { timeoutSeconds: 0.1 },
    )
    await withTools(async ({ tools }) => {
      const stop = new AbortController()
      const hang = tools.find(({ name }) => name === 'hang')!
      const asked = hang.run({} as never, { signal: stop.signal }) as Promise<unknown>
      stop.abort(new Error('enough'))
      await expect(asked).rejects.toThrow('enough')
      expect(await call(tools, 'noise')).toBe('still here')
    })
  })
  it('has other tools once the server says so', async () => {
    let changed = (): void => {}
    const isChanged = new Promise<void>((resolve) => {
      changed = resolve
    })
    await withTools(
      async (server) => {
        expect(server.tools.some(({ name }) => name === 'grown')).toBe(false)
        await call(server.tools, 'grow')
        await isChanged
        expect(server.tools.some(({ name }) => name === 'grown')).toBe(true)
      },
      { onChange: changed },
    )
  })
  it('is called by an agent of ours', async () => {
    const said: (string | [string, string])[] = [['sum', '{"n":[20,22]}'], ['sum', '{"n":["x"]}'], '42']
    let at = 0
    const model = modelOf({
      name: 'saying',
      holds: 'none',
      async *answer() {
        const one = said[at++]!
        const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
        if (typeof one === 'string')
          yield { deltas: [{ type: 'text', text: one }], tokenIds: [], finishReason: 'stop', usage }
        else
          yield {
            deltas: [
              { type: 'tool-call', index: 0, id: `c${at}`, name: one[0] },
              { type: 'tool-arguments', index: 0, text: one[1] },
            ],
            tokenIds: [],
            finishReason: 'tool_calls',
            usage,
          }
      },
    })
    await withTools(async ({ tools }) => {
      const events: AgentEvent[] = []
      for await (const event of agent(model, { tools, budget: { steps: 4 } }).run('20 + 22?')) events.push(event)
      const results = events.flatMap((event) => (event.type === 'result' ? [[event.output, event.isError]] : []))
      expect(results).toEqual([
        ['{"sum":42}', false],
        [expect.stringContaining('expected number, got "x"'), true],
      ])
      expect(events.at(-1)).toMatchObject({ type: 'end', text: '42' })
    })
  })
})

describe('ours to ours', () => {
  it('over pipes, with words on standard output that do not belong there', async () => {
    const server = await mcpTools(program(OURS))
    expect(await call(server.tools, 'add', { a: 2, b: 3 })).toBe('{"sum":5}')
    await expect(call(server.tools, 'fail')).rejects.toThrow(/^fail: it met an error of its own/)
    await server.close()
    expect(isAlive(server.pid!)).toBe(false)
  })
  it('over HTTP: an agent of ours uses a service of ours', async () => {
    const herons = service('herons', {
      description: 'What is known of herons.',
      input: z.object({}),
      run: () => 'They wait.',
    })
    const server = createServer(fakeLm({}), { mounts: [serviceHandler([herons])] })
    const { tools, close, pid } = await mcpTools({
      url: 'http://localhost/mcp',
      fetch: (url, init) => server.fetch(new Request(url, init)),
    })
    expect([pid, await call(tools, 'herons')]).toEqual([undefined, 'They wait.'])
    const model = localModel(fakeLm({ reply: () => 'Nothing.' }))
    expect(await agent(model, { tools, budget: { steps: 1 } }).ask('Herons?')).toBe('Nothing.')
    await close()
  })
})

describe('servers that do not behave', () => {
  const start = (code: string, more: object = {}): Promise<unknown> =>
    mcpTools({ command: process.execPath, args: ['--eval', code], ...more }).then(
      ({ close }) => close(),
      (error: unknown) => error,
    )
  it.each([
    [
      'cannot be started',
      '',
      { command: '/no/such/program', args: [] },
      /a program that can be started, got "\/no\/such\/program" \(ENOENT\)/,
    ],
    ['ends at once', 'console.error("no key"); process.exit(2)', {}, /it ended with 2; it said: no key/],
    [
      'never answers',
      'process.stdin.resume()',
      { connectSeconds: 0.3 },
      /a server that tells its tools within 0.3 s, got .*timed out/i,
    ],
    [
      'says something else',
      'console.log("Welcome!"); process.exitCode = 1',
      {},
      /1 lines on standard output that are no messages, such as "Welcome!"/,
    ],
    [
      'says too much',
      'for (let i = 0; i < 40; i++) process.stdout.write("x".repeat(1 << 20)); process.stdin.resume()',
      {},
      /a message of more than 32 MiB/,
    ],
  ])('%s: one line', async (_, code, more, message) => {
    const error = await start(code, more)
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain('\n')
  })
  it('leaves no process behind: not one that heeds nothing, nor what a wrapper started', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-mcp-'))
    const file = join(folder, 'pid')
    const inner = `process.on('SIGTERM', () => {}); require('node:fs').writeFileSync(${JSON.stringify(file)}, process.pid + '.'); setInterval(() => {}, 1e6)`
    const wrapper = `
      require('node:child_process').spawn(process.execPath, ['--eval', ${JSON.stringify(inner)}], { stdio: 'inherit' })
      process.on('SIGTERM', () => {})
      setInterval(() => {}, 1e6)`
    const stop = new AbortController()
    const started = start(wrapper, { signal: stop.signal, connectSeconds: 600 })
    while (!(existsSync(file) && readFileSync(file, 'utf8').endsWith('.')))
      await new Promise((resolve) => setTimeout(resolve, 10))
    stop.abort(new Error('enough'))
    expect(String(await started)).toContain('enough')
    await gone(Number.parseInt(readFileSync(file, 'utf8'), 10))
    rmSync(folder, { recursive: true })
  })
  it('ends with its signal, and with the process that started it', async () => {
    const stop = new AbortController()
    const { pid } = await mcpTools({ ...plain(THEIRS), signal: stop.signal })
    stop.abort()
    await gone(pid!)
    const parent = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '--eval',
        `import { mcpTools } from './src/prompting/service/index.ts'
         const { pid } = await mcpTools(${JSON.stringify(plain(THEIRS))})
         console.log(pid)
         setImmediate(() => process.exit(0))`,
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    expect(Number(line)).toBeGreaterThan(0)
    await gone(Number(line))
  })
})

describe('options', () => {
  it.each([
    [{}, /`command` or `url`/],
    [{ command: 'x', url: 'http://x' }, /`command` or `url`/],
    [{ url: 'nowhere' }, /url: expected an address/],
    [{ command: 'x', timeoutSeconds: 0 }, /timeoutSeconds: expected/],
    [{ command: 'x', prefix: 'a b' }, /prefix: expected/],
    [{ command: 'x', arg: [] }, /arg/],
  ])('%j', async (given, message) => {
    await expect(mcpTools(given as never)).rejects.toThrow(message)
  })
})
