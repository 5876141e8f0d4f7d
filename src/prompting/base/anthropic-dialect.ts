// Calls in the words of Anthropic's messages.

import type { ChatDelta, ChatFinishReason } from '../../chat/answer.ts'
import { UnsupportedError } from '../../errors.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { type Dialect, ServiceError, streamError } from './dialect.ts'
import type { ModelCall } from './model-call.ts'

/** An event of a stream, as far as it is read. */
interface Event {
  type?: string
  index?: number
  error?: { message?: string; type?: string }
  message?: { usage?: Counts }
  content_block?: { type?: string; id?: string; name?: string }
  delta?: { type?: string; text?: string; thinking?: string; partial_json?: string; stop_reason?: string | null }
  usage?: Counts
}

interface Counts {
  input_tokens?: number
  output_tokens?: number
  cache_read_input_tokens?: number | null
  cache_creation_input_tokens?: number | null
}

const FINISH: Readonly<Record<string, ChatFinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}
/** The service asks for a bound. */
const MOST_TOKENS = 4096
/** A schema is kept by a tool of this name that has to be called. */
const ANSWER = 'answer'

export const anthropic: Dialect = {
  path: '/messages',
  keyName: 'ANTHROPIC_API_KEY',
  tellsLogprobs: false,
  takesSeed: false,
  headers: (key) => ({ 'anthropic-version': '2023-06-01', ...(key !== undefined && { 'x-api-key': key }) }),
  body: (call, model) => {
    const system = call.messages.filter(({ role }) => role === 'system').map(({ content }) => String(content))
    return {
      model,
      stream: true,
      max_tokens: call.maxTokens ?? MOST_TOKENS,
      ...(system.length > 0 && { system: system.join('\n\n') }),
      messages: turnsOf(call.messages.filter(({ role }) => role !== 'system')),
      temperature: call.temperature,
      top_p: call.topP,
      stop_sequences: call.stop,
      ...toolsOf(call),
    }
  },
  async *pieces(events, call) {
    const isBound = call.structure !== undefined
    const places = new Map<number, number>()
    let counts: Counts = {}
    let finish: string | undefined
    for await (const event of events) {
      const { type, index = 0, content_block: block, delta = {}, error, ...rest } = event as Event
      if (type === 'error') throw streamError(error ?? {})
      counts = { ...counts, ...rest.message?.usage, ...rest.usage }
      finish = delta.stop_reason ?? finish
      const deltas: ChatDelta[] = []
      if (type === 'content_block_start' && block?.type === 'tool_use' && !isBound) {
        places.set(index, places.size)
        deltas.push({ type: 'tool-call', index: places.get(index)!, id: block.id ?? '', name: block.name ?? '' })
      }
      if (delta.text) deltas.push({ type: 'text', text: delta.text })
      if (delta.thinking) deltas.push({ type: 'reasoning', text: delta.thinking })
      if (delta.partial_json && isBound) deltas.push({ type: 'text', text: delta.partial_json })
      else if (delta.partial_json)
        deltas.push({ type: 'tool-arguments', index: places.get(index) ?? 0, text: delta.partial_json })
      if (deltas.length > 0) yield { deltas, tokenIds: [] }
    }
    if (finish === undefined) throw new ServiceError('stream: expected a stop reason, got an end without one')
    const { input_tokens = 0, output_tokens = 0, cache_read_input_tokens, cache_creation_input_tokens } = counts
    const cachedTokens = cache_read_input_tokens ?? 0
    const finishReason = isBound && finish === 'tool_use' ? 'stop' : (FINISH[finish] ?? 'stop')
    yield {
      deltas: [],
      tokenIds: [],
      finishReason,
      usage: {
        promptTokens: input_tokens + cachedTokens + (cache_creation_input_tokens ?? 0),
        completionTokens: output_tokens,
        cachedTokens,
        reasoningTokens: 0,
      },
    }
  },
}

function toolsOf({ tools, toolChoice, structure }: ModelCall): Record<string, unknown> {
  if (structure !== undefined && 'json_schema' in structure) {
    if (tools !== undefined)
      throw new UnsupportedError('tools: expected them without a typed answer in the dialect of Anthropic, got both')
    const schema = structure.json_schema as { type?: unknown }
    if (schema.type !== 'object')
      throw new UnsupportedError(
        'as: expected an object in the dialect of Anthropic, got another type. Put the value into one',
      )
    return { tools: [{ name: ANSWER, input_schema: schema }], tool_choice: { type: 'tool', name: ANSWER } }
  }
  if (tools === undefined || toolChoice === 'none') return {}
  const choice = typeof toolChoice === 'object' ? { type: 'tool', name: toolChoice.name } : undefined
  return {
    tools: tools.map(({ function: { name, description, parameters } }) => ({
      name,
      ...(description !== undefined && { description }),
      input_schema: parameters ?? { type: 'object' },
    })),
    tool_choice: choice ?? { type: toolChoice === 'required' ? 'any' : 'auto' },
  }
}

/** Calls and what tools answered as blocks; answers one behind another stand in one turn of the user. */
function turnsOf(messages: readonly ChatMessage[]): unknown[] {
  const turns: { role: string; content: unknown }[] = []
  let results: unknown[] | undefined
  for (const { role, content, tool_calls: calls, tool_call_id: id } of messages) {
    if (role === 'tool') {
      const result = { type: 'tool_result', tool_use_id: id, content: String(content) }
      if (results !== undefined) results.push(result)
      else {
        results = [result]
        turns.push({ role: 'user', content: results })
      }
      continue
    }
    results = undefined
    const used = Array.isArray(calls) ? calls.map(usedTool) : []
    const text = typeof content === 'string' && content !== '' ? [{ type: 'text', text: content }] : []
    turns.push({ role, content: used.length > 0 ? [...text, ...used] : content })
  }
  return turns
}

function usedTool({ id, function: called }: { id?: string; function: { name: string; arguments?: unknown } }): unknown {
  const { name, arguments: given = {} } = called
  return { type: 'tool_use', id, name, input: inputOf(given) }
}

/** The service takes objects alone and refuses the whole call else, so what a model wrote that is none stands in one. */
function inputOf(given: unknown): unknown {
  let input = given
  try {
    if (typeof given === 'string') input = JSON.parse(given || '{}')
  } catch {
    // It stands as the text that it is.
  }
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? input : { arguments: given }
}
