// Models that break and clients that do everything but behave, on a socket: the server goes on, and nothing is left of them.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { fakeLm } from '../lm/fake-lm.ts'
import type { GenerateRequest, GenerationPiece, Lm } from '../lm/lm.ts'
import { type Listening, listen } from './listen.ts'
import { createServer, type Server, type ServerOptions } from './server.ts'

const open: Listening[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close(0)
})

async function listening(lm: Lm, options: ServerOptions = {}): Promise<{ server: Server; at: Listening }> {
  const server = createServer(lm, options)
  const at = await listen(server, { port: 0 })
  open.push(at)
  return { server, at }
}

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
const isIdle = ({ load }: Server): boolean => load.waiting + load.running === 0

const post = (at: Listening, body: unknown, path = '/v1/completions'): Promise<Response> =>
  fetch(`${at.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })

const health = async (at: Listening): Promise<number> => (await fetch(`${at.url}/health`)).status

/** All that came on a connection until it was closed. */
function raw(at: Listening): { socket: Socket; answer: Promise<string> } {
  const socket = connect(at.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  const answer = new Promise<string>((resolve) => socket.on('close', () => resolve(text)))
  return { socket, answer }
}

const head = (more: string): string =>
  `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${more}\r\n\r\n`

describe('a model that breaks', () => {
  const piece: GenerationPiece = { text: 'a', tokenIds: [97] }
  const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))
  const bug = (): never => {
    throw new TypeError('secret: x is not a function')
  }
  const ways: Record<string, Partial<Lm>> = {
    'throws at once': { generate: bug },
    'throws at its first token': {
      generate: () => ({ [Symbol.asyncIterator]: () => ({ next: () => later().then(bug) }) }),
    },
    'throws in the middle': {
      async *generate() {
        yield piece
        await later()
        bug()
      },
    },
    'ends without a reason': {
      async *generate() {
        yield piece
      },
    },
    'throws what is no error': {
      async *generate() {
        yield piece
        throw null
      },
    },
    'gives nothing that is a piece': {
      async *generate() {
        yield undefined as unknown as GenerationPiece
      },
    },
    'rejects when it is left, too': {
      generate: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(new Error('secret')),
          return: () => Promise.reject(new Error('secret, too')),
        }),
      }),
    },
    'cannot encode': { encode: bug },
  }

  it.each(Object.entries(ways))('%s', async (_, way) => {
    const { server, at } = await listening({ ...fakeLm(), ...way } as Lm)
    for (const stream of [false, true])
      for (const n of [1, 3])
        for (const path of ['/v1/completions', '/v1/chat/completions']) {
          const body = { prompt: 'x', messages: [{ role: 'user', content: 'x' }], max_tokens: 9, stream, n }
          const response = await post(at, body, path)
          const text = await response.text()
          if (response.status === 200) expect(text).toMatch(/data: \{"error":\{.*"type":"server_error".*\}\}\n\n$/)
          else expect([response.status, JSON.parse(text).error.type]).toEqual([500, 'server_error'])
          expect(text).not.toContain('secret')
        }
    await until(() => isIdle(server))
    expect(await health(at)).toBe(200)
  })

  it('whose numbers break is no reason to end, either', async () => {
    const lm = { ...fakeLm() }
    Object.defineProperty(lm, 'load', { get: bug })
    const { at } = await listening(lm, {
      log: () => {
        throw new Error('disk full')
      },
    })
    expect((await fetch(`${at.url}/metrics`)).status).toBe(500)
    expect((await post(at, { prompt: 'x', max_tokens: 2 })).status).toBe(200)
    expect(await (await post(at, { prompt: 'x', max_tokens: 2, stream: true })).text()).toMatch(/\[DONE\]\n\n$/)
    expect(await health(at)).toBe(200)
  })
})

describe('a client', () => {
  it('that opens connections and asks nothing whole keeps nobody out, and not the server from closing', async () => {
    const { server, at } = await listening(fakeLm())
    const sockets: Socket[] = []
    for (let i = 0; i < 100; i++) {
      const { socket } = raw(at)
      sockets.push(socket)
      if (i % 4 === 1) socket.write('POST /v1/comp')
      if (i % 4 === 2) socket.write(`${head('content-length: 100').slice(0, -2)}`)
      if (i % 4 === 3) socket.write(`${head('content-length: 100')}{"prompt":`)
    }
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('ready', resolve))))
    expect(await health(at)).toBe(200)
    for (let i = 0; i < 50; i++) sockets[i]!.destroy()
    expect((await post(at, { prompt: 'x', max_tokens: 2 })).status).toBe(200)
    expect(isIdle(server)).toBe(true)
    await at.close(0)
  })

  it('that sends too much is told so, and hung up on', async () => {
    const { at } = await listening(fakeLm(), { maxBodyBytes: 10_000 })
    const announced = raw(at)
    announced.socket.write(`${head('content-length: 10001')}{"prompt":"`)
    expect(await announced.answer).toMatch(/^HTTP\/1\.1 413 /)
    // In chunks, and it never stops.
    const endless = raw(at)
    endless.socket.write(head('transfer-encoding: chunked'))
    const pour = (): void => {
      while (!endless.socket.destroyed && endless.socket.write(`400\r\n${'x'.repeat(1024)}\r\n`));
    }
    endless.socket.on('drain', pour)
    pour()
    expect(await endless.answer).toMatch(/^(HTTP\/1\.1 413 |$)/)
    expect(await health(at)).toBe(200)
  })

  it('that sends no UTF-8, no JSON or no HTTP gets a 400', async () => {
    const { at } = await listening(fakeLm())
    const status = async (bytes: Uint8Array): Promise<string> => {
      const { socket, answer } = raw(at)
      socket.write(head(`connection: close\r\ncontent-length: ${bytes.length}`))
      socket.write(bytes)
      return (await answer).slice(0, 12)
    }
    expect(await status(Buffer.from('{"prompt":"x","max_tokens":1}'))).toBe('HTTP/1.1 200')
    for (const bytes of [
      [0xff],
      [0x7b],
      [],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x5b, 0x5d],
      [0x31],
      [0x6e, 0x75, 0x6c, 0x6c],
    ])
      expect(await status(Uint8Array.from(bytes)), String(bytes)).toBe('HTTP/1.1 400')
    const { socket, answer } = raw(at)
    socket.write(`${head('content-length: 5\r\ntransfer-encoding: chunked')}0\r\n\r\n`)
    expect((await answer).slice(0, 12)).toBe('HTTP/1.1 400')
    expect(await health(at)).toBe(200)
  })

  it('that reads slowly slows itself, and is cut off once it reads nothing', async () => {
    let made = 0
    let isOver = false
    const lm: Lm = {
      ...fakeLm(),
      async *generate({ signal }: GenerateRequest) {
        try {
          for (; !signal?.aborted; made++) {
            yield { text: 'x'.repeat(10_000), tokenIds: [97] }
            await new Promise((resolve) => setImmediate(resolve))
          }
        } finally {
          isOver = true
        }
      },
    }
    const { server, at } = await listening(lm, { stallSeconds: 0.5 })
    const message = await new Promise<IncomingMessage>((resolve) => {
      const sent: ClientRequest = httpRequest(`${at.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        agent: false,
      })
      sent.on('response', resolve).on('error', () => {})
      sent.end(JSON.stringify({ prompt: 'x', stream: true, max_tokens: 4000 }))
    })
    // What sockets hold is some megabytes; this model would make more in no time.
    await until(() => isOver)
    expect(made).toBeLessThan(4000)
    await until(() => isIdle(server))
    message.on('error', () => {})
    message.destroy()
    expect(await health(at)).toBe(200)
  })

  it('leaves the memory as it was: 2,000 requests, of which some fail and some are given up', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const { server, at } = await listening(fakeLm({ reply: () => 'abcdef'.repeat(5) }), { log: () => {} })
    const one = async (i: number): Promise<void> => {
      const abort = new AbortController()
      const body = {
        prompt: `x ${i}`,
        max_tokens: 20,
        stream: i % 2 === 0,
        n: 1 + (i % 3),
        ...(i % 10 === 9 && { top_p: 5 }),
      }
      const response = await fetch(`${at.url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal: abort.signal,
      })
      if (i % 7 === 3) abort.abort()
      await response.text().catch(() => {})
    }
    const many = async (count: number): Promise<number> => {
      let next = 0
      const worker = async (): Promise<void> => {
        while (next < count) await one(next++)
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      await until(() => isIdle(server))
      return heapUsed()
    }
    // What nobody holds any more goes in several turns: sockets close, finalizers run.
    const heapUsed = async (): Promise<number> => {
      let least = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        collectGarbage()
        least = Math.min(least, process.memoryUsage().heapUsed)
      }
      return least
    }
    const before = await many(600)
    const after = [await many(1000), await many(1000)]
    // Where each leaves 2 kB, every thousand leaves 2 MB; what comes once is no leak.
    expect(Math.min((after[1]! - before) / 2, after[1]! - after[0]!)).toBeLessThan(2e6)
  })
})
