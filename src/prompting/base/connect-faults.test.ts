// Services that fail, dawdle, or speak the dialect their own way: what trackers of other frameworks have reports of.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { collectAnswer } from './collect-answer.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { ServiceError } from './dialect.ts'
import type { ModelAnswer } from './model-call.ts'
import { Pace } from './pace.ts'
import { trace } from './trace.ts'

type Reply = (response: ServerResponse, request: IncomingMessage) => void | Promise<void>

const replies = new Map<string, { all: Reply[]; asked: number }>()
const server = createServer((request, response) => {
  const mine = replies.get(request.url!.split('/')[1]!)!
  const reply = mine.all[Math.min(mine.asked++, mine.all.length - 1)]!
  request.resume()
  void reply(response, request)
})
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** A model behind a real socket that answers so, one call after another. */
function service(all: Reply[], more: Partial<ConnectOptions> = {}) {
  const name = `s${replies.size}`
  const mine = { all, asked: 0 }
  replies.set(name, mine)
  return { model: connect(`http://127.0.0.1:${port}/${name}`, { model: 'm', key: 'k', ...more }), mine }
}

const line = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`
const delta = (content: string): string => line({ choices: [{ delta: { content } }] })
const END = `${line({ choices: [{ delta: {}, finish_reason: 'stop' }] })}data: [DONE]\n\n`
const good: Reply = (response) => void response.end(delta('hi') + END)
const refusing =
  (status: number, headers: Record<string, string> = { 'retry-after': '0' }): Reply =>
  (response) =>
    void response.writeHead(status, headers).end('busy')
const calls =
  (...chunks: unknown[]): Reply =>
  (response) =>
    void response.end(
      chunks.map((tool_calls) => line({ choices: [{ delta: { tool_calls } }] })).join('') +
        line({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] }),
    )
const asked = (reply: Reply): Promise<ModelAnswer> =>
  collectAnswer(service([reply]).model.answer({ messages: [{ role: 'user', content: 'x' }] }))

describe('a service that fails', () => {
  it('is tried again after 408, 409, 429 and 500s, and not after 400, 401, 402, 404 or 422', async () => {
    for (const status of [408, 409, 429, 500, 502, 503, 529]) {
      const { model, mine } = service([refusing(status), good])
      expect(await model.ask('x')).toBe('hi')
      expect(mine.asked).toBe(2)
    }
    for (const status of [400, 401, 402, 403, 404, 422]) {
      const { model, mine } = service([refusing(status), good])
      await expect(model.ask('x')).rejects.toMatchObject({ status })
      expect(mine.asked).toBe(1)
    }
  })
  it('is waited for as long as it says, in seconds or until a date', async () => {
    const date = new Date(Date.now() - 5000).toUTCString() // is over: no wait
    const { model } = service([refusing(429, { 'retry-after': date }), refusing(503, { 'retry-after': '0' }), good])
    const { calls: made } = await trace(() => model.ask('x'))
    expect(made[0]!.notes).toEqual([
      { by: 'connect', retried: expect.stringContaining('HTTP 429') as string, waited: 0, places: 4 },
      { by: 'connect', retried: expect.stringContaining('HTTP 503') as string, waited: 0, places: 4 },
    ])
  })
  it('is tried again for an error within the stream, but not behind what was given out, nor for a wrong request', async () => {
    const overloaded = line({ error: { type: 'overloaded_error', message: 'Overloaded' } })
    const first = service([(response) => void response.end(overloaded), good], { retries: 1 })
    expect(await first.model.ask('x')).toBe('hi')
    const late = service([(response) => void response.end(delta('a') + overloaded), good])
    await expect(late.model.ask('x')).rejects.toMatchObject({ status: 529 })
    const wrong = service([(response) => void response.end(line({ error: { message: 'no such field' } })), good])
    await expect(wrong.model.ask('x')).rejects.toThrow('no such field')
    expect([first.mine.asked, late.mine.asked, wrong.mine.asked]).toEqual([2, 1, 1])
  })
  it('is tried again where it hangs up before the first piece; behind it that is an error', async () => {
    const early = service([(response) => void response.destroy(), good], { retries: 1 })
    expect(await early.model.ask('x')).toBe('hi')
    const cut: Reply = (response) => void response.write(delta('a'), () => response.destroy())
    const late = service([cut])
    const { calls: made } = await trace(async () => late.model.ask('x').catch(() => undefined))
    expect(made[0]).toMatchObject({ fault: expect.any(String) as string })
    // An end without a finish reason is no answer either.
    await expect(service([(response) => void response.end(delta('a'))]).model.ask('x')).rejects.toThrow(
      'expected a finish reason',
    )
    await expect(service([(response) => void response.end()], { retries: 0 }).model.ask('x')).rejects.toThrow(
      ServiceError,
    )
  })
  it('is given up where its first byte or the next one does not come', async () => {
    const silent = service([() => undefined, good], { timeoutSeconds: 0.2, retries: 1 })
    expect(await silent.model.ask('x')).toBe('hi')
    expect(silent.mine.asked).toBe(2)
    // Only silence counts, not how long the whole takes.
    const steady: Reply = async (response) => {
      for (let i = 0; i < 5; i++) {
        response.write(delta('a'))
        await new Promise((resolve) => setTimeout(resolve, 700))
      }
      response.end(END)
    }
    expect(await service([steady], { timeoutSeconds: 3 }).model.ask('x')).toBe('aaaaa')
    const stalled = service([(response) => void response.write(delta('a'))], { timeoutSeconds: 0.2 })
    await expect(stalled.model.ask('x')).rejects.toThrow('expected the next piece within 0.2 s, got none')
  })
  it('says what came where that is no JSON', async () => {
    const page: Reply = (response) => void response.end('data: <html>Bad gateway</html>\n\n')
    await expect(service([page], { retries: 0 }).model.ask('x')).rejects.toThrow('expected JSON, got <html>')
  })
  it('is not asked at all with a signal that has come, nor again with one that comes in between', async () => {
    const never = service([good])
    await expect(never.model.ask('x', { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    expect(never.mine.asked).toBe(0)
    // In the middle of a wait of an hour.
    const stop = new AbortController()
    const { model, mine } = service([
      (response) => {
        response.on('close', () => setImmediate(() => stop.abort(new Error('enough'))))
        response.writeHead(429, { 'retry-after': '3600', connection: 'close' }).end()
      },
    ])
    await expect(model.ask('x', { signal: stop.signal })).rejects.toThrow('enough')
    expect(mine.asked).toBe(1)
  })
})

describe('a stream', () => {
  it('may be cut anywhere, within characters and lines, and have comments and other line ends', async () => {
    const text = `: ping\r\nevent: message\r\nretry: 5\r\n${delta('blåbær €').replaceAll('\n', '\r\n')}: ping\n\n${END}`
    const bytes = Buffer.from(text)
    const reply: Reply = async (response) => {
      response.socket!.setNoDelay(true)
      for (const byte of bytes)
        await new Promise<void>((resolve) => void response.write(Uint8Array.of(byte), () => resolve()))
      response.end()
    }
    expect((await asked(reply)).text).toBe('blåbær €')
  })
  it('may have null where there is nothing, and usage in a chunk of its own', async () => {
    const reply: Reply = (response) =>
      void response.end(
        line({
          error: null,
          choices: [{ delta: { content: 'a', tool_calls: null, reasoning_content: null } }],
          usage: null,
        }) +
          line({ choices: [{ delta: { content: null }, finish_reason: 'stop' }] }) +
          line({ choices: null, usage: { prompt_tokens: 3, completion_tokens: 1, prompt_tokens_details: null } }),
      )
    expect(await asked(reply)).toMatchObject({ text: 'a', usage: { promptTokens: 3, completionTokens: 1 } })
  })
  it('tells in the trace of a finish reason that is none of ours', async () => {
    const reply: Reply = (response) =>
      void response.end(delta('a') + line({ choices: [{ delta: {}, finish_reason: 'insufficient_resource' }] }))
    const { calls: made } = await trace(() => service([reply]).model.ask('x'))
    expect(made[0]!.notes).toEqual([{ by: 'connect', finish_reason: 'insufficient_resource' }])
  })
  it('has its calls told apart whatever of index and id is missing', async () => {
    const part = (text: string, rest: object = {}) => ({ function: { arguments: text }, ...rest })
    const begin = (name: string, text: string, rest: object = {}) => ({ function: { name, arguments: text }, ...rest })
    const wanted = [
      { name: 'a', arguments: '{"x":1}' },
      { name: 'b', arguments: '{}' },
    ]
    for (const [what, reply] of Object.entries({
      whole: calls(
        [begin('a', '{"x"', { index: 0, id: 'p' })],
        [part(':1}', { index: 0 })],
        [begin('b', '{}', { index: 1, id: 'q' })],
      ),
      'no index': calls([begin('a', '{"x"', { id: 'p' })], [part(':1}')], [begin('b', '{}', { id: 'q' })]),
      'no id': calls([begin('a', '{"x"', { index: 0 })], [part(':1}', { index: 0 })], [begin('b', '{}', { index: 1 })]),
      neither: calls([begin('a', '{"x"')], [part(':1}')], [begin('b', '{}')]),
      'one index': calls(
        [begin('a', '{"x"', { index: 0, id: 'p' })],
        [part(':1}', { index: 0 })],
        [begin('b', '{}', { index: 0, id: 'q' })],
      ),
      'the name again': calls(
        [begin('a', '{"x"', { index: 0, id: 'p' })],
        [begin('a', ':1}', { index: 0, id: 'p' })],
        [begin('b', '{}', { index: 1, id: 'q' })],
      ),
      'from 1': calls(
        [begin('a', '{"x"', { index: 1, id: 'p' })],
        [part(':1}', { index: 1, id: null })],
        [begin('b', '{}', { index: 2, id: 'q' })],
      ),
    })) {
      const { toolCalls, finishReason } = await asked(reply)
      expect([what, toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given })), finishReason]).toEqual(
        [what, wanted, 'tool_calls'],
      )
      expect(new Set(toolCalls.map(({ id }) => id)).size, what).toBe(2)
      expect(
        toolCalls.every(({ id }) => id !== ''),
        what,
      ).toBe(true)
    }
  })
  it('of Anthropic ends in an error where that comes in between', async () => {
    const overloaded = `event: error\n${line({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })}`
    const ok =
      line({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'hi' } }) +
      line({ type: 'message_delta', delta: { stop_reason: 'end_turn' } })
    const { model } = service(
      [
        (response) => void response.end(overloaded),
        (response) => void response.end(`event: ping\n${line({ type: 'ping' })}${ok}`),
      ],
      { dialect: 'anthropic', retries: 1 },
    )
    expect(await model.ask('x')).toBe('hi')
    await expect(model.ask('x', { logprobs: true })).rejects.toThrow('has no words for')
    await expect(model.logprobs('x', ['a'])).rejects.toThrow('expected a model that tells log-probabilities')
  })
  it('has log-probabilities as tokens, and choices by its first one', async () => {
    const token = (text: string, logprob: number) => ({ token: text, logprob, bytes: null })
    const content = [
      { ...token('yes', Math.log(0.6)), top_logprobs: [token('yes', Math.log(0.6)), token(' no', Math.log(0.3))] },
    ]
    const reply: Reply = (response) =>
      void response.end(line({ choices: [{ delta: { content: 'yes' }, logprobs: { content } }] }) + END)
    const { tokens } = await asked(reply)
    expect(tokens).toEqual([
      {
        token: 'yes',
        logprob: Math.log(0.6),
        top: [
          { token: 'yes', logprob: Math.log(0.6) },
          { token: ' no', logprob: Math.log(0.3) },
        ],
      },
    ])
    const { yes, no } = await service([reply]).model.logprobs('x', ['yes', 'no'])
    expect([Math.exp(yes), Math.exp(no)]).toEqual([expect.closeTo(0.6, 12), expect.closeTo(0.3, 12)])
  })
})

describe('the pace', () => {
  it('halves the places at a 429, and gives one back after as many good answers as there are', async () => {
    const pace = new Pace({ concurrency: 8, retries: 1 })
    const { signal } = new AbortController()
    let isBusy = true
    await pace.try(async () => {
      if (!isBusy) return
      isBusy = false
      throw Object.assign(new Error('busy'), { status: 429, headers: new Headers({ 'retry-after': '0' }) })
    }, signal)
    expect(pace.places).toBe(4)
    for (const places of [4, 4, 5, 5, 5, 5, 5, 6]) {
      await pace.try(async () => undefined, signal)
      expect(pace.places).toBe(places)
    }
    for (let i = 0; i < 40; i++) await pace.try(async () => undefined, signal)
    expect(pace.places).toBe(8)
  })
})
