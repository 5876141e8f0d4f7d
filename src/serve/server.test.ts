import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError, UsageError } from '../errors.ts'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { Lm } from '../lm/lm.ts'
import { createServer, type ServerOptions } from './server.ts'

interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever came
  body: any
}

function asking(lm: Lm | FakeLmOptions = {}, options: ServerOptions = {}) {
  const server = createServer('generate' in lm ? lm : fakeLm(lm), options)
  const ask = async (path: string, body?: unknown): Promise<Answer> => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await server.fetch(new Request(`http://localhost${path}`, body === undefined ? {} : init))
    const { status, headers } = response
    const text = await response.text()
    if (!headers.get('content-type')?.startsWith('text/event-stream'))
      return { status, headers, body: JSON.parse(text) }
    const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
    expect(events.at(-1)).toBe('data: [DONE]')
    return { status, headers, body: events.slice(0, -1).map((event) => JSON.parse(event.slice(6)) as unknown) }
  }
  return { server, ask }
}

const user = (content: unknown) => [{ role: 'user', content }]

describe('chat completions', () => {
  const { ask } = asking({ reply: () => 'Hello there.' })
  it('answer in the shape of OpenAI', async () => {
    const { status, headers, body } = await ask('/v1/chat/completions', { messages: user('hi') })
    expect(status).toBe(200)
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'fake',
      system_fingerprint: null,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello there.', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
          stop_reason: null,
        },
      ],
      // 'user: hi\nassistant: ', and 12 characters with their end token
      usage: {
        prompt_tokens: 20,
        completion_tokens: 13,
        total_tokens: 33,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: {
          reasoning_tokens: 0,
          accepted_prediction_tokens: 0,
          rejected_prediction_tokens: 0,
        },
      },
    })
    expect(body.id).toBe(`chatcmpl-${headers.get('x-request-id')}`)
  })
  it('stream the same text: role, pieces, end, usage', async () => {
    const { body } = await ask('/v1/chat/completions', {
      messages: user('hi'),
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(body[0].choices[0].delta).toEqual({ role: 'assistant', content: '' })
    expect(
      body
        .slice(1, -2)
        .map((chunk: Answer['body']) => chunk.choices[0].delta.content)
        .join(''),
    ).toBe('Hello there.')
    expect(body.at(-2).choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(body.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 13 } })
    expect(body.slice(0, -1).every(({ usage }: Answer['body']) => usage === null)).toBe(true)
    expect(new Set(body.map(({ id }: Answer['body']) => id)).size).toBe(1)
  })
  it('make n texts, side by side in a stream', async () => {
    const { body } = await ask('/v1/chat/completions', { messages: user('hi'), n: 3, max_tokens: 5 })
    expect(body.choices.map((choice: Answer['body']) => [choice.index, choice.message.content])).toEqual(
      [0, 1, 2].map((index) => [index, 'Hello']),
    )
    expect(body.usage).toMatchObject({ prompt_tokens: 20, completion_tokens: 15 })
    const stream = await ask('/v1/chat/completions', { messages: user('hi'), n: 2, max_tokens: 2, stream: true })
    const texts = ['', '']
    for (const { choices } of stream.body) texts[choices[0].index] += choices[0].delta.content ?? ''
    expect(texts).toEqual(['He', 'He'])
  })
  it('tell which stop ended them, and keep it on demand', async () => {
    const asked = { messages: user('hi'), stop: ['there'] }
    const { body } = await ask('/v1/chat/completions', asked)
    expect(body.choices[0]).toMatchObject({
      message: { content: 'Hello ' },
      finish_reason: 'stop',
      stop_reason: 'there',
    })
    const kept = await ask('/v1/chat/completions', { ...asked, include_stop_str_in_output: true })
    expect(kept.body.choices[0].message.content).toBe('Hello there')
  })
  it('tell log-probabilities with their bytes, whole and in a stream', async () => {
    const lm = { reply: () => 'é!', candidates: () => [97], logProb: (_: unknown, i: number) => -1 - i / 100 }
    const asked = { messages: user('x'), logprobs: true, top_logprobs: 2, max_tokens: 2 }
    const { body } = await asking(lm).ask('/v1/chat/completions', asked)
    const { content } = body.choices[0].logprobs
    expect(content.map(({ token, bytes }: Answer['body']) => [token, bytes])).toEqual([
      ['é', [0xc3, 0xa9]],
      ['!', [33]],
    ])
    expect(content[0].top_logprobs.map(({ token }: Answer['body']) => token).sort()).toEqual(['a', 'é'])
    const stream = await asking(lm).ask('/v1/chat/completions', { ...asked, stream: true })
    const told = stream.body.flatMap(({ choices }: Answer['body']) => choices[0].logprobs?.content ?? [])
    expect(told).toEqual(content)
  })
  it('take texts in parts, developers, and null for what is left open', async () => {
    const echo = fakeLm({ reply: (request) => JSON.stringify((request as { messages: unknown }).messages) })
    const chatTemplate = '<tool_call>{{ tools }}'
    const { body } = await asking({ ...echo, chatTemplate }).ask('/v1/chat/completions', {
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
          name: null,
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: '1' },
      ],
      temperature: null,
      stop: null,
      tools: null,
      response_format: null,
    })
    expect(JSON.parse(body.choices[0].message.content)).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'a\nb' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
      },
      { role: 'tool', tool_call_id: 'c', content: '1' },
    ])
  })
  it('keep to a schema, a choice, a regular expression', async () => {
    const structured = asking({ reply: () => '{"a":1}' })
    const schema = {
      type: 'object',
      properties: { a: { type: 'integer' } },
      required: ['a'],
      additionalProperties: false,
    }
    const json = await structured.ask('/v1/chat/completions', {
      messages: user('x'),
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema, strict: true } },
    })
    expect(Object.keys(JSON.parse(json.body.choices[0].message.content) as object)).toEqual(['a'])
    for (const [asked, pattern] of [
      [{ structured_outputs: { choice: ['yes', 'no'] } }, /^(yes|no)$/],
      [{ guided_regex: 'a{3}' }, /^a{3}$/],
      [{ response_format: { type: 'json_object' } }, /^\{.*\}$/],
    ] as const) {
      const { body } = await structured.ask('/v1/chat/completions', { messages: user('x'), ...asked })
      expect(body.choices[0].message.content).toMatch(pattern)
    }
  })
  it('give the seed to each text, another to each of n', async () => {
    const seeds: unknown[] = []
    const { ask } = asking({
      reply: ({ seed }) => {
        seeds.push(seed)
        return 'x'
      },
    })
    await ask('/v1/chat/completions', { messages: user('x'), n: 2, seed: 7 })
    expect(seeds).toEqual([7, 8])
  })
})

describe('completions', () => {
  const { ask } = asking({ reply: () => 'Hello' })
  it('go on from texts and ids, one or many', async () => {
    for (const [prompt, count] of [
      ['ab', 1],
      [[97, 98], 1],
      [['ab', 'c'], 2],
      [[[97], [98, 99]], 2],
    ] as const) {
      const { body } = await ask('/v1/completions', { prompt, max_tokens: 2 })
      expect(body.object).toBe('text_completion')
      expect(body.choices.map(({ index, text }: Answer['body']) => [index, text])).toEqual(
        Array.from({ length: count }, (_, index) => [index, 'He']),
      )
    }
  })
  it('echo a prompt with log-probabilities, as lm-eval reads them', async () => {
    const logProb = (ids: readonly number[], i: number) => (ids[i] === 98 ? -0.5 : -2)
    const { body } = await asking({ reply: () => 'b', logProb, candidates: () => [98] }).ask('/v1/completions', {
      prompt: [[97, 98, 99]],
      max_tokens: 1,
      logprobs: 1,
      echo: true,
      temperature: 0,
    })
    const [{ text, logprobs }] = body.choices
    expect(text).toBe('abcb')
    expect(logprobs).toEqual({
      tokens: ['a', 'b', 'c', 'b'],
      text_offset: [0, 1, 2, 3],
      token_logprobs: [null, -0.5, -2, -0.5],
      top_logprobs: [null, { b: -0.5 }, { b: -0.5, c: -2 }, { b: -0.5 }],
    })
  })
  it('read a prompt and make nothing: max_tokens 0 with echo', async () => {
    const { body } = await ask('/v1/completions', { prompt: 'ab', max_tokens: 0, echo: true, logprobs: 0 })
    expect(body.choices[0]).toMatchObject({
      text: 'ab',
      finish_reason: 'length',
      logprobs: { tokens: ['a', 'b'], token_logprobs: [null, -1], top_logprobs: null },
    })
    expect(body.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 0 })
    expect((await ask('/v1/completions', { prompt: 'ab', max_tokens: 0 })).body.error.param).toBe('max_tokens')
  })
  it('stream the same', async () => {
    const asked = { prompt: ['ab', 'c'], max_tokens: 3, echo: true, logprobs: 1 }
    const whole = await ask('/v1/completions', asked)
    const stream = await ask('/v1/completions', { ...asked, stream: true, stream_options: { include_usage: true } })
    const texts = ['', '']
    const tokens: string[][] = [[], []]
    const offsets: number[][] = [[], []]
    for (const { choices } of stream.body.slice(0, -1)) {
      const [{ index, text, logprobs }] = choices
      texts[index] += text
      tokens[index]!.push(...logprobs.tokens)
      offsets[index]!.push(...logprobs.text_offset)
    }
    expect(texts).toEqual(['abHel', 'cHel'])
    expect(tokens).toEqual(whole.body.choices.map(({ logprobs }: Answer['body']) => logprobs.tokens))
    expect(offsets).toEqual(whole.body.choices.map(({ logprobs }: Answer['body']) => logprobs.text_offset))
    expect(stream.body.at(-1).usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 6 })
  })
  it('make 16 tokens where nobody says how many', async () => {
    const { body } = await asking({ reply: () => 'x'.repeat(99) }).ask('/v1/completions', { prompt: 'a' })
    expect(body).toMatchObject({ choices: [{ text: 'x'.repeat(16), finish_reason: 'length' }] })
  })
})

describe('what is wrong', () => {
  const { ask } = asking()
  it.each([
    ['a field below its range', { temperature: -1 }, 'temperature'],
    ['a field of another kind', { stop: [1] }, 'stop[0]'],
    ['two structures', { guided_regex: 'a', guided_choice: ['b'] }, 'guided_choice'],
    ['a template of its own', { chat_template: 'x' }, 'chat_template'],
    ['functions of old', { functions: [] }, 'functions'],
    ['log-probabilities of nothing', { top_logprobs: 2 }, 'top_logprobs'],
    ['options of no stream', { stream_options: {} }, 'stream_options'],
    ['an empty list of tools', { tools: [] }, 'tools'],
    ['a role that there is not', { messages: [{ role: 'bot', content: 'x' }] }, 'messages[0].role'],
    ['an image', { messages: user([{ type: 'image_url' }]) }, 'messages[0].content[0]'],
    ['a conversation that does not fit', { messages: user('x'.repeat(5000)) }, 'messages'],
    ['more than fits', { max_tokens: 5000 }, 'max_tokens'],
    ['too many texts', { n: 99 }, 'n'],
    ['a regular expression that is none', { guided_regex: '([' }, 'regex'],
    ['a grammar that is none', { structured_outputs: { grammar: 'root ::= a' } }, 'grammar'],
    ['a pattern that is none', { guided_json: { pattern: '([' } }, 'json_schema'],
    ['a keyword that masks cannot keep', { guided_json: { not: {} } }, 'json_schema'],
    ['a model that there is not', { model: 'gpt-4' }, 'model'],
  ])('%s is named', async (_, asked, param) => {
    for (const stream of [false, true]) {
      const isAboutStream = 'stream_options' in asked
      const { status, body } = await ask('/v1/chat/completions', {
        messages: user('x'),
        ...asked,
        ...(!isAboutStream && { stream }),
      })
      expect(status).toBe(param === 'model' ? 404 : 400)
      expect(body.error).toMatchObject({ param, message: expect.stringContaining('expected') })
    }
  })
  it('has its own status before a stream begins, and its own event after', async () => {
    const failing = fakeLm()
    const lm: Lm = {
      ...failing,
      async *generate() {
        yield { text: 'a', tokenIds: [97] }
        throw new Error('secret path /etc')
      },
    }
    const server = createServer(lm)
    const init = {
      method: 'POST',
      body: JSON.stringify({ messages: user('x'), stream: true }),
      headers: { 'content-type': 'application/json' },
    }
    const response = await server.fetch(new Request('http://localhost/v1/chat/completions', init))
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text).toContain('"error":{"message":"The server met an error')
    expect(text).not.toContain('secret')
    expect(server.load).toEqual({ waiting: 0, running: 0 })
  })
  it('is found by the beginning of a text that is megabytes too long', async () => {
    let longest = 0
    const lm = fakeLm({ contextLength: 512 })
    const counting: Lm = {
      ...lm,
      encode: (prompt) => {
        longest = Math.max(longest, JSON.stringify(prompt).length)
        return lm.encode(prompt)
      },
    }
    const { ask } = asking(counting)
    const prompt = 'word '.repeat(500_000)
    for (const [path, asked] of [
      ['/v1/completions', { prompt }],
      ['/v1/chat/completions', { messages: user(prompt) }],
      ['/v1/chat/completions', { messages: Array(2000).fill(user('word '.repeat(300))[0]) }],
      ['/v1/embeddings', { input: prompt }],
    ] as const) {
      const { status, body } = await ask(path, asked)
      expect([status, body.error.code]).toEqual([400, 'context_length_exceeded'])
    }
    expect(longest).toBeLessThan(20_000)
    expect((await ask('/v1/completions', { prompt, truncate_prompt_tokens: 100, max_tokens: 1 })).status).toBe(200)
  })
  it('says what nobody reads, or refuses it on demand', async () => {
    const asked = { messages: user('x'), user: 'me', metadata: {}, tempperature: 1 }
    const { headers } = await ask('/v1/chat/completions', asked)
    expect(headers.get('x-anneal-ignored')).toBe('user, metadata, tempperature')
    const { status, body } = await ask('/v1/chat/completions?strict=1', { messages: user('x'), tempperature: 1 })
    expect([status, body.error.param, body.error.message]).toEqual([
      400,
      'tempperature',
      expect.stringContaining('temperature'),
    ])
  })
  it('says so where two limits are given and one holds', async () => {
    const limited = (limits: object) => ask('/v1/chat/completions', { messages: user('x'), ...limits })
    const both = await limited({ max_tokens: 9, max_completion_tokens: 2 })
    expect([both.headers.get('x-anneal-ignored'), both.body.usage.completion_tokens]).toEqual(['max_tokens', 2])
    expect((await limited({ max_tokens: 2, max_completion_tokens: 2 })).headers.has('x-anneal-ignored')).toBe(false)
    expect((await limited({ max_tokens: 2 })).headers.has('x-anneal-ignored')).toBe(false)
  })
  it.each([
    ['/v1/chat/completions', { prompt: 'x' }, 'messages: expected array, got nothing'],
    ['/v1/completions', { prompt: 'x', max_tokens: '5' }, 'max_tokens: expected number, got string'],
    [
      '/v1/completions',
      { prompt: 'x', response_format: { type: 'json' } },
      "response_format.type: expected one of 'text' | 'json_object' | 'json_schema'",
    ],
    ['/v1/completions', { prompt: 'x', model: 'gpt-4' }, 'model: expected "fake", got "gpt-4"'],
    ['/v1/v1/models', {}, 'path: expected one of this server, got "/v1/v1/models"; /openapi.json lists them'],
  ])('%s with %j is told in the words of the others', async (path, asked, message) => {
    expect((await ask(path, asked)).body.error.message).toBe(message)
  })
  it('is an input by its place', async () => {
    // In the words of the engine, which has other names for them.
    const faults = [
      'sequence 0: expected at most 8 tokens, got 9. Shorten it',
      'sequence 1: expected at most 8 tokens, got 9. Shorten it',
      'text 1: expected at least one token, got an empty text',
    ]
    const lm: Lm = {
      ...fakeLm(),
      embed: async () => {
        throw new UsageError(faults.shift()!)
      },
    }
    const { ask } = asking(lm)
    const [one, many, empty] = [
      await ask('/v1/embeddings', { input: 'a' }),
      await ask('/v1/embeddings', { input: ['a', 'b'] }),
      await ask('/v1/embeddings', { input: ['a', 'b'] }),
    ]
    expect(one.body.error).toMatchObject({ param: 'input', code: 'context_length_exceeded' })
    expect(many.body.error).toMatchObject({ param: 'input[1]', code: 'context_length_exceeded' })
    expect(empty.body.error).toMatchObject({ param: 'input[1]', code: null })
  })
  it('is an adapter that cannot be read, without a word of where it lies', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'anneal-adapters-')))
    mkdirSync(join(folder, 'poet'))
    const lm: Lm = {
      ...fakeLm({ adapters: [] }),
      loadAdapter: async (_, directory) => {
        throw new InputError(`${directory}/adapter_config.json: expected a file, got nothing`)
      },
    }
    const { ask } = asking(lm, { adapterDirectory: folder })
    const { status, body } = await ask('/v1/load_lora_adapter', { lora_name: 'poet', lora_path: 'poet' })
    expect([status, body.error.param, body.error.message]).toEqual([
      400,
      'lora_path',
      'lora_path: poet/adapter_config.json: expected a file, got nothing',
    ])
  })
  it('is a 404 or 405 elsewhere', async () => {
    expect((await ask('/v1/nothing', {})).status).toBe(404)
    const { status, headers } = await ask('/v1/chat/completions')
    expect([status, headers.get('allow')]).toEqual([405, 'POST'])
  })
})

describe('the rest', () => {
  it('lists the model and its adapters, and lets requests name them', async () => {
    const { ask } = asking({ adapters: ['formal'], reply: ({ adapter }) => String(adapter) }, { name: 'org/base' })
    const { body } = await ask('/v1/models')
    expect(body.data.map(({ id, parent, max_model_len }: Answer['body']) => [id, parent, max_model_len])).toEqual([
      ['org/base', null, 4096],
      ['formal', 'org/base', 4096],
    ])
    expect((await ask('/v1/models/org/base')).body.id).toBe('org/base')
    expect((await ask('/v1/models/other')).status).toBe(404)
    const answer = await ask('/v1/chat/completions', { model: 'formal', messages: user('x') })
    expect(answer.body).toMatchObject({ model: 'formal', choices: [{ message: { content: 'formal' } }] })
  })
  it('ranks documents by its own name or that of the model', async () => {
    const reranker = {
      rank: async (_: string, documents: readonly string[]) => ({
        scores: documents.map(({ length }) => length),
        promptTokens: 3,
      }),
    }
    const { ask } = asking({}, { reranker, rerankerName: 'judge' })
    const asked = { query: 'q', documents: ['a', { text: 'ccc' }, 'bb'], top_n: 2 }
    const { body } = await ask('/v1/rerank', asked)
    expect(body).toMatchObject({
      model: 'judge',
      results: [
        { index: 1, document: { text: 'ccc' }, relevance_score: 3 },
        { index: 2, document: { text: 'bb' }, relevance_score: 2 },
      ],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    })
    expect(body.results.length).toBe(2)
    expect((await ask('/v1/rerank', { ...asked, model: 'fake' })).body.model).toBe('fake')
    expect((await ask('/v1/rerank', { ...asked, model: 'other' })).status).toBe(404)
    expect((await ask('/v1/models')).body.data.map(({ id }: Answer['body']) => id)).toEqual(['fake', 'judge'])
    expect((await asking().ask('/v1/rerank', asked)).body.error.code).toBe('no_reranker')
  })
  it('tokenizes, detokenizes, renders', async () => {
    const { ask } = asking()
    expect((await ask('/tokenize', { prompt: 'aé' })).body).toMatchObject({
      count: 2,
      tokens: [97, 233],
      max_model_len: 4096,
    })
    expect((await ask('/detokenize', { tokens: [97, 233] })).body).toEqual({ prompt: 'aé' })
    const rendered = await ask('/apply-template', { messages: user('x') })
    const tokenized = await ask('/tokenize', { messages: user('x') })
    expect(rendered.body.tokens).toEqual(tokenized.body.tokens)
    expect(String.fromCodePoint(...(rendered.body.tokens as number[]))).toBe(rendered.body.prompt)
  })
  it('gives vectors as numbers and as bytes', async () => {
    const { ask } = asking({ vector: () => [3, 4] })
    const { body } = await ask('/v1/embeddings', { input: ['a', 'b'] })
    expect(body.data.map(({ embedding }: Answer['body']) => embedding)).toEqual([
      [expect.closeTo(0.6), expect.closeTo(0.8)],
      [expect.closeTo(0.6), expect.closeTo(0.8)],
    ])
    expect(body.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 })
    const bytes = Buffer.from(
      (await ask('/v1/embeddings', { input: 'a', encoding_format: 'base64' })).body.data[0].embedding,
      'base64',
    )
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([expect.closeTo(0.6), expect.closeTo(0.8)])
    expect((await ask('/v1/embeddings', { input: 'a', dimensions: 1 })).body.data[0].embedding).toEqual([1])
    expect((await ask('/v1/embeddings', { input: 'a', dimensions: 3 })).body.error.param).toBe('dimensions')
  })
  it('has a document of every route', async () => {
    const { body } = await asking().ask('/openapi.json')
    const schema = body.paths['/v1/chat/completions'].post.requestBody.content['application/json'].schema
    expect(schema.properties).toMatchObject({
      temperature: { type: 'number', minimum: 0 },
      messages: { type: 'array' },
    })
    expect(schema.required).toEqual(['messages'])
  })
  it('takes a client that goes away for no fault of its own', async () => {
    const seen: [number, boolean][] = []
    const { server } = asking({}, { rows: 1, log: ({ status, isAborted }) => seen.push([status, isAborted]) })
    const gone = new AbortController()
    const ask = (signal: AbortSignal): Promise<Response> => {
      const init = { method: 'POST', body: '{"prompt":"x"}', headers: { 'content-type': 'application/json' }, signal }
      return server.fetch(new Request('http://localhost/v1/completions', init))
    }
    const answer = ask(gone.signal)
    gone.abort('gone')
    expect((await answer).status).toBe(499)
    expect(seen).toEqual([[499, true]])
    expect(server.load).toEqual({ waiting: 0, running: 0 })
  })
  it('gives up the place of a client that goes away before its stream begins', async () => {
    const gone = new AbortController()
    const { server } = asking({
      reply: () => {
        gone.abort()
        return 'abc'
      },
    })
    const body = JSON.stringify({ messages: user('x'), stream: true })
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' }, signal: gone.signal }
    const response = await server.fetch(new Request('http://localhost/v1/chat/completions', init))
    await response.text()
    await server.drain()
    expect(server.load.running).toBe(0)
  })
  it('says that it lives and is ready until it drains, and ends what was begun', async () => {
    const routes: string[] = []
    const { server, ask } = asking({}, { log: ({ route }) => void routes.push(route) })
    expect([(await ask('/health')).status, (await ask('/ready')).status, (await ask('/')).status]).toEqual([
      200, 200, 200,
    ])
    expect(routes).toEqual(['/health', '/ready', '/'])
    await server.drain()
    expect([(await ask('/health')).status, (await ask('/ready')).status]).toEqual([200, 503])
    expect((await ask('/v1/chat/completions', { messages: user('x') })).status).toBe(503)
  })
})
