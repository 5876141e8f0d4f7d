// BERTScore (Zhang et al. 2020, arXiv:1904.09675v3): how much of a candidate's meaning is in a reference, and the other way, by the
// tokens of one that are nearest to those of the other in an encoder of the user's choice (Eq. 1 to 3, idf of §3).

import { UsageError } from '../errors.ts'
import type { Embedder, EmbedOptions, TokenVectors } from './embedder.ts'

/** Of one candidate. Without `baseline` they lie between −1 and 1, in practice near 1 for everything. */
export interface BertScore {
  precision: number
  recall: number
  f1: number
}

/** How candidates are compared. */
export interface BertScoreOptions extends EmbedOptions {
  /** Weighs tokens by how rare they are in the references. Default false. */
  idf?: boolean
  /** Scores of pairs that have nothing to do with each other (§3 "Baseline Rescaling"): they become 0, and 1 stays 1. */
  baseline?: BertScore
}

/**
 * Scores each candidate against its reference, or against the best of several. An empty candidate or reference has 0.
 *
 * @example
 * const scores = await bertScore(await loadEmbedder('models/xlm-r', { layer: 9 }), ['a cat sat'], ['the cat was sitting'])
 */
export async function bertScore(
  embedder: Embedder,
  candidates: readonly string[],
  references: readonly (string | readonly string[])[],
  { idf = false, baseline, ...options }: BertScoreOptions = {},
): Promise<BertScore[]> {
  if (candidates.length !== references.length)
    throw new UsageError(
      `references: expected one for each of ${candidates.length} candidates, got ${references.length}`,
    )
  const lists = references.map((each) => (typeof each === 'string' ? [each] : each))
  const missing = lists.findIndex((list) => list.length === 0)
  if (missing !== -1) throw new UsageError(`references: expected at least one for candidate ${missing}, got none`)
  const distinct = [...new Set([...candidates, ...lists.flat()])]
  const vectors = await embedder.embedTokens(distinct, options)
  const of = new Map(distinct.map((text, i) => [text, vectors[i]!]))
  const weigh = idf ? rarity(lists.flat().map((text) => of.get(text)!)) : (): number => 1
  return candidates.map((candidate, i) => {
    const scores = lists[i]!.map((reference) =>
      compare(of.get(candidate)!, of.get(reference)!, embedder.dimensions, weigh),
    )
    const best = (pick: (score: BertScore) => number): number => Math.max(...scores.map(pick))
    const whole = { precision: best((s) => s.precision), recall: best((s) => s.recall), f1: best((s) => s.f1) }
    if (baseline === undefined) return whole
    const rescaled = (key: keyof BertScore): number => (whole[key] - baseline[key]) / (1 - baseline[key])
    return { precision: rescaled('precision'), recall: rescaled('recall'), f1: rescaled('f1') }
  })
}

/** log((texts + 1) / (texts with the token + 1)). */
function rarity(references: readonly TokenVectors[]): (id: number) => number {
  const counts = new Map<number, number>()
  for (const { ids } of references) for (const id of new Set(ids)) counts.set(id, (counts.get(id) ?? 0) + 1)
  return (id) => Math.log((references.length + 1) / ((counts.get(id) ?? 0) + 1))
}

/** The tokens around a text have no weight, but others may be nearest to them, as in the authors' program. */
function compare(
  candidate: TokenVectors,
  reference: TokenVectors,
  width: number,
  weigh: (id: number) => number,
): BertScore {
  const precision = covered(candidate, reference, width, weigh)
  const recall = covered(reference, candidate, width, weigh)
  const sum = precision + recall
  return { precision, recall, f1: sum === 0 ? 0 : (2 * precision * recall) / sum }
}

/** The mean over the tokens of `a` of the highest cosine with a token of `b`. */
function covered(a: TokenVectors, b: TokenVectors, width: number, weigh: (id: number) => number): number {
  const isEmpty = (text: TokenVectors): boolean => text.ids.length <= text.before + text.after
  if (isEmpty(a) || isEmpty(b)) return 0
  let [sum, weights] = [0, 0]
  for (let i = a.before; i < a.ids.length - a.after; i++) {
    const weight = weigh(a.ids[i]!)
    let highest = Number.NEGATIVE_INFINITY
    for (let j = 0; j < b.ids.length; j++) {
      let cosine = 0
      for (let k = 0; k < width; k++) cosine += a.vectors[i * width + k]! * b.vectors[j * width + k]!
      highest = Math.max(highest, cosine)
    }
    sum += weight * highest
    weights += weight
  }
  return weights === 0 ? 0 : sum / weights
}
