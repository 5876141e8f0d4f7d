// What other servers' users complained about, and what an attack on this one found.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { GenerateRequest, Lm } from '../lm/lm.ts'
import { createServer, type ServerOptions } from './server.ts'

// biome-ignore lint/suspicious/noExplicitAny: whatever came
type Json = any

function asking(lm: Lm | FakeLmOptions = {}, options: ServerOptions = {}) {
  const server = createServer('generate' in lm ? lm : fakeLm(lm), options)
  return async (path: string, body: object): Promise<{ status: number; body: Json }> => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await server.fetch(new Request(`http://localhost/v1/${path}`, init))
    const text = await response.text()
    if (!text.startsWith('data: ')) return { status: response.status, body: JSON.parse(text) }
    const events = text.split('\n\n').filter((event) => event.startsWith('data: {'))
    return { status: response.status, body: events.map((event) => JSON.parse(event.slice(6)) as unknown) }
  }
}

const user = [{ role: 'user', content: 'hi' }]

describe('an echoed prompt', () => {
  it('that is cut is the part that was read, as are its tokens', async () => {
    const asked = { prompt: 'abcd', truncate_prompt_tokens: 2, echo: true, logprobs: 0, max_tokens: 1 }
    const { body } = await asking({ reply: () => 'x' })('completions', asked)
    expect(body.choices[0]).toMatchObject({
      text: 'cdx',
      logprobs: { tokens: ['c', 'd', 'x'], text_offset: [0, 1, 2] },
    })
  })
  it('has no half of a surrogate pair, as the model reads none', async () => {
    const { body } = await asking({ reply: () => 'x' })('completions', { prompt: 'a\ud83d', echo: true })
    expect(body.choices[0].text).toBe('a\ufffdx')
  })
})

describe('usage', () => {
  it('has the length of the prompt from the first chunk on', async () => {
    const ask = asking({ reply: () => 'abc' })
    const asked = { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } }
    for (const [path, what] of [
      ['chat/completions', { messages: user }],
      ['completions', { prompt: ['hi', 'you'], n: 2 }],
    ] as const) {
      const { body } = await ask(path, { ...asked, ...what })
      const counts: number[] = body.map(({ usage }: Json) => usage.prompt_tokens)
      expect(new Set(counts)).toEqual(new Set([body.at(-1).usage.prompt_tokens]))
      expect(counts[0]).toBeGreaterThan(0)
    }
    // And what was cached is what the first text of the prompt found.
    const { body } = await ask('completions', { ...asked, prompt: 'hi' })
    expect(body.at(-1).usage.prompt_tokens_details.cached_tokens).toBe(1)
  })
})

describe('seeds', () => {
  it('at the ends of their range have others behind them', async () => {
    const seen: unknown[] = []
    const ask = asking({ reply: ({ seed }) => `${seen.push(seed)}` })
    for (const path of ['completions', 'chat/completions'])
      for (const seed of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, -1])
        expect((await ask(path, { prompt: 'a', messages: user, n: 2, seed })).status).toBe(200)
    const expected = [2 ** 53 - 1, 0, 1, 2, 2 ** 53 - 1, 0]
    expect(seen).toEqual([...expected, ...expected])
  })
})

describe('null', () => {
  it('in a tool is not read by the model', async () => {
    const seen: GenerateRequest[] = []
    const echo = fakeLm({ reply: (request) => `${seen.push(request)}` })
    const chatTemplate = '<tool_call>{{ tools }}'
    const tools = [{ type: 'function', function: { name: 'f', description: null, parameters: null, strict: null } }]
    const ask = asking({ ...echo, chatTemplate })
    expect((await ask('chat/completions', { messages: user, tools })).status).toBe(200)
    expect(JSON.stringify(seen[0])).toContain('"tools":[{"type":"function","function":{"name":"f"}}]')
  })
  it('in structured_outputs is what was not meant', async () => {
    const structured_outputs = { json: null, regex: null, choice: ['b'], grammar: null, json_object: null }
    const { body } = await asking({ reply: () => 'b' })('completions', { prompt: 'a', structured_outputs })
    expect(body.choices[0].text).toBe('b')
  })
  it('as a content is empty, but beside calls', async () => {
    const ask = asking({ reply: (request) => JSON.stringify((request as { messages: unknown }).messages) })
    const messages = [{ role: 'user', content: null }, { role: 'assistant' }, { role: 'user', content: [] }]
    const { body } = await ask('chat/completions', { messages })
    expect(JSON.parse(body.choices[0].message.content).map(({ content }: Json) => content)).toEqual(['', '', ''])
  })
})

describe('an error', () => {
  it('of a list is about the item or the length that is wrong', async () => {
    const ask = asking()
    const fault = async (path: string, body: object): Promise<string> => (await ask(path, body)).body.error.message
    expect(await fault('completions', { prompt: ['a', [1]] })).toMatch(/^prompt\[1\]: expected string/)
    expect(await fault('completions', { prompt: [1, 'a'] })).toMatch(/^prompt\[1\]: expected number/)
    expect(await fault('embeddings', { input: Array.from({ length: 2049 }, () => 'a') })).toMatch(/^input: .*2048/)
    expect(await fault('completions', { prompt: [] })).toMatch(/^prompt: expected .*1/)
  })
})

it('numbers in the schema of a tool are read by the model as they were written', async () => {
  const server = createServer({ ...fakeLm(), chatTemplate: '<tool_call>{{ tools }}' })
  const tool = '{"type":"function","function":{"name":"f","parameters":{"type":"object","maximum":1000.0}}}'
  const body = `{"messages":[{"role":"user","content":"hi"}],"tools":[${tool}]}`
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
  const response = await server.fetch(new Request('http://localhost/apply-template', init))
  expect(((await response.json()) as Json).prompt).toContain('"maximum": 1000.0')
})

describe('much of something', () => {
  it('is decoded by what differs in it', async () => {
    const lm = fakeLm()
    let decoded = 0
    const decode: Lm['decode'] = (ids) => {
      if (ids.length === 1) decoded++
      return lm.decode(ids)
    }
    const { body } = await asking({ ...lm, decode })('detokenize', { tokens: Array(5000).fill(97) })
    expect([body.prompt.length, decoded]).toEqual([5000, 1])
  })
  it('is refused where nobody means it', async () => {
    const chat_template_kwargs = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`k${i}`, i]))
    const { status, body } = await asking()('chat/completions', { messages: user, chat_template_kwargs })
    expect([status, body.error.param]).toEqual([400, 'chat_template_kwargs'])
  })
})

describe('adapters', () => {
  it('are not loaded through links out of the directory', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'anneal-links-'))
    try {
      const inside = join(outside, 'adapters')
      for (const name of ['good', 'bad', 'linked']) mkdirSync(join(inside, name), { recursive: true })
      writeFileSync(join(outside, 'secret'), 'root:x:0:0')
      writeFileSync(join(inside, 'good', 'adapter_config.json'), '{}')
      symlinkSync(join(inside, 'good', 'adapter_config.json'), join(inside, 'linked', 'adapter_config.json'))
      symlinkSync(join(outside, 'secret'), join(inside, 'bad', 'adapter_config.json'))
      const ask = asking({}, { adapterDirectory: inside })
      const statuses: number[] = []
      for (const lora_path of ['good', 'linked', 'bad'])
        statuses.push((await ask('load_lora_adapter', { lora_name: lora_path, lora_path })).status)
      expect(statuses).toEqual([200, 200, 400])
    } finally {
      rmSync(outside, { recursive: true })
    }
  })
})
