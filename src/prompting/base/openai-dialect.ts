// Calls in the words of OpenAI's chat completions.

import type { ChatDelta, ChatFinishReason } from '../../chat/answer.ts'
import { type Dialect, ServiceError } from './dialect.ts'
import type { AnswerToken, ModelPiece } from './model-call.ts'

/** A chunk of a stream, as far as it is read. */
interface Chunk {
  error?: { message?: string } | undefined
  choices?: {
    delta?: {
      content?: string | null
      reasoning_content?: string | null
      reasoning?: string | null
      tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[]
    }
    finish_reason?: string | null
    logprobs?: { content?: (TokenChunk & { top_logprobs?: TokenChunk[] })[] | null } | null
  }[]
  usage?: {
    prompt_tokens?: number
    completion_tokens?: number
    prompt_tokens_details?: { cached_tokens?: number } | null
    completion_tokens_details?: { reasoning_tokens?: number } | null
  } | null
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
    const names = new Set<number>()
    let usage: Chunk['usage']
    let finish: string | undefined
    for await (const event of events) {
      const { error, choices = [], usage: told } = event as Chunk
      if (error !== undefined) throw new ServiceError(`stream: expected an answer, got an error: ${error.message}`)
      usage = told ?? usage
      const [choice] = choices
      finish = choice?.finish_reason ?? finish
      const deltas = deltasOf(choice?.delta ?? {}, names)
      const tokens = choice?.logprobs?.content?.map(tokenOf) ?? []
      if (deltas.length + tokens.length > 0) yield { deltas, tokenIds: [], ...(tokens.length > 0 && { tokens }) }
    }
    if (finish === undefined) throw new ServiceError('stream: expected a finish reason, got an end without one')
    const { prompt_tokens = 0, completion_tokens = 0, prompt_tokens_details, completion_tokens_details } = usage ?? {}
    const end: ModelPiece = {
      deltas: [],
      tokenIds: [],
      finishReason: FINISH[finish] ?? 'stop',
      usage: {
        promptTokens: prompt_tokens,
        completionTokens: completion_tokens,
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
  top_logprobs: top = [],
}: TokenChunk & { top_logprobs?: TokenChunk[] }): AnswerToken => ({
  token,
  logprob,
  top: top.map((other) => ({ token: other.token, logprob: other.logprob })),
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

function deltasOf(
  { content, reasoning_content, reasoning, tool_calls = [] }: NonNullable<NonNullable<Chunk['choices']>[0]['delta']>,
  names: Set<number>,
): ChatDelta[] {
  const deltas: ChatDelta[] = []
  const thought = reasoning_content ?? reasoning
  if (thought) deltas.push({ type: 'reasoning', text: thought })
  if (content) deltas.push({ type: 'text', text: content })
  for (const { index = 0, id = '', function: called } of tool_calls) {
    if (!names.has(index) && called?.name !== undefined) {
      names.add(index)
      deltas.push({ type: 'tool-call', index, id, name: called.name })
    }
    if (called?.arguments) deltas.push({ type: 'tool-arguments', index, text: called.arguments })
  }
  return deltas
}
