// An answer as the AI SDK hears it: blocks of text and reasoning that begin and end, calls of tools with their input as it is written.

import type { ChatDelta, ChatFinishReason, ChatPiece, ChatUsage } from '../chat/answer.ts'
import type { TokenLogProb } from '../lm/lm.ts'
import type { AnswerEnd, AnswerEvent, AnswerPart, JsonObject } from './specification.ts'

/** The block that was begun last. */
type Open = { type: 'text' | 'reasoning'; id: string } | { type: 'tool'; id: string; toolName: string; input: string }

/** What a stream tells, from the first block to `finish`. Throws the signal's reason where the answer was aborted. */
export async function* answerEvents(
  pieces: AsyncIterable<ChatPiece>,
  { signal, hasRaw = false }: { signal?: AbortSignal | undefined; hasRaw?: boolean | undefined } = {},
): AsyncGenerator<AnswerEvent, void, undefined> {
  const blocks = new Blocks()
  const logprobs: TokenLogProb[] = []
  for await (const piece of pieces) {
    if (hasRaw) yield { type: 'raw', rawValue: piece }
    for (const delta of piece.deltas) yield* blocks.add(delta)
    logprobs.push(...(piece.logprobs ?? []))
    if (piece.finishReason === 'aborted')
      throw signal?.reason ?? new DOMException('The answer was aborted.', 'AbortError')
    if (piece.finishReason === undefined) continue
    yield* blocks.end()
    yield { type: 'finish', ...endOf(piece, piece.finishReason, piece.usage!, logprobs) }
    return
  }
  throw new Error('an answer ended without a finish reason')
}

/** The whole answer: the fold of its events. */
export async function collectAnswer(
  events: AsyncIterable<AnswerEvent>,
): Promise<{ content: AnswerPart[]; end: AnswerEnd }> {
  const content: AnswerPart[] = []
  const texts = new Map<string, { text: string }>()
  for await (const event of events) {
    if (event.type === 'text-start' || event.type === 'reasoning-start') {
      const part = { type: event.type === 'text-start' ? ('text' as const) : ('reasoning' as const), text: '' }
      texts.set(event.id, part)
      content.push(part)
    } else if (event.type === 'text-delta' || event.type === 'reasoning-delta') texts.get(event.id)!.text += event.delta
    else if (event.type === 'tool-call') content.push(event)
    else if (event.type === 'finish') {
      const { type, ...end } = event
      return { content, end }
    }
  }
  throw new Error('an answer ended without a finish reason')
}

class Blocks {
  #open: Open | undefined
  #texts = 0

  /** What a delta tells. */
  add(delta: ChatDelta): AnswerEvent[] {
    if (delta.type === 'tool-call') {
      const ended = this.end()
      this.#open = { type: 'tool', id: delta.id, toolName: delta.name, input: '' }
      return [...ended, { type: 'tool-input-start', id: delta.id, toolName: delta.name }]
    }
    if (delta.type === 'tool-arguments') {
      if (this.#open?.type !== 'tool') throw new Error('arguments came without a call of a tool')
      this.#open.input += delta.text
      return [{ type: 'tool-input-delta', id: this.#open.id, delta: delta.text }]
    }
    const { type, text } = delta
    if (this.#open?.type === type) return [{ type: `${type}-delta`, id: this.#open.id, delta: text }]
    const ended = this.end()
    const id = String(this.#texts++)
    this.#open = { type, id }
    return [...ended, { type: `${type}-start`, id }, { type: `${type}-delta`, id, delta: text }]
  }

  /** Ends the block that is open. */
  end(): AnswerEvent[] {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return []
    if (open.type !== 'tool') return [{ type: `${open.type}-end`, id: open.id }]
    const { id, toolName, input } = open
    return [
      { type: 'tool-input-end', id },
      { type: 'tool-call', toolCallId: id, toolName, input },
    ]
  }
}

const UNIFIED = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
} as const

function endOf(
  { stop, limit }: ChatPiece,
  reason: Exclude<ChatFinishReason, 'aborted'>,
  usage: ChatUsage,
  logprobs: readonly TokenLogProb[],
): AnswerEnd {
  const { promptTokens, completionTokens, cachedTokens = 0, reasoningTokens } = usage
  const own = {
    ...(stop !== undefined && { stop }),
    ...(limit !== undefined && { limit }),
    ...(logprobs.length > 0 && { logprobs }),
  }
  return {
    finishReason: {
      unified: UNIFIED[reason],
      raw: reason,
    },
    usage: {
      inputTokens: {
        total: promptTokens,
        noCache: promptTokens - cachedTokens,
        cacheRead: cachedTokens,
        cacheWrite: undefined,
      },
      outputTokens: {
        total: completionTokens,
        text: completionTokens - reasoningTokens,
        reasoning: reasoningTokens,
      },
      raw: { ...usage },
    },
    providerMetadata: { anneal: own as unknown as JsonObject },
  }
}
