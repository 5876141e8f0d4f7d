// An answer's pieces as one.

import { collectChat } from '../../chat/answer.ts'
import type { AnswerToken, CacheHit, ModelAnswer, ModelPiece } from './model-call.ts'

/** Waits for an answer to end and joins its pieces. */
export async function collectAnswer(pieces: AsyncIterable<ModelPiece> | Iterable<ModelPiece>): Promise<ModelAnswer> {
  const heard: Heard = { tokens: [] }
  const answer = await collectChat(listened(pieces, heard))
  const { tokens, cached, unkept } = heard
  return {
    ...answer,
    ...(unkept !== undefined && { unkept }),
    ...(tokens.length > 0 && { tokens }),
    ...(cached !== undefined && { cached }),
  }
}

interface Heard {
  readonly tokens: AnswerToken[]
  cached?: CacheHit
  unkept?: string
}

async function* listened(
  pieces: AsyncIterable<ModelPiece> | Iterable<ModelPiece>,
  heard: Heard,
): AsyncGenerator<ModelPiece, void, undefined> {
  for await (const piece of pieces) {
    if (piece.tokens !== undefined) heard.tokens.push(...piece.tokens)
    if (piece.unkept !== undefined) heard.unkept = piece.unkept
    if (piece.cached !== undefined) heard.cached ??= piece.cached
    yield piece
  }
}
