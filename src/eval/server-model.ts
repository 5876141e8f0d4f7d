// A model behind an address: any server with OpenAI's `/v1/completions`. Likelihoods come from `echo` with `logprobs`, where the text that was
// sent is told back token by token; where the continuation begins is told by `text_offset`.

import { InputError, UsageError } from '../errors.ts'
import { askServer, parsedJson, reasonOf } from './ask-server.ts'
import { beforeStops, newTokensOf, samplingOf, stopsOf } from './lm-model.ts'
import type { Answer, AnswerOptions, EvalModel } from './model.ts'
import type { EvalRequest } from './requests.ts'
import { brief } from './task-config.ts'

const AT_ONCE = 8

/** How a server is asked. */
export interface ServerOptions {
  /** The model's name there; default: the first one that `/v1/models` lists. */
  model?: string
  /** Sent as a bearer token; default: the environment's OPENAI_API_KEY. */
  apiKey?: string | undefined
  /** Milliseconds before a request is tried again, times two each time. */
  pause?: number
}

interface Completion {
  text?: string
  logprobs?: {
    tokens: readonly string[]
    token_logprobs: readonly (number | null)[]
    top_logprobs?: readonly (Readonly<Record<string, number>> | null)[] | null
    text_offset: readonly number[]
  } | null
}

/** Makes a model of an address such as `http://localhost:8000`, with or without `/v1` and `/completions`. */
export async function serverModel(address: string, options: ServerOptions = {}): Promise<EvalModel> {
  const base = address
    .replace(/\/+$/, '')
    .replace(/\/completions$/, '')
    .replace(/\/v1$/, '')
  const server = new Server(`${base}/v1`, options)
  const model = options.model ?? (await server.firstModel())
  return {
    name: model,
    identity: `${base} ${model}`,
    facts: { model_source: 'openai-completions', base_url: base },
    answer: (requests, asked) => answerAll(server, model, requests, asked),
  }
}

async function answerAll(
  server: Server,
  model: string,
  requests: readonly EvalRequest[],
  asked: AnswerOptions,
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < requests.length) {
      const index = next++
      asked.signal?.throwIfAborted()
      asked.take(index, await answerOne(server, model, requests[index]!, asked))
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, requests.length) }, work))
}

async function answerOne(
  server: Server,
  model: string,
  request: EvalRequest,
  { seed, signal }: AnswerOptions,
): Promise<Answer> {
  if (request.kind === 'generate_until') {
    const { generation, context, repeat } = request
    const { temperature = 0, topP, seed: drawn } = samplingOf(generation, seed + repeat)
    const stop = stopsOf(generation)
    const body = {
      prompt: context,
      max_tokens: newTokensOf(generation),
      temperature,
      ...(topP !== undefined && { top_p: topP }),
      ...(drawn !== undefined && { seed: drawn }),
      ...(stop.length > 0 && { stop: stop.slice(0, 4) }),
    }
    const { failed, choice } = await server.complete({ model, ...body }, signal)
    if (failed !== undefined) return { failed }
    const { text } = choice!
    return typeof text === 'string'
      ? { text: beforeStops(text, stop) }
      : { failed: `expected a text from the server, got ${brief(text)}` }
  }
  const [context, continuation] =
    request.kind === 'loglikelihood' ? [request.context, request.continuation] : ['', request.text]
  const prompt = context + continuation
  // One token is made because not every server makes none; it is not looked at.
  const { failed, choice } = await server.complete(
    { model, prompt, max_tokens: 1, temperature: 0, logprobs: 1, echo: true },
    signal,
  )
  if (failed !== undefined) return { failed }
  const { logprobs } = choice!
  if (!isWhole(logprobs)) return { failed: 'the server gave no logprobs for the prompt (echo with logprobs)' }
  return judged(logprobs, context.replace(/\s+$/u, ''), prompt, request.kind === 'loglikelihood')
}

/** Whether logprobs are what `judged` reads: a text, an offset and a number (or null) for each token. Servers leave out any of them. */
function isWhole(logprobs: Completion['logprobs']): logprobs is NonNullable<Completion['logprobs']> {
  const { tokens, token_logprobs: numbers, text_offset: offsets, top_logprobs: tops } = logprobs ?? {}
  const isList = (list: unknown, isItem: (item: unknown) => boolean): boolean =>
    Array.isArray(list) && list.length === tokens!.length && list.every(isItem)
  return (
    Array.isArray(tokens) &&
    isList(tokens, (token) => typeof token === 'string') &&
    isList(numbers, (value) => value === null || typeof value === 'number') &&
    isList(offsets, (value) => Number.isInteger(value)) &&
    (tops === undefined || tops === null || isList(tops, (top) => typeof top === 'object'))
  )
}

/** Sums the tokens that begin at the end of the context or behind it, up to the end of what was sent. */
function judged(
  { tokens, token_logprobs: logprobs, top_logprobs: tops, text_offset: offsets }: NonNullable<Completion['logprobs']>,
  context: string,
  prompt: string,
  isPair: boolean,
): Answer {
  // A start token that the server put before the text shifts all offsets by its own length on some servers.
  const first = tokens[0] ?? ''
  const isStart = first !== '' && !prompt.startsWith(first)
  const shift = isStart && (offsets[1] ?? 0) > 0 ? Array.from(first).length : 0
  const begin = Array.from(context).length + shift
  const end = Array.from(prompt).length + shift
  let sum = 0
  let isGreedy = true
  let count = 0
  let isJoined = false
  for (let i = isStart ? 1 : 0; i < tokens.length; i++) {
    const offset = offsets[i]!
    if (offset >= end) break
    const next = offsets[i + 1] ?? offset + Array.from(tokens[i]!).length
    if (offset < begin) {
      if (next > begin) isJoined = true
      continue
    }
    const logprob = logprobs[i]
    // Nothing stands before the first token of all, unless the server put a start token there.
    if (logprob === null || logprob === undefined) continue
    count++
    sum += logprob
    const top = tops?.[i]
    if (top && Object.entries(top).some(([token, value]) => token !== tokens[i] && value > logprob)) isGreedy = false
  }
  if (count === 0 && !isJoined)
    return { failed: 'the server gave no number for a text of one token without a start token' }
  return isPair ? { sum, isGreedy, tokens: count, ...(isJoined && { isJoined: true as const }) } : { sum }
}

class Server {
  readonly #address: string
  readonly #headers: Record<string, string>
  readonly #pause: number

  constructor(address: string, { apiKey = process.env.OPENAI_API_KEY, pause = 500 }: ServerOptions) {
    this.#address = address
    this.#headers = {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    }
    this.#pause = pause
  }

  async firstModel(): Promise<string> {
    const url = `${this.#address}/models`
    let response: Response
    try {
      response = await fetch(url, { headers: this.#headers })
    } catch (cause) {
      throw new UsageError(`model: expected a server at ${url}, got ${reasonOf(cause)}. Is it running?`, { cause })
    }
    const text = response.ok ? await response.text() : ''
    const listed = parsedJson(text) as { data?: readonly { id?: unknown }[] } | null | undefined
    const id = listed?.data?.[0]?.id
    if (typeof id === 'string') return id
    throw new InputError(
      `${url}: expected a list of models, got ${response.status}. Is it an OpenAI-compatible server?`,
    )
  }

  /** One completion, or why there is none. */
  async complete(body: object, signal: AbortSignal | undefined): Promise<{ choice?: Completion; failed?: string }> {
    const read = (answer: unknown): Completion | undefined => {
      const choice = (answer as { choices?: readonly (Completion | null)[] } | null)?.choices?.[0]
      return typeof choice === 'object' && choice !== null ? choice : undefined
    }
    const asked = { headers: this.#headers, body, wanted: 'choices', pause: this.#pause, signal }
    const { answer, failed } = await askServer(`${this.#address}/completions`, read, asked)
    return answer === undefined ? { failed: failed! } : { choice: answer }
  }
}
