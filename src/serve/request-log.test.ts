import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError, apiErrorOf } from './api-error.ts'
import { lineWriter, RequestLog } from './request-log.ts'
import type { RequestSummary } from './request-trace.ts'

const RECORD: RequestSummary = {
  id: 'chatcmpl-1',
  method: 'POST',
  route: '/v1/chat/completions',
  status: 200,
  seconds: 1.23456789,
  model: 'tiny',
  key: 'editor',
  promptTokens: 5,
  completionTokens: 7,
  queueSeconds: 0.1,
  firstTokenSeconds: 0.2,
  finishReasons: ['stop', 'length'],
  cachedTokens: 0,
  error: undefined,
  isAborted: false,
  request: { messages: [{ role: 'user', content: 'a secret' }] },
  response: ['a secret'],
}

function linesOf(records: readonly RequestSummary[], contents?: boolean): string[] {
  const lines: string[] = []
  const log = new RequestLog({ write: (line) => lines.push(line), ...(contents !== undefined && { contents }) })
  for (const record of records) log.add(record)
  return lines
}

describe('RequestLog', () => {
  it('writes a line of JSON', () => {
    const [line = ''] = linesOf([RECORD])
    expect(line.endsWith('}\n')).toBe(true)
    expect(JSON.parse(line)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      id: 'chatcmpl-1',
      method: 'POST',
      route: '/v1/chat/completions',
      status: 200,
      model: 'tiny',
      key: 'editor',
      prompt_tokens: 5,
      completion_tokens: 7,
      queue_seconds: 0.1,
      first_token_seconds: 0.2,
      seconds: 1.234568,
      finish_reasons: ['stop', 'length'],
    })
    expect(JSON.parse(linesOf([{ ...RECORD, isAborted: true }])[0]!).aborted).toBe(true)
  })

  it('writes contents only where they are asked for', () => {
    const refusal = new ApiError(400, 'stop: expected a text, got a secret', { param: 'stop', code: 'x' })
    const records = [RECORD, { ...RECORD, status: 400, error: refusal }]
    expect(linesOf(records).join('')).not.toContain('secret')
    expect(JSON.parse(linesOf(records)[1]!)).toMatchObject({ status: 400, param: 'stop', code: 'x' })
    const [first = '', second = ''] = linesOf(records, true)
    expect(JSON.parse(first)).toMatchObject({ request: RECORD.request, response: RECORD.response })
    expect(JSON.parse(second).error).toContain('secret')
  })

  it('has of our own faults what the client does not hear', () => {
    const bug = new TypeError('x is not a function')
    const line = JSON.parse(linesOf([{ ...RECORD, status: 500, error: apiErrorOf(bug) }])[0]!)
    expect(line.error).toBe('x is not a function')
    expect(line.stack).toContain('request-log.test.ts')
    const thrown = apiErrorOf('thrown text')
    expect(JSON.parse(linesOf([{ ...RECORD, status: 500, error: thrown }])[0]!).error).toBe('thrown text')
  })

  it('has no stack of a refusal that was told whole', () => {
    const error = new ApiError(503, 'server: expected one that goes on', { code: 'draining' })
    const line = JSON.parse(linesOf([{ ...RECORD, status: 503, error }])[0]!)
    expect([line.code, 'stack' in line]).toEqual(['draining', false])
  })

  it('stays one line that no terminal obeys, and short, whatever callers send', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const odd = fc.constantFrom(
      '\u001b[2J',
      '\n',
      '\u2028',
      '\u009b31m',
      '\ud800',
      '\u202e',
      '\r\n',
      'a'.repeat(100_000),
    )
    fc.assert(
      fc.property(fc.oneof(text, odd), (value) => {
        const [line = ''] = linesOf([{ ...RECORD, id: value, model: value, route: value }])
        expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
        const { id } = JSON.parse(line)
        if (value.length <= 200) expect(id).toBe(value)
        else expect(line.length).toBeLessThan(6000)
      }),
      { numRuns: 50 },
    )
  })

  it('goes on when nothing can be written', () => {
    const log = new RequestLog({
      write: () => {
        throw new Error('ENOSPC')
      },
    })
    expect(() => log.add(RECORD)).not.toThrow()
    expect(linesOf([{ ...RECORD, request: { big: 1n } }], true)[0]).toContain('no JSON can hold')
  })
})

describe('lineWriter', () => {
  it('leaves lines out while a stream is slow, and says how many', async () => {
    const written: string[] = []
    let release = (): void => {}
    const stream = new Writable({
      write: (chunk, _, done) => {
        written.push(String(chunk))
        release = done
      },
    })
    const write = lineWriter(stream)
    const long = `${'x'.repeat(600_000)}\n`
    for (let i = 0; i < 5; i++) write(long)
    expect(stream.writableLength).toBeLessThan(2 ** 21)
    release()
    await new Promise((resolve) => setImmediate(resolve))
    release()
    write('next\n')
    release()
    expect(written.slice(0, 2)).toEqual([long, long])
    const [note = '', next] = written[2]!.split('\n')
    expect(JSON.parse(note).dropped_lines).toBe(3)
    expect(next).toBe('next')
  })

  it('outlives its stream', async () => {
    const stream = new Writable({ write: (_, __, done) => done(new Error('EPIPE')) })
    const write = lineWriter(stream)
    write('a\n')
    await new Promise((resolve) => stream.on('close', resolve))
    expect(() => write('b\n')).not.toThrow()
  })

  it('keeps a process alive whose pipe is closed or whose disk is full', async () => {
    const file = fileURLToPath(new URL('request-log.ts', import.meta.url))
    const script = `
      import { RequestLog } from ${JSON.stringify(file)}
      const log = new RequestLog()
      for (let i = 0; i < 50; i++) {
        log.add({ id: 'a'.repeat(5000), method: 'GET', route: '/', status: 200, seconds: 0, finishReasons: [] })
        await new Promise((resolve) => setTimeout(resolve))
      }
      process.stdout.write('alive')`
    const run = async (stderr: 'pipe' | number): Promise<[code: unknown, out: string]> => {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', stderr],
      })
      child.stderr?.destroy()
      let out = ''
      child.stdout!.on('data', (chunk) => {
        out += chunk
      })
      const [code] = await once(child, 'close')
      return [code, out]
    }
    expect(await run('pipe')).toEqual([0, 'alive'])
    if (!existsSync('/dev/full')) return
    const full = openSync('/dev/full', 'w')
    expect(await run(full)).toEqual([0, 'alive'])
    closeSync(full)
  })
})
