// An answer as a response: an object, or events as they come.

import { apiErrorOf } from './api-error.ts'
import { eventStream } from './event-stream.ts'
import type { Call } from './service.ts'

/** Seconds that a stream's status waits for its first event: what is wrong with a request shows before that. */
const FIRST_SECONDS = 2

/** The response of an object, or of the events of a stream; an error before the first event is thrown, and has its own status. */
export async function answered(call: Call, body: object | AsyncGenerator<unknown, void, undefined>): Promise<Response> {
  if (!(Symbol.asyncIterator in body)) return Response.json(body)
  const events = body[Symbol.asyncIterator]()
  const first = events.next()
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FIRST_SECONDS * 1000)
  })
  await Promise.race([first, patience]).finally(() => clearTimeout(timer))
  const { trace } = call
  const rest = async function* (): AsyncGenerator<unknown, void, undefined> {
    const { value, done } = await first
    if (done) return
    yield value
    yield* { [Symbol.asyncIterator]: () => events }
  }
  trace.isStreaming = true
  return eventStream(rest, {
    pingSeconds: call.service.pingSeconds,
    stallSeconds: call.service.stallSeconds,
    signal: call.signal,
    onEnd: ({ reason, error }) => {
      // Here and not in `rest`, which has not begun where the client went before it read anything: what runs for it ends all the same.
      if (reason !== 'done') call.abort(error)
      events.return().catch(() => undefined)
      if (reason === 'failed') trace.error = apiErrorOf(error)
      trace.isAborted = reason === 'cancelled' || reason === 'stalled'
      trace.end()
    },
  })
}
