// An answer's pieces as one.

import { collectChat } from '../../chat/answer.ts'
import type { AnswerToken, ModelAnswer, ModelPiece } from './model-call.ts'

/** Waits for an answer to end and joins its pieces. */
export async function collectAnswer(pieces: AsyncIterable<ModelPiece> | Iterable<ModelPiece>): Promise<ModelAnswer> {
  const tokens: AnswerToken[] = []
  const answer = await collectChat(listened(pieces, tokens))
  return tokens.length > 0 ? { ...answer, tokens } : answer
}

async function* listened(
  pieces: AsyncIterable<ModelPiece> | Iterable<ModelPiece>,
  tokens: AnswerToken[],
): AsyncGenerator<ModelPiece, void, undefined> {
  for await (const piece of pieces) {
    if (piece.tokens !== undefined) tokens.push(...piece.tokens)
    yield piece
  }
}
