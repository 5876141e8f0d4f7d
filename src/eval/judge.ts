// How fluent a continuation is to another model, the judge: its perplexity given the prompt.

import { UnsupportedError } from '../errors.ts'
import type { Lm } from '../lm/lm.ts'

/** A prompt and what a model went on with. */
export interface Continuation {
  prompt: string
  text: string
}

/** What the judge found of a continuation. */
export interface Judgement {
  /** exp of the mean negative log-probability of the continuation's tokens. */
  perplexity: number
  /** The same in bits for each byte of the continuation's text, which judges with other tokens may be compared by. */
  bitsPerByte: number
}

const AT_ONCE = 64

/**
 * exp((L_full · (n_full − 1) − L_prompt · (n_prompt − 1)) / (n_full − n_prompt)), where L is the mean negative log-probability of a text's
 * tokens behind its first and n their number with the start token. Undefined where the continuation adds no token, or does not fit into the
 * judge's window.
 */
export async function judgeContinuations(
  judge: Lm,
  continuations: readonly Continuation[],
  signal?: AbortSignal,
): Promise<(Judgement | undefined)[]> {
  const prefix = judge.prefixTokenId
  if (prefix === undefined)
    throw new UnsupportedError('judge: expected a model with a start or end token, got one without either')
  const idsOf = (text: string): number[] => {
    const ids = text === '' ? [] : judge.encode({ prompt: text, addSpecialTokens: false })
    return ids[0] === prefix ? ids : [prefix, ...ids]
  }
  const found: (Judgement | undefined)[] = []
  for (let begin = 0; begin < continuations.length; begin += AT_ONCE) {
    const pairs = continuations.slice(begin, begin + AT_ONCE).map(({ prompt, text }) => {
      const [before, whole] = [idsOf(prompt), idsOf(prompt + text)]
      const isJudged = whole.length > before.length && whole.length <= judge.contextLength
      return {
        before,
        whole,
        bytes: Buffer.byteLength(text),
        isJudged,
        isPart: before.every((id, i) => whole[i] === id),
      }
    })
    const judged = pairs.filter(({ isJudged }) => isJudged)
    // A prompt whose last token changes with what follows is read by itself as well.
    const texts = judged.flatMap(({ before, whole, isPart }) => (isPart ? [whole] : [whole, before]))
    const from = judged.flatMap(({ before, isPart }) => (isPart ? [before.length] : [1, 1]))
    const rows = texts.length === 0 ? [] : await judge.score(texts, { from, ...(signal !== undefined && { signal }) })
    let at = 0
    for (const { before, whole, bytes, isJudged, isPart } of pairs) {
      if (!isJudged) {
        found.push(undefined)
        continue
      }
      const sum = totalOf(rows[at++]!) - (isPart ? 0 : totalOf(rows[at++]!))
      found.push({
        perplexity: Math.exp(-sum / (whole.length - before.length)),
        bitsPerByte: -sum / Math.LN2 / bytes,
      })
    }
  }
  return found
}

const totalOf = (row: readonly (number | null)[]): number => row.reduce<number>((sum, value) => sum + (value ?? 0), 0)
