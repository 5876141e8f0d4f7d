// What a model says, onto standard output as it comes; with `--json`, one object when it is complete.

import type { Generation, GenerationPiece } from '../lm/lm.ts'
import { printable } from '../printable.ts'
import { counted } from '../report/amounts.ts'
import type { Output } from './output.ts'

export interface WrittenReply extends Generation {
  /** Without the first token, whose time is the prompt's; undefined for a reply of one token. */
  tokensPerSecond: number | undefined
}

/** Writes a continuation and a line end. A terminal gets printable text, a pipe the text as it is. */
export async function writeReply(pieces: AsyncIterable<GenerationPiece>, output: Output): Promise<WrittenReply> {
  const tokenIds: number[] = []
  let text = ''
  let last: GenerationPiece | undefined
  let startedAt: number | undefined
  for await (const piece of pieces) {
    startedAt ??= performance.now()
    tokenIds.push(...piece.tokenIds)
    text += piece.text
    last = piece
    if (!output.isJson && piece.text !== '')
      output.stdout.write(output.stdout.isTTY ? printable(piece.text) : piece.text)
  }
  if (last?.finishReason === undefined || last.usage === undefined) throw new Error('a reply ended without a reason')
  const { finishReason, limit, usage } = last
  const cut = limit !== undefined && { limit }
  if (!output.isJson) output.stdout.write('\n')
  output.emit({ text, token_ids: tokenIds, finish_reason: finishReason, ...cut })
  const seconds = (performance.now() - (startedAt ?? 0)) / 1000
  const tokensPerSecond = tokenIds.length > 1 ? (tokenIds.length - 1) / seconds : undefined
  return { text, tokenIds, finishReason, ...cut, usage, tokensPerSecond }
}

/** Why a reply ended, for people. */
export function whyEnded({ finishReason, limit, usage }: Generation, contextLength: number): string {
  if (finishReason === 'stop') return 'the text ended'
  if (finishReason === 'aborted') return 'stopped'
  return limit === 'context'
    ? `the context of ${counted(contextLength, 'token')} is full`
    : `the limit of ${counted(usage.completionTokens, 'token')} was reached`
}
