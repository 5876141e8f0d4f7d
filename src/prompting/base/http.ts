// What is sent to a service over HTTP, and a response that is good.

import { UsageError } from '../../errors.ts'
import { reasonOf } from '../../hub/hub-faults.ts'
import { ServiceError } from './dialect.ts'

/** What services answer to a key that they do not take. */
const KEY_FAULTS: ReadonlySet<number> = new Set([401, 403])

/** Instead of the global one. */
type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Where a request goes: the whole address, and what of it errors may tell. */
export interface Target {
  readonly address: string
  readonly place: string
}

/** UsageError, without the value, for what no header may have: the error of `fetch` would tell the key. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers))
    try {
      new Headers([[name, value]])
    } catch {
      const what = /^(authorization|x-api-key)$/.test(name) ? 'key' : `headers: ${name}`
      throw new UsageError(`${what}: expected characters that a header may have, got others, such as a line end`)
    }
}

/** Characters that are read of an error. */
const MOST_OF_ERROR = 10_000

/** The beginning of what a service says, as far as it comes in time. */
async function beginningOf(response: Response, seconds: number): Promise<string> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader()
  const end = (): void => void reader?.cancel().catch(() => undefined)
  const timer = setTimeout(end, seconds * 1000)
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < MOST_OF_ERROR) {
      const next = await reader?.read()
      if (next?.value === undefined) break
      text += decoder.decode(next.value, { stream: true })
    }
  } catch {
    // What had come says more than how it ended.
  } finally {
    clearTimeout(timer)
    end()
  }
  return text
}

/** A good response. ServiceError where the way, the service or the request is at fault; the first two are worth another try. */
export async function posted(
  fetch: Fetch,
  { address, place }: Target,
  init: RequestInit,
  seconds: number,
  key: string | undefined,
): Promise<Response> {
  // For its beginning only: what comes of it may take as long as it takes.
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`nothing within ${seconds} s`)), seconds * 1000)
  let response: Response
  try {
    response = await fetch(address, { ...init, signal: AbortSignal.any([init.signal!, late.signal]) })
  } catch (cause) {
    init.signal!.throwIfAborted()
    throw new ServiceError(`${place}: expected an answer, got none (${reasonOf(cause)})`, { cause })
  } finally {
    clearTimeout(timer)
  }
  if (response.ok) return response
  // Some services say the key that they were given.
  const said = await beginningOf(response, seconds)
  const text = (key ? said.replaceAll(key, '(key)') : said).replaceAll(/\s+/g, ' ').slice(0, 300)
  throw Object.assign(
    new ServiceError(
      `${place}: expected an answer, got HTTP ${response.status} ${text}${KEY_FAULTS.has(response.status) ? `. ${key ? 'Check the key' : 'Give a key'}` : ''}`,
      { status: response.status },
    ),
    { headers: response.headers },
  )
}
