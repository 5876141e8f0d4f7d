// Services that send what they should not: each gives an answer or one clear error, soon, without a secret in it.

import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../execute/agent.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { ServiceError } from './dialect.ts'
import { trace } from './trace.ts'

const events = (...all: unknown[]): string =>
  all.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('')
const end = { choices: [{ delta: {}, finish_reason: 'stop' }] }
const delta = (one: object): object => ({ choices: [{ delta: one }] })

/** A service that says these, one after another, the last one again and again. */
function service(bodies: readonly (string | ReadableStream | (() => Response))[], more: Partial<ConnectOptions> = {}) {
  const asked: { url: string; body: Record<string, unknown> }[] = []
  const model = connect('http://host/v1/?version=7', {
    model: 'm',
    key: 'k',
    retries: 0,
    fetch: async (url, { body }) => {
      asked.push({ url, body: JSON.parse(String(body)) as Record<string, unknown> })
      const one = bodies[Math.min(asked.length, bodies.length) - 1]!
      return typeof one === 'function' ? one() : new Response(one)
    },
    ...more,
  })
  return { model, asked }
}

describe('a stream', () => {
  it.each([
    ['null', 'null'],
    ['a call that is null', delta({ tool_calls: [null] })],
    ['a number as text', delta({ content: 5 })],
  ])('with %s is an error of the service', async (_, event) => {
    await expect(service([events(event, end)]).model.ask('x')).rejects.toThrow(ServiceError)
  })
  it('may have null for counts and further tokens, and arguments as an object', async () => {
    const token = { token: 'a', logprob: -1, top_logprobs: null }
    const { calls } = await trace(() =>
      service([
        events(
          { choices: [{ delta: { content: 'a' }, logprobs: { content: [token] } }] },
          delta({ tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: { a: 1 } } }] }),
          { choices: [], usage: { prompt_tokens: null, completion_tokens: null } },
          end,
        ),
      ]).model.ask('x'),
    )
    expect(calls[0]!.answer).toMatchObject({
      usage: { promptTokens: 0, completionTokens: 0 },
      tokens: [{ token: 'a', top: [] }],
      toolCalls: [{ name: 'f', arguments: '{"a":1}' }],
    })
  })
  it('may have its text in parts, with thoughts among them', async () => {
    const parts = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
      { type: 'text', text: 'yes' },
    ]
    const { value, calls } = await trace(() => service([events(delta({ content: parts }), end)]).model.ask('x'))
    expect([value, calls[0]!.answer!.reasoning]).toEqual(['yes', 'hm'])
  })
  it('may have any character of JSON within its lines', async () => {
    expect(await service([events(delta({ content: 'a\u2028b\u2029c\u0085d' }), end)]).model.ask('x')).toBe(
      'a\u2028b\u2029c\u0085d',
    )
  })
  it('that says far more than was asked for, and does not end, is given up', async () => {
    let sent = 0
    const piece = new TextEncoder().encode(events(delta({ content: 'word '.repeat(20_000) })))
    const endless = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent++
            controller.enqueue(piece)
          },
        }),
      )
    await expect(service([endless]).model.ask('x', { maxTokens: 50 })).rejects.toThrow(
      /expected an answer of at most 50 tokens, got 1\d{6} characters and no end/,
    )
    expect(sent).toBeLessThan(30)
  })
  it('is looked at once, however long a line is', async () => {
    const content = 'x'.repeat(8 << 20)
    const bytes = Buffer.from(events(delta({ content }), end))
    let at = 0
    let slices = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close()
        slices++
        controller.enqueue(bytes.subarray(at, at + 4096))
        at += 4096
      },
    })
    expect((await service([body]).model.ask('x')).length).toBe(content.length)
    expect(slices).toBe(Math.ceil(bytes.length / 4096))
  })
  it('that is none is told, an error as what it is, a whole answer not asked for again', async () => {
    const refused = service([JSON.stringify({ error: { message: 'no such model' } })], { retries: 3 })
    await expect(refused.model.ask('x')).rejects.toThrow('no such model')
    const whole = service([JSON.stringify({ choices: [{ message: { content: 'hi' } }] })], { retries: 3 })
    await expect(whole.model.ask('x')).rejects.toThrow(/expected events, got {"choices"/)
    expect([refused.asked.length, whole.asked.length]).toEqual([1, 1])
  })
})

describe('an address', () => {
  it('keeps its query behind the path, and out of errors', async () => {
    const { model, asked } = service([events(end), () => new Response('no', { status: 400 })])
    await model.ask('x')
    expect(asked[0]!.url).toBe('http://host/v1/chat/completions?version=7')
    await expect(model.ask('x')).rejects.toThrow('http://host/v1/chat/completions: expected an answer, got HTTP 400 no')
  })
  it('has no password, a key no line end, and neither is told', () => {
    const of = (url: string, more: Partial<ConnectOptions> = {}) => () => connect(url, { model: 'm', ...more }) // biome-ignore format: a line
    expect(of('http://user:pass@host')).toThrow(/^(?!.*pass@).*without a user and a password/)
    expect(of('http://host', { key: 'sk-sec\nret' })).toThrow(/^key: (?!.*sec)/)
    expect(of('http://host', { key: 'k', headers: { 'x-a': 'sec\0ret' } })).toThrow(/^headers: x-a: (?!.*sec)/)
  })
  it.each([0, -1, Number.NaN, 3e6, Number.POSITIVE_INFINITY])('has no timeout of %s', (timeoutSeconds) => {
    expect(() => connect('http://host', { model: 'm', timeoutSeconds })).toThrow(/timeoutSeconds: expected/)
  })
})

it('an error whose text does not end is told with what came', async () => {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('oops')) })
  const { model } = service([() => new Response(body, { status: 500 })], { timeoutSeconds: 0.05 })
  await expect(model.ask('x')).rejects.toThrow('got HTTP 500 oops')
})

it('arguments that are no object go back to Anthropic in one', async () => {
  const called = (json: string) =>
    events(
      { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'f' } },
      { type: 'content_block_delta', index: 0, delta: { partial_json: json } },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' } },
    )
  const done = events({ type: 'content_block_delta', delta: { text: 'done' } }, { type: 'message_delta', delta: { stop_reason: 'end_turn' } }) // biome-ignore format: a line
  for (const json of ['{"a": ', '5']) {
    const { model, asked } = service([called(json), done], { dialect: 'anthropic' })
    const one = tool({ name: 'f', description: '', input: z.object({ a: z.number() }), run: () => 1 })
    expect(await agent(model, { tools: [one], budget: { steps: 3 } }).ask('x')).toBe('done')
    expect((asked[1]!.body.messages as { content: unknown }[])[1]!.content).toMatchObject([
      { type: 'tool_use', input: { arguments: json } },
    ])
  }
})
