// How well scores find what is sought: average precision, area under the ROC curve, precision among the first, all against chance.

import { areaUnderRoc } from '../ranks.ts'

/** Of `scores`, of which higher ones should be `positives`. */
export interface Detection {
  /** Share of positives: the average precision and the precision of a random order. */
  base: number
  /** Area under precision over recall, as a sum over the positives; equal scores share their precision. */
  ap: number
  /** The chance that a positive has a higher score than another, ties half; 0.5 is random. */
  auc: number
  /** Share of positives among the highest tenth. */
  precisionAtTenth: number
}

/** NaN where there is nothing or nothing else to find. */
export function detectionOf(scores: readonly number[], positives: readonly boolean[]): Detection {
  const count = scores.length
  const found = positives.filter(Boolean).length
  if (found === 0 || found === count)
    return { base: found / count, ap: Number.NaN, auc: Number.NaN, precisionAtTenth: Number.NaN }
  const auc = areaUnderRoc(scores, positives)
  const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b)
  let [seen, hits, ap] = [0, 0, 0]
  for (let start = 0; start < count; ) {
    let end = start
    let tied = 0
    while (end < count && scores[order[end]!] === scores[order[start]!]) if (positives[order[end++]!]) tied++
    seen = end
    hits += tied
    ap += (tied / found) * (hits / seen)
    start = end
  }
  const top = order.slice(0, Math.max(1, Math.round(count / 10)))
  return { base: found / count, ap, auc, precisionAtTenth: top.filter((i) => positives[i]).length / top.length }
}
