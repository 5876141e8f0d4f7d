// A conversation's next answer: what the assistant says, what it thinks before, and which tools it calls, told apart while it is written.

import type { Structure } from '../grammar/grammar.ts'
import type { FinishReason, GenerateOptions, Lm, TokenLogProb, Usage } from '../lm/lm.ts'
import type { ChatMessage } from '../text/chat-template.ts'

/** A function that the model may call, as in the OpenAI API. */
export interface Tool {
  type: 'function'
  function: {
    name: string
    description?: string
    /** JSON Schema of the arguments, an object; without one, any object. */
    parameters?: unknown
    strict?: boolean | null
  }
}

/** Whether tools are called: `none` never, `auto` as the model likes, `required` at least one, `{ name }` this one. */
export type ToolChoice = 'none' | 'auto' | 'required' | { name: string }

/** What to answer, and how. */
export interface ChatRequest extends Omit<GenerateOptions, 'skipSpecialTokens'> {
  messages: readonly ChatMessage[]
  tools?: readonly Tool[]
  /** Default `auto` where there are tools. */
  toolChoice?: ToolChoice
  /** Whether one answer may have several calls; default true. */
  parallelToolCalls?: boolean
  /** What the answer's own text has to be; reasoning before it and tool calls are not bound by it. */
  structure?: Structure
  /** Further variables of the chat template, such as `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>>
  /** Documents for templates that have a place for them. */
  documents?: readonly unknown[]
  /** Default true: the answer begins a turn of the assistant. */
  addGenerationPrompt?: boolean
  /** The last message is the beginning of the answer and is gone on with. */
  continueFinalMessage?: boolean
}

/** What a piece of an answer adds. A call's name comes once and whole, its arguments in parts that join to JSON. */
export type ChatDelta =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'tool-call'; index: number; id: string; name: string }
  | { type: 'tool-arguments'; index: number; text: string }

/** `tool_calls`: the answer ended and has calls in it. */
export type ChatFinishReason = FinishReason | 'tool_calls'

/** Tokens read and made, those of reasoning told apart. */
export interface ChatUsage extends Usage {
  /** Those of `completionTokens` that reasoning took, with its marks. */
  reasoningTokens: number
}

/** A part of an answer as it comes: what `GenerationPiece` has, its text told apart. */
export interface ChatPiece {
  deltas: readonly ChatDelta[]
  tokenIds: readonly number[]
  logprobs?: readonly TokenLogProb[]
  promptLogprobs?: readonly (TokenLogProb | null)[]
  /** In the last piece only, as are the following. */
  finishReason?: ChatFinishReason
  stop?: string | number
  limit?: 'max_new_tokens' | 'context'
  usage?: ChatUsage
}

/** A call of a tool. */
export interface ToolCall {
  id: string
  name: string
  /** JSON of an object; cut where `finishReason` is `length` or `aborted`. */
  arguments: string
}

/** A whole answer: the fold of its pieces. */
export interface ChatAnswer {
  text: string
  reasoning: string
  toolCalls: readonly ToolCall[]
  tokenIds: readonly number[]
  logprobs?: readonly TokenLogProb[]
  promptLogprobs?: readonly (TokenLogProb | null)[]
  finishReason: ChatFinishReason
  stop?: string | number
  limit?: 'max_new_tokens' | 'context'
  usage: ChatUsage
}

/** Answers a conversation, piece by piece. UsageError for tools that are malformed, or a choice that names none of them. */
export async function* chat(lm: Lm, request: ChatRequest): AsyncGenerator<ChatPiece, void, undefined> {
  for await (const { text, finishReason, usage, ...rest } of lm.generate(request)) {
    yield {
      ...rest,
      deltas: text === '' ? [] : [{ type: 'text', text }],
      ...(finishReason !== undefined && { finishReason }),
      ...(usage !== undefined && { usage: { ...usage, reasoningTokens: 0 } }),
    }
  }
}

/** Waits for an answer to end and joins its pieces. */
export async function collectChat(pieces: AsyncIterable<ChatPiece>): Promise<ChatAnswer> {
  let text = ''
  let reasoning = ''
  const toolCalls: ToolCall[] = []
  const tokenIds: number[] = []
  const logprobs: TokenLogProb[] = []
  let promptLogprobs: ChatPiece['promptLogprobs']
  for await (const piece of pieces) {
    for (const delta of piece.deltas) {
      if (delta.type === 'text') text += delta.text
      else if (delta.type === 'reasoning') reasoning += delta.text
      else if (delta.type === 'tool-call') toolCalls[delta.index] = { id: delta.id, name: delta.name, arguments: '' }
      else toolCalls[delta.index]!.arguments += delta.text
    }
    tokenIds.push(...piece.tokenIds)
    logprobs.push(...(piece.logprobs ?? []))
    promptLogprobs ??= piece.promptLogprobs
    const { finishReason, stop, limit, usage } = piece
    if (finishReason === undefined || usage === undefined) continue
    return {
      text,
      reasoning,
      toolCalls,
      tokenIds,
      ...(logprobs.length > 0 && { logprobs }),
      ...(promptLogprobs !== undefined && { promptLogprobs }),
      finishReason,
      ...(stop !== undefined && { stop }),
      ...(limit !== undefined && { limit }),
      usage,
    }
  }
  throw new Error('an answer ended without a finish reason')
}
