// Calls in the words of OpenAI's chat completions.

import { randomUUID } from 'node:crypto'
import type { ChatDelta, ChatFinishReason } from '../../chat/answer.ts'
import { type Dialect, ServiceError, streamError } from './dialect.ts'
import type { AnswerToken, ModelPiece } from './model-call.ts'
import { note } from './trace.ts'

/** A chunk of a stream, as far as it is read. */
interface Chunk {
  error?: { message?: string; type?: string; code?: unknown } | null
  choices?:
    | {
        delta?: {
          content?: string | ContentPart[] | null
          reasoning_content?: string | null
          reasoning?: string | null
          tool_calls?: CallChunk[] | null
        }
        finish_reason?: string | null
        logprobs?: { content?: (TokenChunk & { top_logprobs?: TokenChunk[] | null })[] | null } | null
      }[]
    | null
  usage?: {
    prompt_tokens?: number | null
    completion_tokens?: number | null
    prompt_tokens_details?: { cached_tokens?: number } | null
    completion_tokens_details?: { reasoning_tokens?: number } | null
  } | null
}

interface CallChunk {
  index?: number | null
  id?: string | null
  function?: { name?: string | null; arguments?: string | object | null }
}

/** Some services give texts and thoughts as parts. */
interface ContentPart {
  text?: string
  thinking?: string | readonly { text?: string }[]
}

interface TokenChunk {
  token: string
  logprob: number
}

const FINISH: Readonly<Record<string, ChatFinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
}

export const openAi: Dialect = {
  path: '/chat/completions',
  keyName: 'OPENAI_API_KEY',
  tellsLogprobs: true,
  takesSeed: true,
  headers: (key) => (key === undefined ? {} : { authorization: `Bearer ${key}` }),
  body: ({ messages, tools, toolChoice, structure, ...settings }, model) => ({
    model,
    messages: messages.map(written),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: settings.maxTokens,
    temperature: settings.temperature,
    top_p: settings.topP,
    seed: settings.seed,
    stop: settings.stop,
    logprobs: settings.logprobs || settings.topLogprobs !== undefined || undefined,
    top_logprobs: settings.topLogprobs,
    tools,
    tool_choice:
      typeof toolChoice === 'object' ? { type: 'function', function: { name: toolChoice.name } } : toolChoice,
    response_format:
      structure !== undefined && 'json_schema' in structure
        ? { type: 'json_schema', json_schema: { name: 'answer', schema: structure.json_schema } }
        : undefined,
  }),
  async *pieces(events) {
    const calls = new CallPlaces()
    let usage: Chunk['usage']
    let finish: string | undefined
    for await (const event of events) {
      const { error, choices, usage: told } = event as Chunk
      if (error) throw streamError(error)
      usage = told ?? usage
      const choice = choices?.[0]
      finish = choice?.finish_reason ?? finish
      const deltas = deltasOf(choice?.delta ?? {}, calls)
      const tokens = choice?.logprobs?.content?.map(tokenOf) ?? []
      if (deltas.length + tokens.length > 0) yield { deltas, tokenIds: [], ...(tokens.length > 0 && { tokens }) }
    }
    if (finish === undefined) throw new ServiceError('stream: expected a finish reason, got an end without one')
    if (!Object.hasOwn(FINISH, finish)) note('connect', { finish_reason: finish })
    const { prompt_tokens, completion_tokens, prompt_tokens_details, completion_tokens_details } = usage ?? {}
    const end: ModelPiece = {
      deltas: [],
      tokenIds: [],
      finishReason: FINISH[finish] ?? 'stop',
      usage: {
        promptTokens: prompt_tokens ?? 0,
        completionTokens: completion_tokens ?? 0,
        cachedTokens: prompt_tokens_details?.cached_tokens ?? 0,
        reasoningTokens: completion_tokens_details?.reasoning_tokens ?? 0,
      },
    }
    yield end
  },
}

const tokenOf = ({
  token,
  logprob,
  top_logprobs: top,
}: TokenChunk & { top_logprobs?: TokenChunk[] | null }): AnswerToken => ({
  token,
  logprob,
  top: (top ?? []).map((other) => ({ token: other.token, logprob: other.logprob })),
})

type Written = Parameters<Dialect['body']>[0]['messages'][number]

/** Arguments of calls are texts there. */
function written(message: Written): Written {
  const { tool_calls: calls } = message
  if (!Array.isArray(calls)) return message
  const tool_calls = calls.map((call: { function: { arguments?: unknown } }) => {
    const { arguments: given } = call.function
    return typeof given === 'string'
      ? call
      : { ...call, function: { ...call.function, arguments: JSON.stringify(given ?? {}) } }
  })
  return { ...message, tool_calls }
}

type Delta = NonNullable<NonNullable<NonNullable<Chunk['choices']>[0]['delta']>>

function deltasOf(
  { content, reasoning_content, reasoning, tool_calls: chunks }: Delta,
  calls: CallPlaces,
): ChatDelta[] {
  const deltas: ChatDelta[] = []
  const thought = reasoning_content ?? reasoning
  if (thought) deltas.push({ type: 'reasoning', text: thought })
  for (const { text, thinking } of Array.isArray(content) ? content : [{ text: content } as ContentPart]) {
    const inner = Array.isArray(thinking) ? thinking.map((one: { text?: string }) => one.text ?? '').join('') : thinking
    if (inner) deltas.push({ type: 'reasoning', text: checkedText(inner) })
    if (text) deltas.push({ type: 'text', text: checkedText(text) })
  }
  for (const chunk of chunks ?? []) {
    const { index, begun } = calls.placeOf(chunk)
    if (begun !== undefined) deltas.push({ type: 'tool-call', index, ...begun })
    const { arguments: given } = chunk.function ?? {}
    // Some give the value itself, all at once.
    if (given)
      deltas.push({ type: 'tool-arguments', index, text: typeof given === 'string' ? given : JSON.stringify(given) })
  }
  return deltas
}

function checkedText(text: unknown): string {
  if (typeof text !== 'string') throw new TypeError(`a ${typeof text} in the place of a text`)
  return text
}

/** Which call a chunk belongs to. Some services leave out the index, or the id, or say index 0 of every call. */
class CallPlaces {
  readonly #ids: string[] = []
  readonly #byIndex = new Map<number, number>()

  placeOf({ index, id, function: called }: CallChunk): { index: number; begun?: { id: string; name: string } } {
    const known = typeof index === 'number' ? this.#byIndex.get(index) : this.#ids.length - 1
    const isOther = known === undefined || known < 0 || (id ? this.#ids[known] !== id : typeof index !== 'number')
    if (!called?.name || !isOther) return { index: Math.max(0, known ?? 0) }
    const place = this.#ids.length
    // The answer of its tool has to name it.
    const own = id || `call_${randomUUID().slice(0, 8)}`
    this.#ids.push(own)
    if (typeof index === 'number') this.#byIndex.set(index, place)
    return { index: place, begun: { id: own, name: called.name } }
  }
}
