// A stream of events as OpenAI's clients read it: `data: {json}` and `data: [DONE]`, with comments that keep idle connections open.

import { ApiError, apiErrorOf } from './api-error.ts'

/** How a stream ended: `done` with its last event, `failed` by an error of its events, `cancelled` by its reader or the signal. */
export interface StreamEnd {
  /** `stalled`: the reader took nothing for too long. */
  reason: 'done' | 'failed' | 'cancelled' | 'stalled'
  /** With `failed` and `cancelled`: what it was. */
  error?: unknown
}

export interface EventStreamOptions {
  /** A comment is sent after so long without an event: proxies and clients give up silent connections. Default 15; Infinity for none. */
  pingSeconds?: number
  /** A reader that leaves what waits for it alone for so long is cut off. Default 120. */
  stallSeconds?: number
  /** Of the request. With an ApiError as its reason, the reader is told. */
  signal?: AbortSignal
  headers?: Readonly<Record<string, string>>
  /** Called once; must not throw. */
  onEnd?: (end: StreamEnd) => void
}

/** What waits for the reader at most; more is not asked for. */
const BUFFER_BYTES = 64 * 1024

/**
 * The answer to a request that streams. Its headers can go out before there is an event. Events are asked for as the reader takes them;
 * `events` gets a signal that is aborted when the reader goes away or stalls. An error becomes an event `{ error }`, the last one: the
 * status is said already.
 */
export function eventStream(
  events: (signal: AbortSignal) => AsyncIterable<unknown>,
  { pingSeconds = 15, stallSeconds = 120, signal, headers = {}, onEnd }: EventStreamOptions = {},
): Response {
  const stop = new AbortController()
  let iterator: AsyncIterator<unknown> | undefined
  /** The event that is waited for: pings come in between. */
  let pending: Promise<IteratorResult<unknown>> | undefined
  let isOver = false
  let wake = (): void => {}
  let stall: NodeJS.Timeout | undefined

  const end = (reason: StreamEnd['reason'], error?: unknown): void => {
    isOver = true
    clearTimeout(stall)
    signal?.removeEventListener('abort', onAbort)
    if (reason !== 'done') {
      stop.abort(error)
      pending?.catch(() => {})
      // A generator that waits for something ends when it comes to its next step, however late.
      iterator?.return?.().catch(() => {})
    }
    wake()
    onEnd?.({ reason, ...(error !== undefined && { error }) })
  }

  let controller: ReadableStreamDefaultController<Uint8Array>
  const send = (text: string): void => {
    controller.enqueue(Buffer.from(text))
    // What is taken leads to the next `pull`, which stops the clock.
    if ((controller.desiredSize ?? 0) <= 0 && stallSeconds < Number.POSITIVE_INFINITY)
      stall = setTimeout(() => {
        const error = new Error(`a reader took nothing for ${stallSeconds} s`)
        // Servers print what ends a stream; where it was thrown tells nobody anything.
        error.stack = error.message
        controller.error(error)
        end('stalled', error)
      }, stallSeconds * 1000)
  }
  const fail = (reason: 'failed' | 'cancelled', error: unknown): void => {
    send(`data: ${JSON.stringify(apiErrorOf(error))}\n\n`)
    controller.close()
    end(reason, error)
  }
  const onAbort = (): void => {
    const { reason } = signal!
    if (reason instanceof ApiError) fail('cancelled', reason)
    else {
      controller.close()
      end('cancelled', reason)
    }
  }

  const pull = async (): Promise<void> => {
    clearTimeout(stall)
    try {
      iterator ??= events(stop.signal)[Symbol.asyncIterator]()
      pending ??= iterator.next()
      const isThere = await within(pending, pingSeconds, (awake) => {
        wake = awake
      })
      if (isOver) return
      if (!isThere) {
        send(': ping\n\n')
        return
      }
      const { done, value } = await pending
      pending = undefined
      if (isOver) return
      if (!done) send(`data: ${JSON.stringify(value)}\n\n`)
      else {
        send('data: [DONE]\n\n')
        controller.close()
        end('done')
      }
    } catch (error) {
      if (!isOver) fail('failed', error)
    }
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start: (own) => {
        controller = own
        if (signal?.aborted) onAbort()
        else signal?.addEventListener('abort', onAbort, { once: true })
      },
      pull,
      cancel: (reason) => {
        if (!isOver) end('cancelled', reason)
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  )
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Of nginx, which would collect the events otherwise.
      'x-accel-buffering': 'no',
      ...headers,
    },
  })
}

/** Whether the promise is settled, within so many seconds or before `onWait`'s function is called. */
function within(promise: Promise<unknown>, seconds: number, onWait: (awake: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = seconds < Number.POSITIVE_INFINITY ? setTimeout(() => resolve(false), seconds * 1000) : undefined
    const settle = (isThere: boolean) => (): void => {
      clearTimeout(timer)
      resolve(isThere)
    }
    onWait(settle(false))
    promise.then(settle(true), settle(true))
  })
}
