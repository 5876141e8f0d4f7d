import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import type { Lm } from '../lm/lm.ts'
import { type Listening, listen } from './listen.ts'
import { createServer, type Server, type ServerOptions } from './server.ts'

/** A model whose texts go on until somebody ends them. */
function endless(): Lm & { texts: number } {
  const lm = {
    ...fakeLm(),
    texts: 0,
    async *generate({ signal }: { signal?: AbortSignal }) {
      lm.texts++
      try {
        for (;;) {
          yield { text: 'a', tokenIds: [97] }
          await new Promise((resolve) => setImmediate(resolve))
          if (signal?.aborted) {
            const usage = { promptTokens: 1, completionTokens: 1 }
            yield { text: '', tokenIds: [], finishReason: 'aborted' as const, usage }
            return
          }
        }
      } finally {
        lm.texts--
      }
    },
  }
  return lm as Lm & { texts: number }
}

async function listening(lm: Lm, options: ServerOptions = {}): Promise<{ server: Server; at: Listening }> {
  const server = createServer(lm, options)
  return { server, at: await listen(server, { port: 0 }) }
}

const asked = (more: object = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ messages: [{ role: 'user', content: 'x' }], ...more }),
  headers: { 'content-type': 'application/json' },
})

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('listen', () => {
  it('answers on a free port, and says when one is taken', async () => {
    const { at, server } = await listening(fakeLm())
    expect(await (await fetch(`${at.url}/health`)).json()).toEqual({ status: 'ok' })
    await expect(listen(server, { port: at.port })).rejects.toThrow(UsageError)
    await at.close()
    await expect(fetch(`${at.url}/health`)).rejects.toThrow()
  })
  it.each([true, false])('ends the texts of a client that goes away (stream: %s)', async (stream) => {
    const lm = endless()
    const { at, server } = await listening(lm)
    const gone = new AbortController()
    const answer = fetch(`${at.url}/v1/chat/completions`, {
      ...asked({ stream, max_tokens: 4000 }),
      signal: gone.signal,
    })
    if (stream) await (await answer).body!.getReader().read()
    await until(() => lm.texts === 1)
    gone.abort()
    await answer.catch(() => undefined)
    await until(() => lm.texts === 0 && server.load.running === 0)
    await at.close()
  })
  it('lets what was begun end before it closes, and cuts it after a while', async () => {
    const lm = endless()
    const { at } = await listening(lm)
    const stop = new AbortController()
    const response = await fetch(`${at.url}/v1/chat/completions`, { ...asked({ stream: true }), signal: stop.signal })
    const reader = response.body!.getReader()
    await reader.read()
    let isClosed = false
    const closed = at.close(60).then(() => {
      isClosed = true
    })
    await until(() => lm.texts === 1)
    const refused = await fetch(`${at.url}/v1/chat/completions`, asked())
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
    expect(isClosed).toBe(false)
    stop.abort()
    await closed
    expect(lm.texts).toBe(0)
    const other = await listening(lm)
    const cut = await fetch(`${other.at.url}/v1/chat/completions`, asked({ stream: true }))
    const rest = cut.text()
    await other.at.close(0)
    await rest.catch(() => undefined)
    await until(() => lm.texts === 0)
  })
  it('sends the head of a stream while its request still waits', async () => {
    const lm = endless()
    const { at } = await listening(lm, { rows: 1 })
    const stop = new AbortController()
    const init = (): RequestInit => ({ ...asked({ stream: true }), signal: stop.signal })
    const first = await fetch(`${at.url}/v1/chat/completions`, init())
    const second = await fetch(`${at.url}/v1/chat/completions`, init())
    expect([first.status, second.status, lm.texts]).toEqual([200, 200, 1])
    stop.abort()
    await until(() => lm.texts === 0)
    await at.close()
  })
  it('survives what is no HTTP, and heads that never end', async () => {
    const { at } = await listening(fakeLm())
    const garbage = connect(at.port, '127.0.0.1')
    garbage.on('error', () => undefined)
    garbage.write('\u0000\u0001 nonsense\r\n\r\n')
    const half = connect(at.port, '127.0.0.1')
    half.write('POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n')
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(`${at.url}/v1/models`, { headers: { host: 'localhost' } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject).end()
    })
    expect(status).toBe(200)
    half.destroy()
    garbage.destroy()
    await at.close()
  })
  it('refuses other names for this machine', async () => {
    const { at } = await listening(fakeLm())
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(`${at.url}/v1/models`, { headers: { host: 'evil.example' } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject).end()
    })
    expect(status).toBe(403)
    await at.close()
  })
})
