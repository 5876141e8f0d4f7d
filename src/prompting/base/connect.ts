// A model behind HTTP as programs ask it: services in the dialect of OpenAI, our own server among them, and in that of Anthropic.

import { UnsupportedError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { anthropic } from './anthropic-dialect.ts'
import { collectAnswer } from './collect-answer.ts'
import { type Cost, checkCost } from './cost.ts'
import { ServiceError } from './dialect.ts'
import { firstTokenScores } from './first-token-scores.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'
import { openAi } from './openai-dialect.ts'
import { Pace } from './pace.ts'
import { checkSeconds } from './seconds.ts'
import { eventsOf } from './server-events.ts'
import { note } from './trace.ts'

/** How a service is reached. */
export interface ConnectOptions {
  /** The model's name there. */
  model: string
  /** Default: OPENAI_API_KEY or ANTHROPIC_API_KEY of the environment, if there is one. */
  key?: string
  /** Whose words the service speaks. Default `openai`. */
  dialect?: 'openai' | 'anthropic'
  /** Whether it can be held to a JSON Schema (`response_format`). Default true; false asks for JSON in words and checks the answer. */
  jsonSchema?: boolean
  /** Calls at the same time at most; fewer while the service asks for patience. Default 8. */
  concurrency?: number
  /** Times to try again where the service or the way to it fails. Default 4. */
  retries?: number
  /** Seconds for an answer to begin, and from piece to piece. Default 120. */
  timeoutSeconds?: number
  /** Further headers. */
  headers?: Readonly<Record<string, string>>
  /** Further fields of every request, such as `{ reasoning_effort: 'low' }`. */
  body?: Readonly<Record<string, unknown>>
  /** What a million tokens cost, for traces and routes. */
  cost?: Cost
  /** Instead of the global one. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>
}

const OPTIONS: Readonly<Record<keyof ConnectOptions, true>> = {
  model: true,
  key: true,
  dialect: true,
  jsonSchema: true,
  concurrency: true,
  retries: true,
  timeoutSeconds: true,
  headers: true,
  body: true,
  cost: true,
  fetch: true,
}

/**
 * A model behind HTTP. `url` goes up to what comes before `/chat/completions`, or before `/messages` in the dialect of Anthropic.
 *
 * @example
 * const model = connect('http://127.0.0.1:8080/v1', { model: 'demo' })
 */
export function connect(url: string, options: ConnectOptions): Model {
  checkOptionNames('connect', options, OPTIONS)
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new UsageError(`connect: expected an address such as https://host/v1, got ${JSON.stringify(url)}`)
  const { username, password, search, origin, pathname } = new URL(url)
  if (username !== '' || password !== '')
    throw new UsageError(
      'connect: expected an address without a user and a password, got them. Give `key` or `headers`',
    )
  const { model, dialect: kind = 'openai', jsonSchema = true, timeoutSeconds = 120, retries = 4, cost } = options
  checkCost(cost)
  checkSeconds('timeoutSeconds', timeoutSeconds)
  const dialect = kind === 'anthropic' ? anthropic : openAi
  const key = options.key ?? process.env[dialect.keyName]
  const pace = new Pace({ concurrency: options.concurrency ?? 8, retries })
  const { fetch = globalThis.fetch } = options
  const place = origin + pathname.replace(/\/+$/, '') + dialect.path
  const target = { address: place + search, place }
  const headers = { 'content-type': 'application/json', ...dialect.headers(key), ...options.headers }
  checkHeaders(headers)
  async function* answer(call: ModelCall): AsyncGenerator<ModelPiece, void, undefined> {
    const { structure, signal } = call
    if (call.continueFinalMessage)
      throw new UnsupportedError(
        `${model}: expected a question, got the beginning of an answer to go on with. Use a model in this process`,
      )
    if (structure !== undefined && !('json_schema' in structure))
      throw new UnsupportedError(
        `${model}: expected a JSON Schema, which is all that a service is held to, got another structure`,
      )
    if ((call.logprobs || call.topLogprobs !== undefined) && !dialect.tellsLogprobs)
      throw new UnsupportedError(
        `${model}: expected a call without logprobs, which the dialect ${kind} has no words for`,
      )
    if (!dialect.takesSeed && call.seed !== undefined && call.drawnSeed === undefined)
      note('connect', { left: 'seed', dialect: kind })
    const stop = new AbortController()
    const any = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const init = {
      method: 'POST',
      headers,
      body: JSON.stringify({ ...dialect.body(call, model), ...options.body }),
    }
    // Until the first piece nothing is given out: what fails before it can be tried again, errors within a stream too.
    const begin = async () => {
      const attempt = new AbortController()
      const both = AbortSignal.any([any, attempt.signal])
      const response = await posted(fetch, target, { ...init, signal: both }, timeoutSeconds, key)
      const events = eventsOf(response, timeoutSeconds, () => attempt.abort())
      const pieces = understood(dialect.pieces(events, call), kind)
      return { first: await pieces.next(), rest: { [Symbol.asyncIterator]: () => pieces } }
    }
    const entered = await pace.enter(any)
    try {
      const { first, rest } = await pace.try(begin, any, (error, seconds) =>
        note('connect', { retried: error, waited: seconds, places: pace.places }),
      )
      if (!first.done) yield first.value
      yield* rest
    } finally {
      stop.abort()
      entered.leave()
    }
  }
  return modelOf({
    name: model,
    holds: jsonSchema ? 'json_schema' : 'none',
    setup: { provider: kind },
    ...(cost !== undefined && { cost }),
    answer,
    ...(dialect.tellsLogprobs && {
      score: async (call: ModelCall, texts: readonly string[]) => {
        const { tokens = [] } = await collectAnswer(
          answer({ ...call, maxTokens: 1, temperature: 0, topLogprobs: MOST_LOGPROBS }),
        )
        return firstTokenScores(tokens[0], texts, model)
      },
    }),
  })
}

/** As many as the services tell. */
const MOST_LOGPROBS = 20

/** UsageError, without the value, for what no header may have: the error of `fetch` would tell the key. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers))
    try {
      new Headers([[name, value]])
    } catch {
      const what = /^(authorization|x-api-key)$/.test(name) ? 'key' : `headers: ${name}`
      throw new UsageError(`${what}: expected characters that a header may have, got others, such as a line end`)
    }
}

/** Pieces of a service; ServiceError where what it sends is not of the dialect's form. */
async function* understood(
  pieces: AsyncIterable<ModelPiece>,
  kind: string,
): AsyncGenerator<ModelPiece, void, undefined> {
  try {
    yield* pieces
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new ServiceError(`stream: expected the words of ${kind}, got others or a part of them (${cause.message})`, {
      cause,
    })
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

/** A response that streams. ServiceError where the way, the service or the request is at fault; the first two are worth another try. */
async function posted(
  fetch: NonNullable<ConnectOptions['fetch']>,
  { address, place }: { address: string; place: string },
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
    throw new ServiceError(`${place}: expected an answer, got none (${(cause as Error).message})`, { cause })
  } finally {
    clearTimeout(timer)
  }
  if (response.ok) return response
  // Some services say the key that they were given.
  const said = await beginningOf(response, seconds)
  const text = (key ? said.replaceAll(key, '(key)') : said).replaceAll(/\s+/g, ' ').slice(0, 300)
  throw Object.assign(
    new ServiceError(`${place}: expected an answer, got HTTP ${response.status} ${text}`, { status: response.status }),
    { headers: response.headers },
  )
}
