// Self-BLEU (Zhu et al. 2018): the BLEU of each text with all others as its references. High where texts say the same.

import { type BleuCounts, bleuOf, nearest, ORDERS, tokenize13a } from '../metrics/bleu.ts'
import { spacedText } from '../metrics/cut-words.ts'
import { countNGrams } from '../metrics/n-grams.ts'

/**
 * The mean over texts of `bleu([text], [others])`, in [0, 100]; NaN of fewer than two texts. What the best other text has of a run is known
 * from the two that have it most often, so the cost grows with the words and not with the square of the texts.
 */
export function selfBleu(texts: readonly string[]): number {
  if (texts.length < 2) return Number.NaN
  const cut = texts.map((text) => tokenize13a(spacedText(text)))
  const lengths = Int32Array.from(cut, ({ length }) => length).sort()
  const counts = ORDERS.map((n) => cut.map((words) => countNGrams(words, n)))
  const most = counts.map(mostOften)
  let sum = 0
  for (const [i, words] of cut.entries()) {
    const found: BleuCounts = {
      matches: ORDERS.map(() => 0),
      totals: ORDERS.map(() => 0),
      given: words.length,
      wanted: nearestOther(words.length, lengths),
    }
    for (const at of ORDERS.keys())
      for (const [run, count] of counts[at]![i]!) {
        const { first, text, second } = most[at]!.get(run)!
        found.totals[at]! += count
        found.matches[at]! += Math.min(count, text === i ? second : first)
      }
    sum += bleuOf(found)
  }
  return sum / texts.length
}

interface Most {
  first: number
  /** Which text has the first. */
  text: number
  second: number
}

function mostOften(counts: readonly ReadonlyMap<string, number>[]): Map<string, Most> {
  const most = new Map<string, Most>()
  for (const [text, runs] of counts.entries())
    for (const [run, count] of runs) {
      const one = most.get(run)
      if (one === undefined) most.set(run, { first: count, text, second: 0 })
      else if (count > one.first) {
        one.second = one.first
        one.first = count
        one.text = text
      } else one.second = Math.max(one.second, count)
    }
  return most
}

/** Among sorted lengths, without one of `length` itself, the nearest. */
function nearestOther(length: number, sorted: Int32Array): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < length) low = middle + 1
    else high = middle
  }
  // `low` is one of this length: its own, say.
  const others = [low - 1, low + 1].filter((at) => at >= 0 && at < sorted.length).map((at) => sorted[at]!)
  return nearest(length, others)
}
