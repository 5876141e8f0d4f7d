// What an answer is: its pieces as they come, and their fold.

import type { FinishReason, TokenLogProb, Usage } from '../lm/lm.ts'

/** What a piece of an answer adds. A call's name comes once and whole, its arguments in parts that join to JSON. */
export type ChatDelta =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'tool-call'; index: number; id: string; name: string }
  | { type: 'tool-arguments'; index: number; text: string }

/** `tool_calls`: the answer ended and has calls in it; `content_filter`: a rule refused it, and what stands there is said in its place. */
export type ChatFinishReason = FinishReason | 'tool_calls' | 'content_filter'

/** Tokens read and made, those of reasoning told apart. */
export interface ChatUsage extends Usage {
  /** Those of `completionTokens` that reasoning took, with its marks. */
  reasoningTokens: number
}

/** A part of an answer as it comes: what `GenerationPiece` has, its text told apart. */
export interface ChatPiece {
  /** In the first piece only: what was done that the request does not say, as `chatNotices` tells. */
  notices?: readonly string[]
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
  notices?: readonly string[]
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

/** Waits for an answer to end and joins its pieces. */
export async function collectChat(pieces: AsyncIterable<ChatPiece> | Iterable<ChatPiece>): Promise<ChatAnswer> {
  let text = ''
  let reasoning = ''
  const toolCalls: ToolCall[] = []
  const tokenIds: number[] = []
  const logprobs: TokenLogProb[] = []
  let notices: ChatPiece['notices']
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
    notices ??= piece.notices
    const { finishReason, stop, limit, usage } = piece
    if (finishReason === undefined || usage === undefined) continue
    return {
      ...(notices !== undefined && { notices }),
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
