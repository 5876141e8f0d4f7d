// Answers that were made before, as they would have come.

import type { ChatUsage } from '../../chat/answer.ts'
import type { CacheHit, ModelAnswer, ModelPiece } from './model-call.ts'

/** What an answer costs that was made before. */
export const NOTHING: ChatUsage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }

/** A kept answer as it would have come. */
export function* piecesOf(answer: ModelAnswer, hit: Omit<CacheHit, 'usage'>): Generator<ModelPiece, void, undefined> {
  const { text, reasoning, toolCalls, tokenIds, notices, cached: _, usage, ...rest } = answer
  const deltas: ModelPiece['deltas'] = [
    ...(reasoning === '' ? [] : [{ type: 'reasoning' as const, text: reasoning }]),
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...toolCalls.flatMap(({ id, name, arguments: given }, index) => [
      { type: 'tool-call' as const, index, id, name },
      { type: 'tool-arguments' as const, index, text: given },
    ]),
  ]
  yield {
    ...(notices !== undefined && { notices }),
    cached: { ...hit, usage },
    deltas,
    tokenIds,
    ...rest,
    usage: NOTHING,
  }
}
