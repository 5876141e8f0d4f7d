import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { createServer } from '../../serve/server.ts'
import { prompt } from '../data/prompt.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { ServiceError } from './dialect.ts'
import { localModel } from './local-model.ts'
import type { Model } from './model.ts'
import { trace } from './trace.ts'

type Fetch = NonNullable<ConnectOptions['fetch']>

/** A service that says these answers, one after another. */
function service(
  answers: readonly (Response | (() => Response | Promise<Response>))[],
  more: Partial<ConnectOptions> = {},
) {
  const asked: { url: string; headers: Headers; body: Record<string, unknown> }[] = []
  const fetch: Fetch = async (url, init) => {
    asked.push({
      url,
      headers: new Headers(init.headers),
      body: JSON.parse(String(init.body)) as Record<string, unknown>,
    })
    const answer = answers[asked.length - 1]!
    return typeof answer === 'function' ? answer() : answer
  }
  return { model: connect('http://host/v1/', { model: 'm', fetch, key: 'k', ...more }), asked }
}

const events = (...all: unknown[]): Response =>
  new Response(all.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(''))

const text = (content: string): Response =>
  events(
    { choices: [{ delta: { role: 'assistant', content: '' } }] },
    { choices: [{ delta: { content } }] },
    { choices: [{ delta: {}, finish_reason: 'stop' }] },
    { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } } },
    '[DONE]',
  )

describe('one program', () => {
  const Person = z.object({ name: z.string(), age: z.number().int() })
  const program = async (model: Model) => {
    const person = await model.ask(prompt`Who is ${'Ada'}?`, { as: Person, temperature: 0, seed: 1 })
    let said = ''
    for await (const delta of model.stream([{ role: 'user', content: `Greet ${person.name}` }])) said += delta
    return { person, said }
  }
  const lm = fakeLm({
    reply: (request) => (JSON.stringify(request).includes('Who') ? '{"name": "Ada", "age": 36}' : 'Hello Ada'),
  })
  const wanted = { person: { name: 'Ada', age: 36 }, said: 'Hello Ada' }
  it('runs on a model in this process', async () => {
    expect(await program(localModel(lm))).toEqual(wanted)
  })
  it('runs on our server, held to the schema there', async () => {
    const server = createServer(lm)
    const model = connect('http://localhost/v1', {
      model: 'fake',
      fetch: (url, init) => server.fetch(new Request(url, init)),
    })
    const { value, calls } = await trace(() => program(model))
    expect(value).toEqual(wanted)
    expect(calls[0]!.answer!.usage.promptTokens).toBeGreaterThan(0)
  })
  it('runs on a service in the dialect of Anthropic', async () => {
    const block = (type: string, rest: object = {}): object => ({ type, index: 0, ...rest })
    const { model, asked } = service(
      [
        events(
          { type: 'message_start', message: { usage: { input_tokens: 5, cache_read_input_tokens: 2 } } },
          block('content_block_start', { content_block: { type: 'tool_use', id: 'x', name: 'answer' } }),
          block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: '{"name":"Ada",' } }),
          block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: '"age":36}' } }),
          { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 4 } },
          { type: 'message_stop' },
        ),
        events(block('content_block_delta', { delta: { type: 'text_delta', text: 'Hello Ada' } }), {
          type: 'message_delta',
          delta: { stop_reason: 'end_turn' },
        }),
      ],
      { dialect: 'anthropic' },
    )
    const { value, calls } = await trace(() => program(model))
    expect(value).toEqual(wanted)
    expect(asked[0]!.url).toBe('http://host/v1/messages')
    expect(asked[0]!.headers.get('x-api-key')).toBe('k')
    expect(asked[0]!.body).toMatchObject({
      model: 'm',
      tool_choice: { type: 'tool', name: 'answer' },
      max_tokens: 4096,
    })
    expect(calls[0]!.answer!.usage).toMatchObject({ promptTokens: 7, cachedTokens: 2, completionTokens: 4 })
    // A seed of the program's own is left out, and that is told; one that was drawn is nothing to tell of.
    expect(calls.map(({ notes }) => notes)).toEqual([[{ by: 'connect', left: 'seed', dialect: 'anthropic' }], []])
  })
})

describe('connect', () => {
  it('says a call as OpenAI does', async () => {
    const { model, asked } = service([text('hi')])
    await model.ask('x', { system: 'Be brief.', maxTokens: 5, temperature: 0, stop: ['\n'], seed: 7 })
    expect(asked[0]!.headers.get('authorization')).toBe('Bearer k')
    expect(asked[0]!.body).toEqual({
      model: 'm',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'x' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 5,
      temperature: 0,
      seed: 7,
      stop: ['\n'],
    })
  })
  it('tries again where the service fails, as late as it says, and not where the request is wrong', async () => {
    const busy = (): Response => new Response('busy', { status: 429, headers: { 'retry-after': '0' } })
    const broken = (): Response => new Response('', { status: 503, headers: { 'retry-after': '0' } })
    const { model, asked } = service([busy, broken, () => text('hi')])
    expect(await model.ask('x')).toBe('hi')
    expect(asked.length).toBe(3)
    const wrong = service([new Response('{"error":{"message":"no such model"}}', { status: 404 })])
    const error = await wrong.model.ask('x').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ServiceError)
    expect([(error as ServiceError).status, (error as ServiceError).message]).toEqual([
      404,
      expect.stringContaining('no such model'),
    ])
    expect(wrong.asked.length).toBe(1)
  })
  it('calls no more at a time than it may, and fewer after a 429', async () => {
    let inside = 0
    let most = 0
    const slow = async (): Promise<Response> => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
      return text('x')
    }
    const { model } = service(Array(12).fill(slow), { concurrency: 3 })
    await Promise.all(Array.from({ length: 12 }, () => model.ask('x')))
    expect(most).toBe(3)
  })
  it('tells an error within a stream, an end without a reason, and what is no JSON', async () => {
    for (const answer of [
      events({ error: { message: 'overloaded' } }),
      events({ choices: [{ delta: { content: 'a' } }] }),
      events('{not json'),
    ])
      await expect(service([answer], { retries: 0 }).model.ask('x')).rejects.toThrow(ServiceError)
  })
  it('ends with its signal, also while it waits for a place', async () => {
    const stop = new AbortController()
    const never: Fetch = (_, { signal }) =>
      new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)))
    const model = connect('http://host/v1', { model: 'm', fetch: never, concurrency: 1 })
    const calls = [model.ask('x', { signal: stop.signal }), model.ask('y', { signal: stop.signal })]
    await new Promise((resolve) => setImmediate(resolve))
    stop.abort(new Error('enough'))
    for (const call of calls) await expect(call).rejects.toThrow('enough')
  })
  it('refuses addresses and options that cannot be', () => {
    expect(() => connect('host', { model: 'm' })).toThrow(UsageError)
    expect(() => connect('http://host', { model: 'm', concurrency: 0 })).toThrow(UsageError)
    expect(() => connect('http://host', { model: 'm', modell: 'x' } as ConnectOptions)).toThrow(UsageError)
  })
})

describe('vectors', () => {
  const reply = (...data: object[]): Response => Response.json({ object: 'list', data })
  it('come in the order of the texts, of length 1', async () => {
    const { model, asked } = service([reply({ index: 1, embedding: [0, 2] }, { index: 0, embedding: [3, 4] })], {
      embeddingModel: 'e5',
    })
    const vectors = await model.embed!(['a', 'b'])
    expect(vectors.map((vector) => Array.from(vector, (value) => value.toFixed(6)))).toEqual([
      ['0.600000', '0.800000'],
      ['0.000000', '1.000000'],
    ])
    expect(asked[0]).toMatchObject({ url: 'http://host/v1/embeddings', body: { model: 'e5', input: ['a', 'b'] } })
    expect(asked[0]!.headers.get('authorization')).toBe('Bearer k')
  })
  it('are asked for in parts, and again where the service fails', async () => {
    const texts = Array.from({ length: 257 }, (_, i) => String(i))
    const all = (count: number): Response =>
      reply(...texts.slice(0, count).map((_, index) => ({ index, embedding: [index + 1] })))
    const { model, asked } = service(
      [new Response('no', { status: 503, headers: { 'retry-after': '0' } }), all(1), all(256)],
      {
        concurrency: 1,
      },
    )
    const vectors = service([all(256), all(1)]).model.embed!(texts)
    expect((await vectors).length).toBe(257)
    expect(await model.embed!(['x'])).toHaveLength(1)
    expect(asked).toHaveLength(2)
  })
  it('are those of the model on our server', async () => {
    const lm = fakeLm()
    const server = createServer(lm)
    const model = connect('http://localhost/v1', {
      model: 'fake',
      fetch: (url, init) => server.fetch(new Request(url, init)),
    })
    expect(await model.embed!(['a heron'])).toEqual(await localModel(lm).embed!(['a heron']))
  })
  it.each([
    ['too few', reply({ index: 0, embedding: [1] })],
    ['no JSON', new Response('<html>')],
    ['another thing', Response.json({ error: 'no' })],
    ['of another length', reply({ index: 0, embedding: [1] }, { index: 1, embedding: [1, 2] })],
  ])('are one line where they are %s', async (_, answer) => {
    await expect(service([answer], { retries: 0 }).model.embed!(['a', 'b'])).rejects.toThrow(/expected .*, got /)
  })
  it('are not to be had in the dialect of Anthropic', () => {
    expect(service([], { dialect: 'anthropic' }).model.embed).toBeUndefined()
  })
})
