// An answer that is looked at while it comes, from a model that cannot be held to constraints: it is stopped at the first break.

import { standing } from './constraint.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'

/** The pieces as far as they are let come; the last one tells as `unkept` what the text does not keep to. */
export async function* watched(
  answer: (call: ModelCall) => AsyncIterable<ModelPiece>,
  call: ModelCall,
): AsyncGenerator<ModelPiece, void, undefined> {
  const { where = [], ...rest } = call
  const stop = new AbortController()
  const signal = call.signal === undefined ? stop.signal : AbortSignal.any([call.signal, stop.signal])
  let text = ''
  let tokens = 0
  let hasCalls = false
  for await (const piece of answer({ ...rest, signal })) {
    tokens += piece.tokenIds.length
    for (const delta of piece.deltas) {
      if (delta.type === 'text') text += delta.text
      hasCalls ||= delta.type === 'tool-call'
    }
    const { standing: found, by } = standing(text, where)
    if (piece.finishReason !== undefined) {
      // What calls tools is no answer yet, and what was refused or ended from outside is none.
      const isAnswer = !hasCalls && (piece.finishReason === 'stop' || piece.finishReason === 'length')
      const isBroken = isAnswer && found !== 'holds'
      yield { ...piece, ...(isBroken && { unkept: by!.name }) }
      return
    }
    yield piece
    if (found !== 'broken') continue
    stop.abort()
    const usage = { promptTokens: 0, completionTokens: tokens, reasoningTokens: 0 }
    yield { deltas: [], tokenIds: [], finishReason: 'aborted', usage, unkept: by!.name }
    return
  }
}
