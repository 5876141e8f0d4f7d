// What a model says, onto standard output as it comes; with `--json`, one object when it is complete.

import type { Generation, GenerationPiece } from '../lm/lm.ts'
import { printable } from '../printable.ts'
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
  const { finishReason, usage } = last
  if (!output.isJson) output.stdout.write('\n')
  output.emit({ text, token_ids: tokenIds, finish_reason: finishReason })
  const seconds = (performance.now() - (startedAt ?? 0)) / 1000
  const tokensPerSecond = tokenIds.length > 1 ? (tokenIds.length - 1) / seconds : undefined
  return { text, tokenIds, finishReason, usage, tokensPerSecond }
}
