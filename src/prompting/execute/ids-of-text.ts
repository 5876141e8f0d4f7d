// Which tokens of a continuation are its text: an end token, and what a stop string began in, are no part of it.

import type { Generation, Lm } from '../../lm/lm.ts'
import { GrowingText } from '../base/growing-text.ts'

/** Those of the made tokens whose text is given out whole, and the text that they leave. `before`: the ids that it goes on from. */
export function idsOfText(
  lm: Lm,
  before: readonly number[],
  { text, tokenIds }: Generation,
): { ids: readonly number[]; rest: string } {
  const controls = new Set(lm.controlTokens ?? [])
  const bytesOf = (id: number): Uint8Array => {
    const bytes = lm.tokenBytes?.(id) ?? new TextEncoder().encode(lm.decode([id]))
    return controls.has(new TextDecoder().decode(bytes)) ? new Uint8Array() : bytes
  }
  const grown = new GrowingText((ids) => lm.decode(ids), bytesOf, before)
  let count = 0
  let length = 0
  for (const [i, id] of tokenIds.entries()) {
    grown.push(id)
    if (grown.text.length > text.length) break
    if (grown.text.length === length) continue // an end, or half a character
    count = i + 1
    length = grown.text.length
  }
  return { ids: tokenIds.slice(0, count), rest: text.slice(length) }
}
