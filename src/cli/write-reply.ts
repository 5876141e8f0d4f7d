// What a model says, onto standard output as it comes; with `--json`, one object when it is complete.

import { collect, type Generation, type GenerationPiece, type LogProb, type TokenLogProb } from '../lm/lm.ts'
import { printable } from '../printable.ts'
import { counted } from '../report/amounts.ts'
import type { Output } from './output.ts'

export interface WrittenReply extends Generation {
  /** Without the first token, whose time is the prompt's; undefined for a reply of one token. */
  tokensPerSecond: number | undefined
}

interface TokenJson extends LogProb {
  token?: string
}

/** A text of a token, where there is one. */
export type TokenText = ((id: number) => string) | undefined

/**
 * Writes a continuation and a line end. A terminal gets printable text, a pipe the text as it is, a program log-probabilities with the
 * texts of the tokens.
 */
export async function writeReply(
  pieces: AsyncIterable<GenerationPiece>,
  output: Output,
  tokenText?: TokenText,
): Promise<WrittenReply> {
  let startedAt: number | undefined
  async function* written(): AsyncGenerator<GenerationPiece> {
    for await (const piece of pieces) {
      startedAt ??= performance.now()
      if (!output.isJson && piece.text !== '')
        output.stdout.write(output.stdout.isTTY ? printable(piece.text) : piece.text)
      yield piece
    }
  }
  const reply = await collect(written())
  if (!output.isJson) output.stdout.write('\n')
  output.emit(asJson(reply, tokenText))
  const seconds = (performance.now() - (startedAt ?? 0)) / 1000
  const made = reply.tokenIds.length
  return { ...reply, tokensPerSecond: made > 1 ? (made - 1) / seconds : undefined }
}

function asJson(
  { text, tokenIds, finishReason, stop, limit, logprobs, usage }: Generation,
  tokenText: TokenText,
): object {
  const { draftTokens, acceptedDraftTokens } = usage
  return {
    text,
    token_ids: tokenIds,
    finish_reason: finishReason,
    ...(stop !== undefined && { stop_reason: stop }),
    ...(limit !== undefined && { limit }),
    ...(logprobs !== undefined && { logprobs: logprobs.map((place) => tokenAsJson(place, tokenText)) }),
    ...(draftTokens !== undefined && { draft_tokens: draftTokens, accepted_draft_tokens: acceptedDraftTokens }),
  }
}

/** A token with seven digits of its log-probability, and of those beside it: equal numbers stay equal. */
export function tokenAsJson(
  { id, logprob, top }: TokenLogProb,
  tokenText: TokenText,
): TokenJson & { top?: TokenJson[] } {
  const entry = (other: LogProb): TokenJson => ({
    id: other.id,
    ...(tokenText && { token: tokenText(other.id) }),
    logprob: sevenDigits(other.logprob),
  })
  return { ...entry({ id, logprob }), ...(top.length > 0 && { top: top.map(entry) }) }
}

/** What a float32 knows of a number; −∞ stays what it is, which JSON writes as null. */
export function sevenDigits(value: number): number {
  return Number(value.toPrecision(7))
}

/** Why a reply ended, for people. */
export function whyEnded({ finishReason, stop, limit, usage }: Generation, contextLength: number): string {
  if (typeof stop === 'string') return `the stop text ${printable(JSON.stringify(stop))} came`
  if (finishReason === 'stop') return 'the text ended'
  if (finishReason === 'aborted') return 'stopped'
  return limit === 'context'
    ? `the context of ${counted(contextLength, 'token')} is full`
    : `the limit of ${counted(usage.completionTokens, 'token')} was reached`
}
