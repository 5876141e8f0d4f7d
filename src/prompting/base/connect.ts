// A model behind HTTP as programs ask it: services in the dialect of OpenAI, our own server among them, and in that of Anthropic.

import { UnsupportedError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { anthropic } from './anthropic-dialect.ts'
import { collectAnswer } from './collect-answer.ts'
import { type Cost, checkCost } from './cost.ts'
import { ServiceError } from './dialect.ts'
import { unitVectors } from './embed.ts'
import { firstTokenScores } from './first-token-scores.ts'
import { checkHeaders, posted, type Target } from './http.ts'
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
  /** The model there that gives vectors, for `embed`. Default: `model`. */
  embeddingModel?: string
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
  embeddingModel: true,
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
  if (typeof model !== 'string' || model === '')
    throw new UsageError('model: expected the name that the service calls it by, got none')
  const dialect = kind === 'anthropic' ? anthropic : openAi
  const key = options.key ?? process.env[dialect.keyName]
  const pace = new Pace({ concurrency: options.concurrency ?? 8, retries })
  const { fetch = globalThis.fetch } = options
  const targetOf = (path: string): Target => {
    const place = origin + pathname.replace(/\/+$/, '') + path
    return { address: place + search, place }
  }
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
    const body = JSON.stringify({ ...dialect.body(call, model), ...options.body })
    const target = targetOf(dialect.path)
    // Until the first piece nothing is given out: what fails before it can be tried again, errors within a stream too.
    const begin = async () => {
      const attempt = new AbortController()
      const both = AbortSignal.any([any, attempt.signal])
      const response = await posted(fetch, target, { method: 'POST', headers, body, signal: both }, timeoutSeconds, key)
      const events = eventsOf(response, timeoutSeconds, () => attempt.abort())
      const pieces = bounded(understood(dialect.pieces(events, call), kind), call.maxTokens)
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
  /** The vectors of some texts, by `/embeddings`. */
  const embed = async (texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> => {
    const body = JSON.stringify({ model: options.embeddingModel ?? model, input: texts, encoding_format: 'float' })
    const target = targetOf('/embeddings')
    const ask = async (): Promise<Float32Array[]> => {
      const any = AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)])
      const response = await posted(fetch, target, { method: 'POST', headers, body, signal: any }, timeoutSeconds, key)
      return vectorsOf(await response.text(), texts.length, target.place)
    }
    const entered = await pace.enter(signal)
    try {
      return await pace.try(ask, signal)
    } finally {
      entered.leave()
    }
  }
  return modelOf({
    name: model,
    holds: jsonSchema ? 'json_schema' : 'none',
    setup: { provider: kind },
    ...(cost !== undefined && { cost }),
    answer,
    ...(dialect === openAi && {
      embed: (texts: readonly string[], { signal = new AbortController().signal }: { signal?: AbortSignal } = {}) =>
        unitVectors(
          async () => (await Promise.all(chunks(texts).map((some) => embed(some, signal)))).flat(),
          texts,
          signal,
        ),
    }),
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

/** Texts of one request for vectors. */
const MOST_TEXTS = 256

const chunks = (texts: readonly string[]): (readonly string[])[] =>
  Array.from({ length: Math.ceil(texts.length / MOST_TEXTS) }, (_, i) =>
    texts.slice(i * MOST_TEXTS, (i + 1) * MOST_TEXTS),
  )

/** The vectors of a reply, in the order of the texts. */
function vectorsOf(reply: string, count: number, place: string): Float32Array[] {
  const vectors: (Float32Array | undefined)[] = Array.from({ length: count }, () => undefined)
  try {
    const { data } = JSON.parse(reply) as { data: { index?: number; embedding: readonly number[] }[] }
    for (const [i, { index = i, embedding }] of data.entries())
      if (Array.isArray(embedding) && index in vectors) vectors[index] = Float32Array.from(embedding)
  } catch {
    // Told below: what is not of the form has no vectors.
  }
  const found = vectors.filter((vector) => vector !== undefined)
  if (found.length === count) return found
  throw new ServiceError(`${place}: expected ${count} vectors, got ${found.length}: ${reply.slice(0, 80)}`)
}

/** Characters of an answer, whatever was asked for, and of a token of it on average: more is none that ends. */
const MOST_CHARACTERS = 2 ** 27
const MOST_OF_ANY = 2 ** 20
const MOST_OF_A_TOKEN = 1000

/** The same pieces; ServiceError where they become far more than was asked for, which a service that never ends would fill memory with. */
async function* bounded(
  pieces: AsyncGenerator<ModelPiece, void, undefined>,
  maxTokens: number | undefined,
): AsyncGenerator<ModelPiece, void, undefined> {
  const asked = maxTokens === undefined ? Number.POSITIVE_INFINITY : MOST_OF_ANY + MOST_OF_A_TOKEN * maxTokens
  const most = Math.min(MOST_CHARACTERS, asked)
  let length = 0
  for await (const piece of pieces) {
    for (const delta of piece.deltas) if ('text' in delta) length += delta.text.length
    if (length > most)
      throw new ServiceError(
        `stream: expected an answer of at most ${maxTokens === undefined ? `${most} characters` : `${maxTokens} tokens`}, got ${length} characters and no end`,
        { status: 400 }, // as if the service had refused: the same request would not do better
      )
    yield piece
  }
}
