// OpenAI's own client against a server that listens: what it sends, what it reads, and what it fails on.
import OpenAI from 'openai'
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../src/lm/fake-lm.ts'
import { heldLm } from './held-lm.ts'
import { type Served, served } from './served.ts'

const open: Served[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** A client of a server of its own. */
async function clientOf(
  lm = fakeLm({ reply: () => 'Hello there.' }),
  {
    server = {},
    ...options
  }: { server?: Parameters<typeof served>[1] } & Partial<ConstructorParameters<typeof OpenAI>[0]> = {},
): Promise<OpenAI> {
  const one = await served(lm, server)
  open.push(one)
  return new OpenAI({ baseURL: `${one.url}/v1`, apiKey: 'none', maxRetries: 0, ...options })
}

const messages = [{ role: 'user' as const, content: 'Hi' }]
const asked = { model: 'fake', messages }

describe('chat', () => {
  it('answers', async () => {
    const client = await clientOf()
    const answer = await client.chat.completions.create(asked)
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'fake',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hello there.' }, finish_reason: 'stop', logprobs: null },
      ],
      usage: { prompt_tokens: 20, completion_tokens: 13, total_tokens: 33 },
    })
    expect(answer._request_id).toMatch(/./)
    const again = await client.chat.completions.create(asked)
    expect(again.id).not.toBe(answer.id)
    expect(again.usage!.prompt_tokens_details).toMatchObject({ cached_tokens: 19 })
  })

  it('takes both names of the limit, parts of text and the role of developers', async () => {
    const client = await clientOf(fakeLm())
    const { choices } = await client.chat.completions.create({
      model: 'fake',
      messages: [
        { role: 'developer', content: 'Be kind.' },
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      ],
      max_completion_tokens: 12,
    })
    expect([choices[0]!.message.content, choices[0]!.finish_reason]).toEqual(['system: Be k', 'length'])
    const short = await client.chat.completions.create({ ...asked, max_tokens: 4 })
    expect(short.choices[0]!.message.content).toBe('user')
  })

  it('hears which fields nobody reads', async () => {
    const client = await clientOf()
    const { response } = await client.chat.completions
      .create({ ...asked, user: 'someone', metadata: { a: 'b' }, store: false, seed: 1 })
      .withResponse()
    expect(response.headers.get('x-anneal-ignored')).toBe('user, metadata, store')
  })

  it('gives several answers, and log-probabilities', async () => {
    const client = await clientOf(fakeLm({ reply: () => 'é', candidates: () => [97] }))
    const { choices } = await client.chat.completions.create({ ...asked, n: 3, logprobs: true, top_logprobs: 2 })
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'é'],
      [1, 'é'],
      [2, 'é'],
    ])
    const [first] = choices[0]!.logprobs!.content!
    expect(first).toEqual({
      token: 'é',
      bytes: [0xc3, 0xa9],
      logprob: -1,
      top_logprobs: expect.arrayContaining([
        { token: 'é', bytes: [0xc3, 0xa9], logprob: -1 },
        { token: 'a', bytes: [97], logprob: -1 },
      ]),
    })
  })

  it('streams', async () => {
    const client = await clientOf()
    const stream = await client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks: OpenAI.ChatCompletionChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Hello there.')
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant')
    expect(chunks.filter(({ choices }) => choices[0]?.finish_reason)).toHaveLength(1)
    expect(new Set(chunks.map(({ id, object }) => `${id} ${object}`)).size).toBe(1)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 13 } })
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  })

  it('streams through the helper, which fails on what is not as it should be', async () => {
    const client = await clientOf()
    const stream = client.chat.completions.stream({ ...asked, n: 2, stream_options: { include_usage: true } })
    const heard: string[] = []
    stream.on('content.delta', ({ delta }) => heard.push(delta))
    const answer = await stream.finalChatCompletion()
    expect(answer.choices.map(({ message }) => message.content)).toEqual(['Hello there.', 'Hello there.'])
    expect(heard.join('')).toHaveLength(24)
    expect(await stream.totalUsage()).toMatchObject({ completion_tokens: 26 })
  })
})

describe('structure', () => {
  const Person = z.object({ name: z.string(), age: z.number().int() })
  const lm = () => fakeLm({ reply: () => '{"name":"Ada","age":36} and more' })

  it('parses', async () => {
    const client = await clientOf(lm())
    const { choices } = await client.chat.completions.parse({
      ...asked,
      response_format: zodResponseFormat(Person, 'person'),
    })
    expect(choices[0]!.message.parsed).toEqual({ name: 'Ada', age: 36 })
  })
  it('parses while it streams', async () => {
    const client = await clientOf(lm())
    const stream = client.chat.completions.stream({ ...asked, response_format: zodResponseFormat(Person, 'person') })
    const partial: unknown[] = []
    stream.on('content.delta', ({ parsed }) => partial.push(parsed))
    expect((await stream.finalChatCompletion()).choices[0]!.message.parsed).toEqual({ name: 'Ada', age: 36 })
    expect(partial).toContainEqual({ name: 'Ad' })
  })
  it('is any object', async () => {
    const client = await clientOf(fakeLm({ reply: () => '{"a":[1]} and more' }))
    const { choices } = await client.chat.completions.create({ ...asked, response_format: { type: 'json_object' } })
    expect(JSON.parse(choices[0]!.message.content!)).toEqual({ a: [1] })
  })
  it('is whole also where the answer is cut', async () => {
    const client = await clientOf(fakeLm({ reply: () => `{"name":"${'x'.repeat(999)}` }))
    const { choices } = await client.chat.completions.create({
      ...asked,
      max_tokens: 40,
      response_format: zodResponseFormat(Person, 'person'),
    })
    expect(choices[0]!.finish_reason).toBe('length')
  })
})

describe('tools', () => {
  const Place = z.object({ city: z.string() })
  const weather = zodFunction({ name: 'weather', parameters: Place, function: ({ city }) => `rain in ${city}` })
  const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Aarhus"}}\n</tool_call>'
  /** Calls once, then tells what it was told. */
  const lm = () =>
    fakeLm({
      reply: (request) => {
        const last = 'messages' in request ? request.messages.at(-1)! : undefined
        return last !== undefined && String(last.content).includes('rain') ? 'It rains.' : call
      },
    })

  it('are called', async () => {
    const client = await clientOf(lm())
    const { choices } = await client.chat.completions.parse({ ...asked, tools: [weather] })
    expect(choices[0]!).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } })
    expect(choices[0]!.message.tool_calls).toEqual([
      {
        id: expect.stringMatching(/./),
        type: 'function',
        function: { name: 'weather', arguments: expect.any(String), parsed_arguments: { city: 'Aarhus' } },
      },
    ])
  })
  it('are called in a stream', async () => {
    const client = await clientOf(lm())
    const stream = client.chat.completions.stream({ ...asked, tools: [weather], tool_choice: 'required' })
    const done: unknown[] = []
    stream.on('tool_calls.function.arguments.done', ({ name, parsed_arguments }) => done.push([name, parsed_arguments]))
    const { choices } = await stream.finalChatCompletion()
    expect(done).toEqual([['weather', { city: 'Aarhus' }]])
    expect(choices[0]!.finish_reason).toBe('tool_calls')
  })
  it.each(['streamed', 'whole'])('are run until there is an answer (%s)', async (kind) => {
    const client = await clientOf(lm())
    const results: string[] = []
    const { completions } = client.chat
    const run =
      kind === 'whole'
        ? completions
            .runTools({ ...asked, tools: [weather] })
            .on('functionToolCallResult', (result) => results.push(result))
        : completions
            .runTools({ ...asked, tools: [weather], stream: true })
            .on('functionToolCallResult', (result) => results.push(result))
    expect(await run.finalContent()).toBe('It rains.')
    expect(results).toEqual(['rain in Aarhus'])
  })
  it('are named, or none', async () => {
    const client = await clientOf(lm())
    const named = await client.chat.completions.create({
      ...asked,
      tools: [weather, zodFunction({ name: 'other', parameters: Place })],
      tool_choice: { type: 'function', function: { name: 'weather' } },
      parallel_tool_calls: false,
    })
    expect(named.choices[0]!.message.tool_calls).toHaveLength(1)
    const none = await client.chat.completions.create({ ...asked, tools: [weather], tool_choice: 'none' })
    expect(none.choices[0]!).toMatchObject({ finish_reason: 'stop', message: { content: call } })
  })
})

describe('completions', () => {
  it('go on with texts and ids, several at once', async () => {
    const client = await clientOf(fakeLm())
    const texts = await client.completions.create({ model: 'fake', prompt: ['ab', 'c'], n: 2 })
    expect(texts.choices.map(({ index, text, finish_reason }) => [index, text, finish_reason])).toEqual([
      [0, 'ab', 'stop'],
      [1, 'ab', 'stop'],
      [2, 'c', 'stop'],
      [3, 'c', 'stop'],
    ])
    expect(texts.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 10 })
    const ids = await client.completions.create({
      model: 'fake',
      prompt: [[120, 121], [122]],
      echo: true,
      max_tokens: 1,
    })
    expect(ids.choices.map(({ text }) => text)).toEqual(['xyx', 'zz'])
  })
  it('tell log-probabilities of the prompt too', async () => {
    const client = await clientOf(fakeLm({ logProb: (ids, index) => -ids[index]! / 100, candidates: () => [97] }))
    const { choices } = await client.completions.create({
      model: 'fake',
      prompt: 'xy',
      echo: true,
      logprobs: 1,
      max_tokens: 1,
    })
    expect(choices[0]).toMatchObject({
      text: 'xyx',
      logprobs: {
        tokens: ['x', 'y', 'x'],
        token_logprobs: [null, -1.21, -1.2],
        text_offset: [0, 1, 2],
        top_logprobs: [null, { a: -0.97, y: -1.21 }, { a: -0.97, x: -1.2 }],
      },
    })
  })
  it('stream', async () => {
    const client = await clientOf()
    const stream = await client.completions.create({ model: 'fake', prompt: 'ab', stream: true, stop: ['the'] })
    const chunks: OpenAI.Completion[] = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks.map(({ choices }) => choices[0]!.text).join('')).toBe('Hello ')
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop')
  })
})

describe('models', () => {
  it('are listed', async () => {
    const client = await clientOf(fakeLm({ adapters: ['poet'], contextLength: 512 }))
    const ids: unknown[] = []
    for await (const model of client.models.list())
      ids.push([model.id, model.object, (model as never as Record<string, unknown>).max_model_len])
    expect(ids).toEqual([
      ['fake', 'model', 512],
      ['poet', 'model', 512],
    ])
    expect(await client.models.retrieve('poet')).toMatchObject({ id: 'poet', parent: 'fake' })
  })
})

describe('embeddings', () => {
  it('are the same in both encodings', async () => {
    const client = await clientOf(fakeLm({ vector: (ids, index) => [ids[index]!, 1, -3] }))
    const request = { model: 'fake', input: ['a', 'bc'] }
    const base64 = await client.embeddings.create(request) // the client's default, decoded by it
    const float = await client.embeddings.create({ ...request, encoding_format: 'float' })
    expect(base64.data.map(({ embedding }) => embedding)).toEqual(
      float.data.map(({ embedding }) => Array.from(Float32Array.from(embedding))),
    )
    expect(float).toMatchObject({ object: 'list', model: 'fake', usage: { prompt_tokens: 3, total_tokens: 3 } })
    expect(float.data[1]!.index).toBe(1)
    expect(float.data[0]!.embedding.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 6)
    const ids = await client.embeddings.create({ ...request, input: [[97], [98, 99]], encoding_format: 'float' })
    expect(ids.data).toEqual(float.data)
  })
})

describe('errors', () => {
  it('are of their classes', async () => {
    const client = await clientOf(fakeLm({ contextLength: 64 }), { server: { keys: ['secret'] }, apiKey: 'secret' })
    const failing = (promise: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> =>
      promise.then(
        () => expect.unreachable(),
        (error) => error,
      )
    const bad = await failing(client.chat.completions.create({ ...asked, temperature: -1 }))
    expect(bad).toBeInstanceOf(OpenAI.BadRequestError)
    expect(bad).toMatchObject({ status: 400, type: 'invalid_request_error', param: 'temperature' })
    const long = await failing(client.completions.create({ model: 'fake', prompt: 'x'.repeat(99) }))
    expect(long).toMatchObject({ status: 400, code: 'context_length_exceeded' })
    expect(await failing(client.models.retrieve('gpt'))).toBeInstanceOf(OpenAI.NotFoundError)
    const unknown = await failing(client.chat.completions.create({ ...asked, model: 'gpt' }))
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError)
    expect(unknown).toMatchObject({ code: 'model_not_found', param: 'model' })
    const wrongKey = client.withOptions({ apiKey: 'other' })
    expect(await failing(wrongKey.models.list())).toBeInstanceOf(OpenAI.AuthenticationError)
    const stranger = client.withOptions({ defaultHeaders: { origin: 'https://evil.example' } })
    expect(await failing(stranger.models.list())).toBeInstanceOf(OpenAI.PermissionDeniedError)
    for (const error of [bad, unknown]) expect(error.requestID).toMatch(/./)
  })

  it('end a stream that began', async () => {
    const lm = fakeLm({ reply: () => 'x'.repeat(9) })
    const { generate } = lm
    lm.generate = async function* (request) {
      let count = 0
      for await (const piece of generate(request)) {
        if (++count === 4) throw new Error('a secret of the server')
        yield piece
      }
    }
    const client = await clientOf(lm)
    const stream = await client.chat.completions.create({ ...asked, stream: true })
    const texts: string[] = []
    const error = await (async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0]?.delta.content ?? '')
    })().catch((error) => error)
    expect(texts.join('')).toBe('xxx')
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error.message).not.toContain('secret')
    const whole = client.chat.completions.create(asked)
    await expect(whole).rejects.toBeInstanceOf(OpenAI.InternalServerError)
  })

  it('of a full queue are tried again', async () => {
    const { lm, started, release } = heldLm()
    const statuses: number[] = []
    const client = await clientOf(lm, {
      server: { rows: 1, waiting: 0 },
      maxRetries: 3,
      fetch: async (...args) => {
        const response = await fetch(...args)
        statuses.push(response.status)
        if (response.status === 429) release()
        return response
      },
    })
    const first = client.chat.completions.create(asked)
    await started()
    const second = await client.chat.completions.create(asked)
    expect(second.choices[0]!.message.content).toBe('Hello there.')
    await first
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0)
    expect(statuses.filter((status) => status === 200)).toHaveLength(2)
  })

  it('of a server that is about to stop say so, and what runs comes to its end', async () => {
    const { lm, started, release } = heldLm()
    const client = await clientOf(lm)
    const first = client.chat.completions.create(asked)
    await started()
    const drained = open.at(-1)!.server.drain()
    const error = await client.chat.completions.create(asked).catch((error) => error)
    expect(error).toBeInstanceOf(OpenAI.InternalServerError)
    expect(error).toMatchObject({ status: 503, code: 'draining' })
    release()
    expect((await first).choices[0]!.message.content).toBe('Hello there.')
    await drained
  })

  it('of one that is refused without trying again say when to', async () => {
    const { lm, started, release } = heldLm()
    const client = await clientOf(lm, { server: { rows: 1, waiting: 0 } })
    const first = client.chat.completions.create(asked)
    await started()
    const error = await client.chat.completions.create(asked).catch((error) => error)
    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    expect(Number(error.headers.get('retry-after'))).toBeGreaterThan(0)
    release()
    await first
  })
})

describe('a client that leaves', () => {
  it('by its timeout ends the answer', async () => {
    const { lm, started, aborted } = heldLm()
    const client = await clientOf(lm)
    const call = client.chat.completions.create(asked, { timeout: 200 })
    call.catch(() => {})
    await started()
    await expect(call).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
    await aborted()
  })
  it('by its signal ends the answer', async () => {
    const { lm, started, aborted } = heldLm()
    const client = await clientOf(lm)
    const stop = new AbortController()
    const call = client.chat.completions.create(asked, { signal: stop.signal })
    call.catch(() => {})
    await started()
    stop.abort()
    await expect(call).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await aborted()
  })
  it('in the middle of a stream ends the answer', async () => {
    const { lm, aborted } = heldLm()
    const client = await clientOf(lm)
    const stream = await client.chat.completions.create({ ...asked, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
    await aborted()
  })
})
