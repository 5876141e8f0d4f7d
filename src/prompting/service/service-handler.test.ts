import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../lm/fake-lm.ts'
import { listen } from '../../serve/listen.ts'
import { createServer } from '../../serve/server.ts'
import { localModel } from '../base/local-model.ts'
import { guard } from '../execute/guard.ts'
import { rule } from '../execute/rule.ts'
import { service } from './service.ts'
import { serviceHandler } from './service-handler.ts'

const shout = service('shout', {
  description: 'Says it louder.',
  input: z.object({ text: z.string(), marks: z.number().int().max(5).default(1) }),
  output: z.object({ said: z.string() }),
  run: ({ text, marks }) => ({ said: text.toUpperCase() + '!'.repeat(marks) }),
})
const count = service('count', {
  description: 'Counts.',
  input: z.object({ to: z.number().int() }),
  async *run({ to }) {
    for (let i = 1; i <= to; i++) {
      if (i === 13) throw new Error('never that')
      yield `${i} `
    }
  },
})
const broken = service('broken', {
  description: 'Fails.',
  input: z.object({}),
  run: () => {
    throw new Error('password is hunter2')
  },
})

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Request =>
  new Request(`http://localhost${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
const eventsOf = async (response: Response): Promise<unknown[]> =>
  (await response.text())
    .split('\n\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => (line === 'data: [DONE]' ? 'done' : JSON.parse(line.slice(6))))

describe('serviceHandler', () => {
  const errors: unknown[] = []
  const { fetch } = serviceHandler([shout, count, broken], { onError: (error) => errors.push(error) })
  it('answers with JSON', async () => {
    const response = await fetch(post('/services/shout', { text: 'hi' }))
    expect([response.status, await response.json()]).toEqual([200, { output: { said: 'HI!' } }])
    expect(await (await fetch(post('/api/services/count', { to: 2 }))).json()).toEqual({ output: '1 2 ' })
  })
  it('lists its services with their schemas', async () => {
    const { services } = (await (await fetch(new Request('http://localhost/services'))).json()) as {
      services: { name: string; input_schema: { required: string[] }; output_schema?: object }[]
    }
    expect(services.map(({ name }) => name)).toEqual(['shout', 'count', 'broken'])
    expect(services[0]!.input_schema).toMatchObject({ type: 'object', required: ['text'] })
    expect(services[0]!.output_schema).toMatchObject({ properties: { said: { type: 'string' } } })
    const one = await fetch(new Request('http://localhost/services/shout'))
    expect(await one.json()).toEqual(services[0])
  })
  it.each([
    ['/services/shout', { text: 1 }, 400, 'text', 'invalid_input'],
    ['/services/shout', { text: '', marks: 6 }, 400, 'marks', 'invalid_input'],
    ['/services/shout', '{"text":', 400, null, 'invalid_input'],
    ['/services/shout', '{"text":"a","__proto__":{"marks":2}}', 400, null, 'invalid_input'],
    ['/services/sh%2e%2e', {}, 404, null, 'not_found'],
    ['/services/__proto__', {}, 404, null, 'not_found'],
    ['/services', {}, 405, null, 'not_found'],
    ['/services/broken', {}, 500, null, 'failed'],
  ])('%s %j → %i', async (path, body, status, param, code) => {
    const response = await fetch(post(path, body))
    const { error } = (await response.json()) as { error: Record<string, unknown> }
    expect([response.status, error.param, error.code]).toEqual([status, param, code])
    expect(JSON.stringify(error)).not.toContain('hunter2')
  })
  it('tells errors that callers do not hear of', () => {
    expect(errors.map(String)).toEqual(['Error: password is hunter2'])
  })
  it('refuses other types, and more bytes than it may take', async () => {
    expect((await fetch(post('/services/shout', {}, { 'content-type': 'text/plain' }))).status).toBe(415)
    const small = serviceHandler([shout], { maxBodyBytes: 20 })
    expect((await small.fetch(post('/services/shout', { text: 'a'.repeat(30) }))).status).toBe(413)
  })
  it('streams where it is asked to, and an error after the first piece as the last event', async () => {
    const wanted = [{ delta: '1 ' }, { delta: '2 ' }, { output: '1 2 ' }, 'done']
    const accepted = await fetch(post('/services/count', { to: 2 }, { accept: 'text/event-stream' }))
    expect(accepted.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(await eventsOf(accepted)).toEqual(wanted)
    expect(await eventsOf(await fetch(post('/services/count?stream', { to: 2 })))).toEqual(wanted)
    expect((await fetch(post('/services/count?stream', { to: 'x' }))).status).toBe(400)
    const failed = await eventsOf(await fetch(post('/services/count?stream=true', { to: 20 })))
    expect(failed.length).toBe(13)
    expect(failed.at(-1)).toMatchObject({ error: { code: 'failed', param: null } })
    expect(await eventsOf(await fetch(post('/services/shout?stream', { text: 'a' })))).toEqual([
      { output: { said: 'A!' } },
      'done',
    ])
  })
  it('gives a refusal of a guard as the output', async () => {
    const model = guard(localModel(fakeLm({ reply: () => 'You have ADHD.' })), {
      output: [rule('no diagnosis', (text) => !/ADHD/.test(text))],
    })
    const doctor = service('doctor', {
      description: 'x',
      input: z.object({ q: z.string() }),
      run: ({ q }) => model.ask(q),
    })
    const response = await serviceHandler([doctor]).fetch(post('/services/doctor', { q: 'What have I?' }))
    expect(await response.json()).toEqual({ output: 'I cannot help with that here.' })
  })
  it('wants each name once', () => {
    expect(() => serviceHandler([shout, shout])).toThrow('shout twice')
  })
})

describe('behind a server of ours', () => {
  const lm = fakeLm({ reply: () => 'yes' })
  const handler = serviceHandler([shout, count])
  const server = createServer(lm, { mounts: [handler], keys: ['secret'] })
  const key = { authorization: 'Bearer secret' }
  it('asks for the key, and refuses other names and pages', async () => {
    const call = async (headers: Record<string, string>): Promise<number> =>
      (await server.fetch(post('/services/shout', { text: 'a' }, headers))).status
    expect(await call(key)).toBe(200)
    expect(await call({})).toBe(401)
    expect(await call({ ...key, host: 'rebound.example.com' })).toBe(403)
    expect(await call({ ...key, origin: 'https://evil.example.com' })).toBe(403)
    expect(await call({ ...key, 'content-type': 'text/plain' })).toBe(415)
    for (const path of ['/services', '/services/shout'])
      expect((await server.fetch(new Request(`http://localhost${path}`))).status).toBe(401)
  })
  it('has its limits', async () => {
    const deep = `{"text":${'['.repeat(200)}${']'.repeat(200)}}`
    expect((await server.fetch(post('/services/shout', deep, key))).status).toBe(400)
    const small = createServer(lm, { mounts: [handler], maxBodyBytes: 10 })
    expect((await small.fetch(post('/services/shout', { text: 'a'.repeat(20) }))).status).toBe(413)
  })
  it('is in the document', async () => {
    const response = await server.fetch(new Request('http://localhost/openapi.json', { headers: key }))
    const { paths } = (await response.json()) as {
      paths: Record<string, { post: { requestBody: { content: Record<string, { schema: object }> } } }>
    }
    expect(paths['/services/shout']!.post.requestBody.content['application/json']!.schema).toMatchObject({
      required: ['text'],
    })
    expect(paths['/v1/chat/completions']).toBeDefined()
  })
  it('hears that its caller went away, and drains', async () => {
    let began = (): void => {}
    const isThere = new Promise<void>((resolve) => {
      began = resolve
    })
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const slow = service('slow', {
      description: 'x',
      input: z.object({}),
      run: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            end()
            reject(signal.reason as Error)
          })
          began()
        }),
    })
    const listening = await listen(createServer(lm, { mounts: [serviceHandler([slow])] }), { port: 0 })
    const stop = new AbortController()
    const asked = fetch(`${listening.url}/services/slow`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
      signal: stop.signal,
    }).catch((error: unknown) => error)
    await isThere
    const closed = listening.close()
    stop.abort(new Error('bye'))
    await ended
    await closed
    expect(String(await asked)).toContain('bye')
  })
})
