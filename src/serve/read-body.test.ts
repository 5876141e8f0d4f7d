import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from './api-error.ts'
import { type BodyLimits, readBody } from './read-body.ts'

afterEach(() => void vi.useRealTimers())

type Body = string | Uint8Array | ReadableStream<Uint8Array>

const post = (body: Body | null, headers: Record<string, string> = { 'content-type': 'application/json' }): Request =>
  new Request('http://localhost/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)

const failure = async (body: Body | null, limits?: BodyLimits, headers?: Record<string, string>): Promise<ApiError> => {
  const error = await readBody(post(body, { 'content-type': 'application/json', ...headers }), limits).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

/** Sends these, then nothing more, not even an end. */
function stalled(...chunks: string[]) {
  const state = { isCancelled: false }
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = chunks.shift()
      if (chunk !== undefined) controller.enqueue(Buffer.from(chunk))
    },
    cancel: () => {
      state.isCancelled = true
    },
  })
  return { body, state }
}

describe('readBody', () => {
  it('reads JSON', async () => {
    expect(await readBody(post('{"a": [1, "ü", null]}'))).toEqual({ a: [1, 'ü', null] })
    expect(await readBody(post(Buffer.from('\ufeff{"a":1,"a":2}')))).toEqual({ a: 2 })
    for (const type of ['application/json; charset=UTF-8', 'Application/JSON;charset="utf-8"', 'application/x.y+json'])
      expect(await readBody(post('1', { 'content-type': type }))).toBe(1)
    const bytes = Buffer.from('"ü€😀"')
    const slow = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    expect(await readBody(post(slow, {}))).toBe('ü€😀')
  })

  it('refuses other types: a form of any web page may post as text/plain', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])
      expect((await failure('{}', {}, { 'content-type': type })).status).toBe(415)
    const types = ['application/json; charset=latin1', 'application/jsonx', 'text/plain; application/json']
    for (const type of types) expect((await failure('{}', {}, { 'content-type': type })).status).toBe(415)
    expect((await failure('{}', {}, { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  it('stops at the limit, whatever length was announced', async () => {
    expect(await readBody(post('12345'), { maxBytes: 5 })).toBe(12345)
    const error = await failure('123456', { maxBytes: 5 })
    expect([error.status, error.message]).toEqual([413, 'body: expected at most 5 bytes, got more'])
    const announced = await failure('1', { maxBytes: 5 }, { 'content-length': '6' })
    expect(announced.status).toBe(413)
    expect((await failure('123456', { maxBytes: 5 }, { 'content-length': '2' })).status).toBe(413)
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent++
        controller.enqueue(new Uint8Array(1000).fill(0x20))
      },
    })
    expect((await failure(endless, { maxBytes: 10_000 })).status).toBe(413)
    expect(sent).toBeLessThan(20)
  })

  it('refuses what is no UTF-8', async () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
    ])
      expect(await failure(Uint8Array.from(bytes))).toMatchObject({ status: 400, message: /UTF-8/ })
  })

  it('gives up on a slow body, and tells its source', async () => {
    vi.useFakeTimers()
    const { body, state } = stalled('{"a":', '"b')
    const error = failure(body, { timeoutSeconds: 7 })
    await vi.advanceTimersByTimeAsync(6999)
    expect(state.isCancelled).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect((await error).status).toBe(408)
    expect(state.isCancelled).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends with the connection', async () => {
    const { body, state } = stalled('{"a":')
    const abort = new AbortController()
    const init = { method: 'POST', body, duplex: 'half', signal: abort.signal } as RequestInit
    const reading = readBody(new Request('http://localhost/', init))
    abort.abort(new Error('gone'))
    await expect(reading).rejects.toThrow('gone')
    expect(state.isCancelled).toBe(true)
    const broken = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('ECONNRESET')) })
    expect(await failure(broken)).toMatchObject({ status: 400, message: /the connection ended/ })
  })

  it('tells where it is no JSON, and nothing of what is there', async () => {
    const places: [text: string, place: string][] = [
      ['', 'nothing'],
      [' \n ', 'nothing'],
      ['{"secret": hunter2}', 'something else at line 1, column 12'],
      ['{\n  "a": 1,\n}', 'something else at line 3, column 1'],
      ['{"secret": "hunter2', 'no more of it after 19 characters'],
      ['[1, 2', 'no more of it after 5 characters'],
      ['{"a":1} x', 'something else at line 1, column 9'],
      ['[01]', 'something else at line 1, column 2'],
      ['["a\tb"]', 'something else at line 1, column 4'],
      ['["\\x"]', 'something else at line 1, column 3'],
      ["{'a': 1}", 'something else at line 1, column 2'],
      ['{"a" 1}', 'something else at line 1, column 6'],
      ['[1}', 'something else at line 1, column 3'],
      ['NaN', 'something else at line 1, column 1'],
    ]
    for (const [text, place] of places)
      expect((await failure(text)).message, text).toBe(`body: expected JSON, got ${place}`)
  })

  it('finds the fault of whatever JSON.parse refuses, and not before the character that broke it', async () => {
    const broken = fc.tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', '}', ']', ',', ':', '"', '\\', '\n', '-', '.', 'e', 'x'),
    )
    await fc.assert(
      fc.asyncProperty(broken, async ([json, where, what]) => {
        const at = where % (json.length + 1)
        const text = json.slice(0, at) + what + json.slice(at + (what === '' ? 1 : 0))
        try {
          expect(await readBody(post(text), { maxDepth: 1000 })).toEqual(JSON.parse(text))
        } catch (error) {
          expect(() => JSON.parse(text)).toThrow()
          const { message } = error as Error
          const [, line, column] = /line (\d+), column (\d+)$/.exec(message) ?? []
          if (line === undefined) {
            expect(message).toMatch(/nothing$|no more of it after \d+ characters$/)
            return
          }
          const lines = text.split('\n').slice(0, Number(line) - 1)
          const index = lines.reduce((sum, one) => sum + one.length + 1, 0) + Number(column) - 1
          expect(index).toBeLessThan(text.length)
          // A number or an escape is at fault as a whole.
          expect(index).toBeGreaterThanOrEqual(text.slice(0, at).search(/[\w.+\\-]*$/))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('refuses what is too deep before it parses it', async () => {
    expect(await readBody(post('[[[1]], {"a": "[[[[{{{\\"[["}]'), { maxDepth: 3 })).toBeDefined()
    expect((await failure('[[[[1]]]]', { maxDepth: 3 })).message).toContain('at most 3')
    expect((await failure('{"a":[{"b":[', { maxDepth: 3 })).status).toBe(400)
    const parse = vi.spyOn(JSON, 'parse')
    expect((await failure('['.repeat(4_000_000))).message).toContain('at most 128')
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
  })

  it('lets no key set a prototype', async () => {
    for (const key of ['__proto__', '\\u005f_proto__', '__prot\\u006F__'])
      expect((await failure(`{"a":[{"${key}":{"isAdmin":true}}]}`)).message).toContain("'__proto__'")
    expect(await readBody(post('{"a":"__proto__","constructor":{"prototype":1}}'))).toBeDefined()
    expect(({} as { isAdmin?: true }).isAdmin).toBeUndefined()
  })
})
