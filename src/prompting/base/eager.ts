// Texts that keep to constraints while they are made. Every token is checked as it is chosen: one that breaks a constraint is refused at its
// place, and another is chosen from the same logits, which takes no call of the model. Where no token will do, the text is taken back, the
// token that led there is refused from now on, and the text goes on from before it; the prompt and what is kept are in the model's cache.
//
// What comes at each place is drawn from the model's distribution over the tokens that are not refused there, renormalised. It is not the
// distribution of free texts that happen to hold: which token comes does not depend on how many good ends lie behind it.

import { randomInt } from 'node:crypto'
import type { GenerateRequest, Generation, GenerationPiece, Lm, TokenLogProb, Usage } from '../../lm/lm.ts'
import { NoTokenError } from '../../lm/no-token-error.ts'
import { CheckedText, DeadEnd } from './checked-text.ts'
import { type Constraint, maskOf, standing } from './constraint.ts'
import { AnswerError } from './model.ts'

/** Times that a text is taken back. */
const MOST_STEPS = 32

/**
 * Continues a prompt so that all of `where` holds. The same seed gives the same text. `Usage` tells what was made (`completionTokens`), of
 * that what was taken back (`discardedTokens`), and what was refused without a call (`refusedTokens`). AnswerError where no such text is
 * found with 32 steps back.
 */
export async function generateWhere(
  lm: Lm,
  request: GenerateRequest,
  where: readonly Constraint[],
): Promise<Generation> {
  const text = new CheckedText(lm, request, where)
  const mask = request.structure === undefined && !request.mask && !request.ignoreEos ? maskOf(where) : undefined
  // A stop string may come behind the text, though it is no part of it.
  const { stop = [] } = request
  const structure =
    mask === undefined || stop.length === 0 ? mask : { sequence: [mask, { repeat: { choice: stop }, max: 1 }] }
  const seed = request.seed ?? randomInt(2 ** 31)
  let [made, refused, steps, back, furthest] = [0, 0, 0, 1, -1]
  const promptTokens = lm.encode(request).length
  const usage = (): Usage => ({
    promptTokens,
    completionTokens: made,
    refusedTokens: refused,
    discardedTokens: made - text.ids.length,
  })
  const logprobs: TokenLogProb[] = []
  for (;;) {
    const resumeIds = text.ids.slice()
    let end: GenerationPiece | undefined
    try {
      const asked = {
        ...request,
        ...(structure !== undefined && { structure }),
        seed: (seed + steps * 7919) % 2 ** 47,
      }
      const pieces = lm.generate({
        ...asked,
        ...(resumeIds.length > 0 && { resumeIds }),
        accept: (id) => text.accept(id),
      })
      for await (const piece of pieces) {
        logprobs.push(...(piece.logprobs ?? []))
        if (piece.finishReason !== undefined) end = piece
      }
    } catch (error) {
      if (!(error instanceof DeadEnd || error instanceof NoTokenError)) throw error
    }
    made += text.ids.length - resumeIds.length
    refused += text.takeRefused()
    const whole = text.textOf(end)
    const { standing: found, by } = standing(whole, where)
    if (end !== undefined && (found === 'holds' || end.finishReason === 'aborted')) {
      const cachedTokens = steps === 0 ? end.usage?.cachedTokens : undefined
      return {
        ...end,
        text: whole,
        tokenIds: text.ids.slice(),
        ...(logprobs.length > 0 && { logprobs }),
        finishReason: end.finishReason!,
        usage: { ...usage(), ...(cachedTokens !== undefined && { cachedTokens }) },
      }
    }
    // A place that is reached again and again is left by longer and longer steps; where the text ended itself, its last token was wrong.
    const place = text.ids.length
    back = place > furthest ? 1 : back * 2
    furthest = Math.max(furthest, place)
    if (steps === MOST_STEPS || !text.stepBack(back)) {
      const why = steps === MOST_STEPS ? `${steps} steps back` : 'all beginnings'
      const wanted = by ?? text.lastBroken
      throw new AnswerError(
        `where: expected a text ${wanted?.name ?? 'that may end'}, got ${JSON.stringify(whole.slice(-60))} after ${why} and ${made} tokens. Allow more tokens, or ask for less`,
        {
          text: whole,
          reasoning: '',
          toolCalls: [],
          tokenIds: text.ids,
          finishReason: end?.finishReason ?? 'aborted',
          usage: { ...usage(), reasoningTokens: 0 },
        },
      )
    }
    logprobs.length = Math.min(logprobs.length, text.ids.length)
    steps++
  }
}
