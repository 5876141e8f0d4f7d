// One request to the hub as it has to be made: the token goes to the endpoint's host alone, whoever redirects; cut connections, overload and
// limits are tried again after a while; every other fault is one line.
import { setTimeout as sleep } from 'node:timers/promises'
import { HubError, hasCode } from '../errors.ts'
import { parseJson } from '../files/read-json.ts'
import { retryAfter } from '../retry-after.ts'
import { VERSION } from '../version.ts'
import type { Watch } from '../work.ts'
import { CountedBlob } from './counted-blob.ts'
import { answerError, reasonOf } from './hub-faults.ts'
import type { HubSettings } from './hub-settings.ts'

/** What a request goes by. */
export interface HubContext {
  settings: HubSettings
  watch?: Watch | undefined
  /** Tries of a request; fewer where something stands in for an answer. */
  tries?: number | undefined
  /** Waits so many milliseconds before another try; tests give their own. */
  pause?: ((milliseconds: number) => Promise<void>) | undefined
}

/** A request, and who hears of it. */
export interface HubRequest extends RequestInit {
  /** Of what errors speak. */
  subject: string
  /** Hears of bytes of the body as they go; below 0 where some have to go again. */
  sent?: ((bytes: number) => void) | undefined
  /** What a refusal means where {@link answerError} would say something else. */
  explain?: ((response: Response) => Promise<HubError | undefined>) | undefined
  /** Whether it must not be made again where nobody knows if it was heard. */
  isOnce?: boolean | undefined
  /** Milliseconds without an answer or a byte, where they may be more than the settings say: some answers take work. */
  patience?: number | undefined
}

/** Tries of one request, and of a download since its last byte. */
export const TRIES = 5
const MAX_REDIRECTS = 10
/** A hub that asks for more patience than this is not waited for. */
const MAX_WAIT_SECONDS = 120
/** A listing takes some hundred bytes a file. */
const MAX_JSON_BYTES = 64 << 20

/** Milliseconds before try number `attempt` (from 1). */
export function backoff(attempt: number): number {
  return 500 * 2 ** (attempt - 1) * (1 + Math.random() / 4)
}

/** Waits; ends at once when the work is stopped. */
export async function pauseFor({ pause, watch }: HubContext, milliseconds: number): Promise<void> {
  if (pause !== undefined) await pause(milliseconds)
  else await sleep(milliseconds, undefined, watch?.signal && { signal: watch.signal })
  watch?.signal?.throwIfAborted()
}

/**
 * Asks for `address` and returns an answer that is one (2xx); of `subject` the errors speak. HubError otherwise. `idle` ends the answer's
 * body when nothing comes: call it whenever something came.
 */
export async function hubRequest(
  address: string,
  { subject, sent = () => {}, explain, isOnce, ...init }: HubRequest,
  context: HubContext,
): Promise<{ response: Response; idle: () => void }> {
  for (let attempt = 1; ; attempt++) {
    let error: HubError
    let wait = backoff(attempt)
    let gone = 0
    const count = (bytes: number): void => {
      gone += bytes
      sent(bytes)
    }
    try {
      const answer = await follow(address, { ...init, subject, sent: count }, context)
      const { response } = answer
      if (response.ok) return answer
      sent(-gone)
      error = (await explain?.(response)) ?? (await answerError(response, subject, context.settings))
      const asked = response.status === 429 ? retryAfter(response.headers) : undefined
      if (asked !== undefined && asked > MAX_WAIT_SECONDS) throw error
      if (asked !== undefined) wait = asked * 1000
      // Where the hub leads on to a store, the address is signed for a while: asked again, the hub gives a new one.
      const isExpired = [401, 403, 410].includes(response.status) && isElsewhere(response.url, address)
      if (!isExpired && !(isOnce ? [429, 503] : [408, 429, 500, 502, 503, 504]).includes(response.status)) throw error
    } catch (cause) {
      context.watch?.signal?.throwIfAborted()
      if (cause instanceof HubError) throw cause
      sent(-gone)
      error = new HubError(
        `${subject}: expected an answer from ${hostOf(address)}, got ${reasonOf(cause)}. Check the network, HF_ENDPOINT for a mirror, or set HF_HUB_OFFLINE=1 for what the cache has`,
        { cause },
      )
      if (isOnce || isHopeless(cause)) throw error
    }
    if (attempt >= (context.tries ?? TRIES)) throw error
    context.watch?.tell?.({
      type: 'notice',
      message: `${error.message.split('. ')[0]}; trying again in ${(wait / 1000).toFixed(1)} s`,
    })
    await pauseFor(context, wait)
  }
}

/** The JSON at `address`, of at most 64 MiB. HubError where it is no JSON: a portal that one has to log in to answers every address with a page. */
export async function hubJson(
  address: string,
  subject: string,
  context: HubContext,
): Promise<{ json: unknown; headers: Headers }> {
  const { response, idle } = await hubRequest(address, { subject, headers: { accept: 'application/json' } }, context)
  const isJson = /\bjson\b/i.test(response.headers.get('content-type') ?? '')
  if (!isJson) {
    await response.body?.cancel()
    throw strangeAnswer(subject, address, 'JSON', response.headers)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    idle()
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_JSON_BYTES)
      throw new HubError(
        `${subject}: expected an answer of at most ${MAX_JSON_BYTES} bytes from ${hostOf(address)}, got more`,
      )
  }
  return {
    json: parseJson(Buffer.concat(chunks).toString('utf8'), `${subject}, answer of ${hostOf(address)}`),
    headers: response.headers,
  }
}

/** A HubError for an answer of another kind. */
export function strangeAnswer(subject: string, address: string, expected: string, headers: Headers): HubError {
  const type = (headers.get('content-type') ?? 'no type').slice(0, 60)
  return new HubError(
    `${subject}: expected ${expected} from ${hostOf(address)}, got ${type}. Something in between may answer in its place, such as a network that one has to log in to: open any page in a browser, or check HF_ENDPOINT`,
  )
}

/** Follows redirects by hand: at each, what the token may be shown to is judged anew. */
async function follow(
  address: string,
  { subject, headers, body, sent, patience = 0, ...init }: HubRequest,
  { settings, watch }: HubContext,
): Promise<{ response: Response; idle: () => void }> {
  let url = new URL(address)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const stalled = new AbortController()
    const limit = Math.max(patience, settings.timeout)
    const timer = setTimeout(() => stalled.abort(new StalledError(limit)), limit)
    timer.unref()
    const signals = [stalled.signal, watch?.signal, init.signal].filter((signal) => signal != null)
    const own = new Headers(headers)
    own.set('user-agent', `anneal/${VERSION}`)
    // Sizes and positions are those of the file.
    own.set('accept-encoding', 'identity')
    own.delete('authorization')
    if (settings.token !== undefined && url.origin === new URL(settings.endpoint).origin)
      own.set('authorization', `Bearer ${settings.token}`)
    const moved = (bytes: number): void => {
      timer.refresh()
      sent?.(bytes)
    }
    const response = await fetch(url.href, {
      ...init,
      ...(body != null && { body: body instanceof Blob ? new CountedBlob(body, moved) : body }),
      headers: own,
      redirect: 'manual',
      signal: AbortSignal.any(signals),
    })
    const location = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null)
      return { response, idle: () => void timer.refresh() }
    clearTimeout(timer)
    await response.body?.cancel()
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    const isDowngrade = url.protocol === 'https:' && next?.protocol === 'http:'
    if (next === undefined || isDowngrade || !/^https?:$/.test(next.protocol))
      throw new HubError(
        `${subject}: expected ${url.host} to lead on to an https address, got ${JSON.stringify(location.slice(0, 100))}. Something in between may answer in its place, such as a network that one has to log in to`,
      )
    url = next
  }
  throw new HubError(`${subject}: expected at most ${MAX_REDIRECTS} redirects from ${hostOf(address)}, got more`)
}

/** No answer, or none of its bytes, for too long. */
class StalledError extends Error {
  constructor(milliseconds: number) {
    super(`nothing for ${milliseconds / 1000} s`)
  }
}

/** Trying again does not help where nobody is at the address or the certificate is wrong. */
function isHopeless(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? ''
  return (
    hasCode(cause, 'ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH') ||
    /CERT|^ERR_TLS|^ERR_SSL/.test(code)
  )
}

function isElsewhere(url: string, address: string): boolean {
  return URL.canParse(url) && new URL(url).origin !== new URL(address).origin
}

/** Host and port of an address. */
export function hostOf(address: string): string {
  return new URL(address).host
}
