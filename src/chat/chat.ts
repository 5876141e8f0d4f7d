// A conversation's next answer: what the assistant says, what it thinks before, and which tools it calls, told apart while it is written.

import type { FinishReason, GenerationPiece, Lm } from '../lm/lm.ts'
import type { ChatPiece, ChatUsage } from './answer.ts'
import { AnswerParser } from './answer-parser.ts'
import { planChat } from './plan.ts'
import type { ChatRequest } from './request.ts'
import { TextStops } from './text-stops.ts'

/**
 * Answers a conversation, piece by piece. Where tools are given, nothing but calls that keep to their schemas can come behind the mark that
 * opens one. UsageError for tools that are malformed, a choice that names none of them, or a `strict` schema that cannot be kept to.
 *
 * Stop strings of an answer that may have calls or thoughts are looked for in its text alone: none cuts a call.
 */
export async function* chat(lm: Lm, request: ChatRequest): AsyncGenerator<ChatPiece, void, undefined> {
  const { request: asked, parser: options, stop, notices } = planChat(lm, request)
  const parser = new AnswerParser(options)
  const stops = stop.length === 0 ? undefined : new TextStops(stop, request.minTokens ?? 0)
  const stopping = new AbortController()
  const signal =
    stops === undefined
      ? asked.signal
      : AbortSignal.any([stopping.signal, ...(request.signal === undefined ? [] : [request.signal])])
  let completionTokens = 0
  let reasoningTokens = 0
  let isFirst = true
  for await (const piece of lm.generate({ ...asked, ...(signal !== undefined && { signal }) })) {
    const { text, finishReason, usage, ...rest } = piece
    const isStopped = stops?.found !== undefined
    const isOpen = parser.reasoningEnd === undefined
    const deltas = parser.push(text)
    if (finishReason !== undefined) deltas.push(...parser.end())
    const tokens = completionTokens + piece.tokenIds.length
    if (parser.isThinking) reasoningTokens = tokens
    else if (isOpen && parser.reasoningEnd !== undefined)
      reasoningTokens = tokens - tokensBehind(lm, piece, parser.pushed - parser.reasoningEnd)
    const made: ChatPiece = {
      ...rest,
      deltas: stops?.filter(deltas, piece.tokenIds.length, finishReason !== undefined) ?? deltas,
    }
    if (stops?.found !== undefined) stopping.abort()
    if (isStopped)
      Object.assign(made, { tokenIds: [] }, made.logprobs && { logprobs: [] }) // made before it was told to end
    else completionTokens += piece.tokenIds.length
    if (isFirst && notices.length > 0) made.notices = notices
    isFirst = false
    if (finishReason !== undefined && usage !== undefined) {
      yield end(
        made,
        { finishReason, usage: { ...usage, completionTokens, reasoningTokens } },
        stops?.found,
        parser.calls,
      )
      return
    }
    yield made
  }
}

/** The last piece, with why the answer is over. */
function end(
  piece: ChatPiece,
  { finishReason, usage }: { finishReason: FinishReason; usage: ChatUsage },
  stop: string | undefined,
  calls: number,
): ChatPiece {
  const isOver = stop !== undefined || finishReason === 'stop'
  const reason = isOver ? (calls > 0 ? 'tool_calls' : 'stop') : finishReason
  if (stop === undefined) return { ...piece, finishReason: reason, usage }
  const { limit: _, ...rest } = piece
  return { ...rest, stop, finishReason: reason, usage }
}

/** Tokens at the end of a piece that made nothing but its last `length` units of text. */
function tokensBehind(lm: Lm, { text, tokenIds }: GenerationPiece, length: number): number {
  if (length <= 0 || tokenIds.length < 2 || lm.tokenBytes === undefined) return 0
  let bytes = new TextEncoder().encode(text.slice(-length)).length
  let count = 0
  for (const id of tokenIds.toReversed()) {
    bytes -= lm.tokenBytes(id).length
    if (bytes < 0) break
    count++
  }
  return count
}
