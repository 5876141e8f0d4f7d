import { setImmediate } from 'node:timers/promises'
import { APIError } from 'openai'
import { Stream } from 'openai/core/streaming'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { UsageError } from '../errors.ts'
import { ApiError } from './api-error.ts'
import { type EventStreamOptions, eventStream, type StreamEnd } from './event-stream.ts'

afterEach(() => void vi.useRealTimers())

async function* from(events: Iterable<unknown>) {
  yield* events
}

/** Waits for its signal and nothing else. */
async function* waiting(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

/** How it ended; throws where it ends twice. */
function ending(): { onEnd: (end: StreamEnd) => void; end: () => StreamEnd | undefined } {
  const ends: StreamEnd[] = []
  const end = (): StreamEnd | undefined => {
    expect(ends.length).toBeLessThan(2)
    return ends[0]
  }
  return { onEnd: (one) => void ends.push(one), end }
}

const read = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> => {
  const { value } = await reader.read()
  return value && Buffer.from(value).toString()
}

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const event of events) list.push(event)
  return list
}

/** As the official client reads it. */
const client = (response: Response): Stream<{ text: string }> =>
  Stream.fromSSEResponse<{ text: string }>(response, new AbortController())

describe('eventStream', () => {
  it('writes events and their end', async () => {
    const { onEnd, end } = ending()
    const response = eventStream(() => from([{ text: 'a\nb\u2028' }, { text: '' }]), { onEnd, headers: { 'x-a': 'b' } })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-a': 'b',
    })
    expect(await response.text()).toBe('data: {"text":"a\\nb\u2028"}\n\ndata: {"text":""}\n\ndata: [DONE]\n\n')
    expect(end()).toEqual({ reason: 'done' })
  })

  it('is what the official client reads', async () => {
    const events = Array.from({ length: 300 }, (_, i) => ({ text: `${i} ü\r\n😀\ud83d`.repeat(i) }))
    expect(await all(client(eventStream(() => from(events))))).toEqual(events)
  })

  it('tells an error after the beginning as its last event, and nothing of our own faults', async () => {
    const failing = (error: unknown) =>
      async function* (): AsyncGenerator<unknown> {
        yield { text: 'a' }
        throw error
      }
    const { onEnd, end } = ending()
    const error = new UsageError('temperature: expected a number')
    const text = await eventStream(failing(error), { onEnd }).text()
    expect(text.split('\n\n')).toEqual([
      'data: {"text":"a"}',
      'data: {"error":{"message":"temperature: expected a number","type":"invalid_request_error","param":"temperature","code":null}}',
      '',
    ])
    expect(end()).toEqual({ reason: 'failed', error })
    const seen: string[] = []
    const reading = async (): Promise<void> => {
      for await (const { text } of client(eventStream(failing(new Error('secret path'))))) seen.push(text)
    }
    const caught = await reading().catch((reason: unknown) => reason)
    expect(caught).toBeInstanceOf(APIError)
    expect(caught).toMatchObject({ type: 'server_error', message: expect.not.stringContaining('secret') })
    expect(seen).toEqual(['a'])
  })

  it('survives events that no JSON can hold, and ends their source', async () => {
    const { onEnd, end } = ending()
    let isOver = false
    const text = await eventStream(
      async function* () {
        try {
          yield { big: 1n }
          yield { more: true }
        } finally {
          isOver = true
        }
      },
      { onEnd },
    ).text()
    expect(text).toMatch(/^data: \{"error":.*\}\n\n$/)
    expect(end()?.reason).toBe('failed')
    expect(isOver).toBe(true)
  })

  it('pings while there is nothing to say, also before the first event', async () => {
    vi.useFakeTimers()
    let say = (_: unknown): void => {}
    const response = eventStream(
      async function* () {
        yield await new Promise((resolve) => {
          say = resolve
        })
      },
      { pingSeconds: 15 },
    )
    const reader = response.body!.getReader()
    const first = read(reader)
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await first).toBe(': ping\n\n')
    const second = read(reader)
    await vi.advanceTimersByTimeAsync(14_999)
    say({ text: 'a' })
    expect(await second).toBe('data: {"text":"a"}\n\n')
    expect(await read(reader)).toBe('data: [DONE]\n\n')
    expect(await read(reader)).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
    const withPings = new Response(': ping\n\n: ping\n\ndata: {"text":"a"}\n\n: ping\n\ndata: [DONE]\n\n')
    expect(await all(client(withPings))).toEqual([{ text: 'a' }])
  })

  it('stops the source when the reader goes, whatever it does just then', async () => {
    const { onEnd, end } = ending()
    let source: AbortSignal | undefined
    const response = eventStream(
      (signal) => {
        source = signal
        return waiting(signal)
      },
      { onEnd },
    )
    await setImmediate()
    await response.body!.cancel('gone')
    expect(source!.aborted).toBe(true)
    expect(end()).toEqual({ reason: 'cancelled', error: 'gone' })

    let isOver = false
    const endless = eventStream(async function* () {
      try {
        for (;;) yield { text: 'a' }
      } finally {
        isOver = true
      }
    })
    const reader = endless.body!.getReader()
    await read(reader)
    await reader.cancel()
    await setImmediate()
    expect(isOver).toBe(true)
  })

  it('ends with the signal of the request; the reader hears of it where there is something to tell', async () => {
    const run = async (reason: unknown, options: EventStreamOptions = {}) => {
      const { onEnd, end } = ending()
      const abort = new AbortController()
      const response = eventStream(waiting, { ...options, signal: abort.signal, onEnd })
      await setImmediate()
      abort.abort(reason)
      return [await response.text(), end()]
    }
    expect(await run('gone')).toEqual(['', { reason: 'cancelled', error: 'gone' }])
    const error = new ApiError(503, 'This server stops', { code: 'draining' })
    expect(await run(error)).toEqual([
      'data: {"error":{"message":"This server stops","type":"server_error","param":null,"code":"draining"}}\n\n',
      { reason: 'cancelled', error },
    ])
    const { onEnd, end } = ending()
    const begin = vi.fn(waiting)
    expect(await eventStream(begin, { signal: AbortSignal.abort('early'), onEnd }).text()).toBe('')
    expect(end()).toEqual({ reason: 'cancelled', error: 'early' })
    expect(begin).not.toHaveBeenCalled()
  })

  it('asks for no more than the reader takes, and cuts off one that takes nothing', async () => {
    vi.useFakeTimers()
    const { onEnd, end } = ending()
    let made = 0
    let source: AbortSignal | undefined
    const response = eventStream(
      async function* (signal) {
        source = signal
        for (; ; made++) yield { text: 'x'.repeat(1000) }
      },
      { stallSeconds: 120, pingSeconds: 15, onEnd },
    )
    const reader = response.body!.getReader()
    await vi.advanceTimersByTimeAsync(100_000)
    expect(made).toBeGreaterThan(10)
    expect(made).toBeLessThan(100)
    // One that takes a little now and then is slow, not gone.
    for (let i = 0; i < 5; i++) {
      await read(reader)
      await read(reader)
      await vi.advanceTimersByTimeAsync(100_000)
    }
    expect(made).toBeLessThan(110)
    expect(end()).toBeUndefined()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(end()?.reason).toBe('stalled')
    expect(source!.aborted).toBe(true)
    await expect(read(reader)).rejects.toThrow('took nothing for 120 s')
    expect(vi.getTimerCount()).toBe(0)
  })
})
