// A server before a real engine, and clients that do everything but behave: whatever they do, nothing is left of it.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { Engine } from '../src/infer/engine.ts'
import { listen } from '../src/serve/listen.ts'
import { createServer } from '../src/serve/server.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from './tiny-model.ts'

const { directory, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
const engine = new Engine({ model: loadDecoder(directory), tokenizer: await Tokenizer.fromDirectory(directory) })
const server = createServer(engine, { hostname: '127.0.0.1', rows: 6, waiting: 40 })
const listening = await listen(server, { port: 0 })
afterAll(async () => {
  await listening.close(5)
  engine.free()
  remove()
})

/** Sends a request on a connection of its own. */
function send(path: string, body: unknown): { request: ClientRequest; response: Promise<IncomingMessage> } {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const request = httpRequest(`${listening.url}${path}`, { method: 'POST', headers, agent: false })
  const response = once(request, 'response').then(([message]) => message as IncomingMessage)
  response.catch(() => {})
  request.on('error', () => {})
  request.end(text)
  return { request, response }
}

/** Whether a made-up value can be sent at all. */
function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}

async function ask(path: string, body: unknown): Promise<{ status: number; text: string }> {
  const response = await send(path, body).response
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode!, text }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(2)
}

const isIdle = (): boolean => {
  const { waiting, running } = server.load
  const { load } = engine
  return waiting + running + load.waiting + load.running + load.usedBlocks === 0
}

const health = async (): Promise<number> => (await fetch(`${listening.url}/health`)).status

const text = (length: number): string => 'once upon a time '.repeat(Math.ceil(length / 17)).slice(0, length)
const { contextLength } = engine
/** Nothing ends it before. */
const endless = { ignore_eos: true, max_tokens: 150, prompt: 'a' }

describe('clients that go away', () => {
  it('in the queue, at the prompt, at the first and at later tokens leave nothing', async () => {
    const bodies = [
      (): object => ({ ...endless, stream: true }),
      (): object => ({ ...endless, n: 1 + randomInt(4) }),
      (): object => ({ ...endless, stream: true, n: 1 + randomInt(6), logprobs: 2 }),
      (): object => ({ prompt: text(contextLength - 10), max_tokens: 4, echo: true, logprobs: 1 }),
      (): object => ({ prompt: text(contextLength - 40), max_tokens: 16, stream: true, priority: randomInt(3) }),
      (): object => ({ prompt: 'a', max_tokens: 99, structured_outputs: { regex: '[ab]{10,200}' }, stream: true }),
    ]
    const ends = { early: 0, soon: 0, head: 0, piece: 0, whole: 0 }
    const one = async (i: number): Promise<void> => {
      const { request, response } = send('/v1/completions', bodies[i % bodies.length]!())
      const leave = (phase: keyof typeof ends): void => {
        ends[phase]++
        request.destroy()
      }
      if (i % 5 === 0) {
        await pause(i % 7)
        leave('early')
        return
      }
      const message = await Promise.race([response, ...(i % 5 === 1 ? [pause(20)] : [])])
      if (message === undefined || i % 5 <= 2) {
        leave(message === undefined ? 'soon' : 'head')
        return
      }
      let pieces = 0
      for await (const _ of message)
        if (i % 5 === 3 && ++pieces > i % 9) {
          leave('piece')
          return
        }
      expect([200, 429]).toContain(message.statusCode)
      ends.whole++
    }
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < 200) await one(next++)
    }
    await Promise.all(Array.from({ length: 12 }, worker))
    expect(Math.min(...Object.values(ends))).toBeGreaterThan(0)
    await until(isIdle)
    expect(await health()).toBe(200)
    expect((await ask('/v1/completions', { prompt: 'a', max_tokens: 2 })).status).toBe(200)
  })

  it('leave their place to the others', async () => {
    const running = Array.from({ length: 6 }, () => send('/v1/completions', { ...endless, stream: true }))
    await Promise.all(running.map(({ response }) => response))
    const waiting = Array.from({ length: 5 }, (_, i) => send('/v1/completions', { ...endless, stream: i % 2 === 0 }))
    await until(() => server.load.waiting === 5)
    for (const { request } of waiting) request.destroy()
    await until(() => server.load.waiting === 0)
    const last = ask('/v1/completions', { prompt: 'a', max_tokens: 1 })
    for (const { request } of running) request.destroy()
    expect((await last).status).toBe(200)
    await until(isIdle)
  })

  it('at a long prompt stop it from being read to its end', async () => {
    const body = { prompt: text(contextLength - 10), max_tokens: 1 }
    const begun = vi.spyOn(engine, 'generate')
    const requests = Array.from(
      { length: 40 },
      (_, i) => send('/v1/completions', { ...body, cache_salt: `${i}` }).request,
    )
    await until(() => begun.mock.calls.length > 0)
    for (const request of requests) request.destroy()
    await until(isIdle)
    begun.mockRestore()
  })
})

// biome-ignore lint/suspicious/noExplicitAny: whatever is no schema
type Json = any

const nested = (depth: number, wrap: (inner: Json) => Json, inner: Json = { type: 'string' }): Json =>
  Array.from({ length: depth }).reduce<Json>(wrap, inner)

/** A schema that is small, and 2^depth times as large once its references are followed. */
function doubled(depth: number, twice: (ref: Json) => Json): Json {
  const names = Array.from({ length: depth }, (_, i) => [
    `d${i}`,
    i === 0 ? { type: 'null' } : twice({ $ref: `#/$defs/d${i - 1}` }),
  ])
  return { $defs: Object.fromEntries(names), $ref: `#/$defs/d${depth - 1}` }
}

/** Schemas that ask for too much, lead in a circle, or are none. */
const SCHEMAS: Json[] = [
  true,
  false,
  {},
  { type: 'strnig' },
  { type: ['string', 'null', 'x'] },
  { type: {} },
  { $ref: '#' },
  { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
  { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } } },
  { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/a' }, { type: 'string' }] } } },
  { $ref: '#/$defs/a', $defs: { a: { type: 'array', items: { $ref: '#/$defs/a' }, minItems: 1 } } },
  { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, required: ['a'] } } },
  { $ref: '#/__proto__/a' },
  { $ref: '#/constructor/prototype' },
  { $ref: '#/$defs/~0~1~2%00', $defs: {} },
  { $ref: 'file:///etc/passwd' },
  { $ref: 'https://example.org/schema' },
  { $ref: 5 },
  { $ref: '' },
  nested(31, (items) => ({ type: 'array', items })),
  nested(100, (items) => ({ type: 'array', items })),
  doubled(40, (a) => ({ anyOf: [a, a] })),
  doubled(40, (a) => ({ allOf: [a, a] })),
  doubled(25, (a) => ({ oneOf: [a, { type: 'array', items: a }] })),
  doubled(25, (a) => ({ type: 'object', properties: { a, b: a }, required: ['a', 'b'] })),
  nested(7, (inner) => ({ anyOf: [inner, inner, { type: 'null' }] })),
  nested(30, (not) => ({ not })),
  { type: 'string', minLength: 1e9 },
  { type: 'string', maxLength: 1e300 },
  { type: 'string', minLength: -1 },
  { type: 'string', minLength: 5, maxLength: 2 },
  { type: 'string', minLength: 100_000, maxLength: 100_000 },
  { type: 'string', minLength: 0.5 },
  { type: 'string', minLength: Number.MAX_SAFE_INTEGER },
  { type: 'array', minItems: 1e9 },
  {
    type: 'array',
    minItems: 10_000,
    items: { type: 'array', minItems: 10_000, items: { type: 'array', minItems: 9999 } },
  },
  { type: 'array', prefixItems: Array.from({ length: 5000 }, () => ({ type: 'integer' })) },
  { type: 'array', uniqueItems: true, items: { enum: [1, 2] }, minItems: 5 },
  { type: 'integer', minimum: -1e308, maximum: 1e308 },
  { type: 'integer', minimum: 1e308, maximum: -1e308 },
  { type: 'integer', minimum: 10, maximum: 5 },
  { type: 'integer', multipleOf: 0 },
  { type: 'integer', multipleOf: 1e-300 },
  { type: 'number', minimum: 0.1, maximum: 0.1000000000000001 },
  { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 5e-324 },
  { enum: [] },
  { enum: Array.from({ length: 20_000 }, (_, i) => `value ${i}`) },
  { enum: ['a'.repeat(60_000)] },
  { const: nested(30, (inner) => [inner], 1) },
  { const: '\ud800' },
  { enum: ['\u0000', '\u2028', '\ud83d'] },
  { type: 'object', required: ['__proto__', 'constructor'] },
  {
    type: 'object',
    properties: { constructor: { type: 'string' }, toString: { const: 1 } },
    required: ['constructor'],
  },
  { type: 'object', properties: { hasOwnProperty: { enum: [null] } }, required: ['hasOwnProperty', 'valueOf'] },
  {
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, { type: 'null' }])),
  },
  {
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, { type: 'string' }])),
    required: Array.from({ length: 300 }, (_, i) => `k${i}`),
  },
  { type: 'object', minProperties: 1e6 },
  { type: 'object', additionalProperties: { $ref: '#' } },
  { type: 'object', patternProperties: { '(a+)+$': {} } },
  { type: 'object', propertyNames: { pattern: '^(a|aa)+$' }, minProperties: 3 },
  { type: 'object', dependentSchemas: { a: { $ref: '#' } } },
  { if: { $ref: '#' }, else: {} },
  { format: 'date-time', type: 'string' },
  { format: '../../x', type: 'string' },
  { $schema: 'http://json-schema.org/draft-04/schema#', id: 'x', type: 'string' },
  { $dynamicRef: '#x' },
  { unevaluatedProperties: false },
  { contentEncoding: 'base64', type: 'string' },
  { type: 'string', pattern: 5 },
  { properties: [] },
  { properties: 'a', type: 'object' },
  { items: [], type: 'array' },
  { anyOf: {} },
  { anyOf: [] },
  { allOf: [{ type: 'string' }, { type: 'number' }] },
  { $defs: { toString: {} }, $ref: '#/$defs/toString' },
]

/** Patterns that make an engine that backtracks hang, or count to a billion, or are none. */
const PATTERNS: string[] = [
  '(a+)+$',
  '(a|aa)+$',
  '(a*)*b',
  '(.*a){25}',
  '(x+x+)+y',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  '((a{0,100}){0,100}){0,100}',
  '(((a{1,50}){1,50}){1,50}){1,50}',
  'a{1000000000}',
  'a{99999999999999999999}',
  'a{0,2147483648}',
  'a{5,2}',
  '(a{500}){500}',
  '[ab]*a[ab]{20}',
  '[ab]*a[ab]{400}',
  '(?:[^b]*b){30}',
  '.{5000}',
  '\\p{L}{500}',
  '[\\u{0}-\\u{10ffff}]{300}',
  '(',
  ')',
  '[',
  '[z-a]',
  '[]',
  '[^]',
  '*',
  '+a',
  'a**',
  '\\',
  '\\x',
  '\\u{110000}',
  '\\ud800',
  '\\1(a)',
  '(?<n>a)\\k<n>',
  '(?=a)b',
  '(?!a)b',
  '(?<=a)b',
  '(?<a',
  '(?P<a>b)',
  '\\b\\B',
  '$^',
  '(?i)a',
  '(?:)',
  '',
  '|',
  '(|)*',
  '(()*)*',
  `${'('.repeat(10_000)}a${')'.repeat(10_000)}`,
  `${'(?:'.repeat(300)}a${')*'.repeat(300)}`,
  `${'a|'.repeat(20_000)}a`,
  'a'.repeat(60_000),
  `[${'a-z'.repeat(20_000)}]`,
  '\u0000\u2028\ud800',
  '[\ud83d\ude00-\ud83d\udeff]+',
  '(?:a?){200}a{200}',
  '(a?b?c?d?e?f?g?h?){40}',
]

const GRAMMARS: string[] = [
  '',
  'root',
  'root ::=',
  'root ::= root',
  'root ::= root root | "a"',
  'root ::= a\na ::= b\nb ::= a',
  'root ::= "a" root | root "a" | "a"',
  'root ::= (root? root?)* "a"',
  'root ::= missing',
  'root ::= "a"{1000000000}',
  `root ::= ${'('.repeat(5000)}"a"${')'.repeat(5000)}`,
  `root ::= ${'"a" | '.repeat(10_000)}"b"`,
  Array.from({ length: 3000 }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`).join('\n'),
  'root ::= [z-a]',
  'root ::= "unclosed',
  'root ::= "\\x',
  'root ::= /(/',
  '__proto__ ::= "a"\nroot ::= __proto__',
  'root ::= constructor\nconstructor ::= toString\ntoString ::= "a"',
  'root ::= s\ns ::= s s s | ""',
]

describe('structures of no good will', () => {
  const tried = new Map<number, number>()
  const attempt = async (structure: object, maxTokens = 12): Promise<void> => {
    const body = { prompt: 'a', max_tokens: maxTokens, seed: 1, temperature: 1, ...structure }
    const { status, text } = await ask('/v1/completions', body)
    expect([200, 400], `${text.slice(0, 300)} ${JSON.stringify(structure).slice(0, 300)}`).toContain(status)
    expect(text).not.toContain('server_error')
    tried.set(status, (tried.get(status) ?? 0) + 1)
  }
  /** Looks meanwhile whether the server still answers. */
  const watched = async (work: Promise<void>): Promise<void> => {
    let isOver = false
    const watch = async (): Promise<void> => {
      while (!isOver) {
        expect(await health()).toBe(200)
        await pause(10)
      }
    }
    const over = work.finally(() => {
      isOver = true
    })
    await Promise.all([over, watch()])
    await until(isIdle)
  }

  it('get answers or 400s, and the server goes on meanwhile', async () => {
    const all = async (): Promise<void> => {
      for (const json of SCHEMAS) {
        await attempt({ structured_outputs: { json } }, 60)
        await attempt({ response_format: { type: 'json_schema', json_schema: { name: 'a', schema: json } } })
      }
      for (const pattern of PATTERNS) {
        await attempt({ structured_outputs: { regex: pattern } }, 60)
        await attempt({ structured_outputs: { json: { type: 'string', pattern } } })
      }
      for (const grammar of GRAMMARS) await attempt({ structured_outputs: { grammar } }, 60)
    }
    await watched(all())
    // Not all of them are refused, nor all let through.
    expect(Math.min(tried.get(200)!, tried.get(400)!)).toBeGreaterThan(20)
  })

  it('do so as the arguments of tools', async () => {
    const seen = new Set<number>()
    const all = async (): Promise<void> => {
      for (const [i, parameters] of SCHEMAS.entries()) {
        const tool = { type: 'function', function: { name: 'f', parameters } }
        const chat = { messages: [{ role: 'user', content: 'a' }], max_tokens: 60, seed: 1, stream: i % 2 === 0 }
        const tool_choice = ['required', 'auto', { type: 'function', function: { name: 'f' } }][i % 3]
        const { status, text } = await ask('/v1/chat/completions', { ...chat, tools: [tool], tool_choice })
        expect([200, 400], `${text.slice(0, 300)} ${JSON.stringify(parameters)?.slice(0, 300)}`).toContain(status)
        expect(text).not.toContain('server_error')
        seen.add(status)
      }
    }
    await watched(all())
    expect(seen).toEqual(new Set([200, 400]))
  })

  it('do so at random, too', async () => {
    const word = fc.constantFrom(
      ...['type', 'properties', 'items', 'anyOf', 'allOf', '$ref', '$defs', 'enum', 'const', 'pattern', 'minLength'],
      ...['required', 'additionalProperties', 'minItems', 'maximum', 'not', 'if', 'format', 'toString', 'oneOf'],
    )
    const leaf = fc.oneof(
      fc.constantFrom(
        'string',
        'integer',
        'object',
        'array',
        '#',
        '#/$defs/a',
        '(a|b)*',
        true,
        false,
        null,
        {},
        [],
        -1,
      ),
      fc.double(),
      fc.string({ maxLength: 8 }),
    )
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('object'), tie('list')),
      object: fc.dictionary(word, tie('schema'), { maxKeys: 4 }),
      list: fc.array(tie('schema'), { maxLength: 4 }),
    }))
    const characters = [...'ab01^$.*+?()[]{}|\\,-:=!<>/dwspPukx', '{2,5}', '(?:', '\\p{L}', '\\u{1f600}', 'é']
    const pattern = fc.string({ unit: fc.constantFrom(...characters), maxLength: 24 })
    const rule = fc.constantFrom('root', 'a', '"a"', '"b"', '[a-z]', '(', ')', '|', '*', '+', '?', '{2,9}', '::=', '\n')
    const grammar = fc.array(rule, { maxLength: 14 }).map((parts) => `root ::= ${parts.join(' ')}`)
    const structure = fc.oneof(
      schema.map((json) => ({ structured_outputs: { json } })),
      fc.object().map((json) => ({ structured_outputs: { json } })),
      pattern.map((regex) => ({ structured_outputs: { regex } })),
      grammar.map((text) => ({ structured_outputs: { grammar: text } })),
      fc.array(fc.string(), { maxLength: 3 }).map((choice) => ({ structured_outputs: { choice } })),
      fc.anything().map((anything) => ({ response_format: anything })),
      fc.anything().map((anything) => ({ structured_outputs: anything })),
    )
    const property = fc.asyncProperty(structure.filter(isJson), (value) => attempt(value))
    await watched(fc.assert(property, { numRuns: 300, endOnFailure: true }))
  })
})

describe('bodies of no good will', () => {
  it('get 400s', async () => {
    const member = fc.constantFrom(
      ...[
        'prompt',
        'max_tokens',
        'n',
        'stop',
        'logit_bias',
        'seed',
        'temperature',
        'top_p',
        'top_k',
        'echo',
        'logprobs',
      ],
      ...['stream', 'messages', 'tools', 'tool_choice', 'model', 'stop_token_ids', 'allowed_token_ids', 'bad_words'],
      ...['priority', 'cache_salt', 'prompt_lookup', 'min_tokens', 'logprob_token_ids', 'truncate_prompt_tokens'],
    )
    const value = fc.oneof(
      fc.constantFrom(-1, 0, 1, 1e308, 2 ** 53, null, true, 'a', '', [], {}, [[]], [1]),
      fc.anything(),
    )
    const body = fc
      .dictionary(member, value, { maxKeys: 4 })
      .chain((fields) =>
        fc.constantFrom(
          { prompt: 'a', max_tokens: 2, ...fields },
          { messages: [{ role: 'user', content: 'a' }], max_tokens: 2, ...fields },
          fields,
        ),
      )
      .filter(isJson)
    const paths = [
      '/v1/completions',
      '/v1/chat/completions',
      '/v1/embeddings',
      '/v1/rerank',
      '/tokenize',
      '/detokenize',
    ]
    const property = fc.asyncProperty(body, fc.constantFrom(...paths), async (fields, path) => {
      const { status, text } = await ask(path, fields)
      const what = `${path} ${JSON.stringify(fields).slice(0, 500)} ${text.slice(0, 300)}`
      expect([200, 400, 404, 501], what).toContain(status)
    })
    await fc.assert(property, { numRuns: 300, endOnFailure: true })
    await until(isIdle)
  })
})
