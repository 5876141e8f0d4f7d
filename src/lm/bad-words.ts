// Words that must not come (`bad_words` of vLLM), as a `TokenMask`: where the last tokens are the beginning of one, its last token is not allowed.

import { UsageError } from '../errors.ts'
import type { Lm, TokenMask } from './lm.ts'
import { tokenBits } from './token-mask.ts'

/**
 * A mask that keeps these texts out of a continuation, each as the tokens that it has with and without a space before it. As in vLLM other
 * spellings of the same letters may come (capitals, other tokens), and so may a word that begins in the prompt. `joinMasks` puts it beside
 * another mask.
 *
 * @example
 * await collect(lm.generate({ prompt, mask: badWords(lm, ['cheese', 'Mr. Smith']) }))
 */
export function badWords(lm: Pick<Lm, 'encode' | 'vocabSize'>, words: readonly string[]): TokenMask {
  if (!Array.isArray(words)) throw new UsageError(`badWords: expected a list of texts, got ${typeof words}`)
  const sequences = new Map<string, readonly number[]>()
  for (const word of words) {
    if (typeof word !== 'string' || word.trim() === '')
      throw new UsageError(`badWords: expected texts that are more than white space, got ${JSON.stringify(word)}`)
    for (const before of ['', ' ']) {
      const ids = lm.encode({ prompt: before + word.trimStart(), addSpecialTokens: false })
      if (ids.length > 0) sequences.set(ids.join(), ids)
    }
  }
  const all = tokenBits(Array(lm.vocabSize).keys(), lm.vocabSize)
  return (made) => {
    const banned = [...sequences.values()]
      .filter((ids) => endsWith(made, ids, ids.length - 1))
      .map((ids) => ids.at(-1)!)
    if (banned.length === 0) return null
    const allowed = all.slice()
    for (const id of banned) allowed[id >>> 5]! &= ~(1 << (id & 31))
    return allowed
  }
}

/** Whether `made` ends with the first `count` of `ids`. */
function endsWith(made: readonly number[], ids: readonly number[], count: number): boolean {
  const start = made.length - count
  if (start < 0) return false
  for (let i = 0; i < count; i++) if (made[start + i] !== ids[i]) return false
  return true
}
