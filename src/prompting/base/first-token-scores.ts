// How probable texts are as the beginning of an answer, from what a service tells of its first token.

import { UnsupportedError } from '../../errors.ts'
import type { AnswerToken } from './model-call.ts'

/**
 * The logarithm of the probability of each text: of all tokens told that begin it and no other, or that it begins. −Infinity for one
 * that the service did not tell of.
 */
export function firstTokenScores(told: AnswerToken | undefined, texts: readonly string[], name: string): number[] {
  if (told === undefined)
    throw new UnsupportedError(`${name}: expected log-probabilities of the first token, got none from the service`)
  const sums = texts.map(() => 0)
  const shared = new Set<number>()
  for (const { token, logprob } of told.top.length > 0 ? told.top : [told]) {
    const begin = token.trimStart()
    if (begin === '') continue
    const found = texts.flatMap((text, i) => (text.startsWith(begin) || begin.startsWith(text) ? [i] : []))
    if (found.length === 1) sums[found[0]!]! += Math.exp(logprob)
    else for (const i of found) shared.add(i)
  }
  const unclear = texts.find((_, i) => sums[i] === 0 && shared.has(i))
  if (unclear !== undefined)
    throw new UnsupportedError(
      `${name}: expected texts that differ in their first token, got ${JSON.stringify(unclear)} and one that begins alike. Number the choices`,
    )
  return sums.map((sum) => Math.log(sum))
}
