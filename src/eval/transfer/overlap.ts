// How many of their pieces two languages have in common, of parallel texts cut by one tokenizer.

/** Of the tokens of two texts, how many are the same, each as often as both have it. */
export interface Overlap {
  /** Twice the common ones by all of both, 0 to 1. */
  dice: number
  /** Half of that: the common ones by the sum of both counts, as the paper's code has it (arXiv:2412.14050, `subword_overlap.py`); 0 to ½. */
  halfDice: number
}

/** Overlap of two multisets of tokens. NaN for two empty ones. */
export function subwordOverlap(a: Iterable<number>, b: Iterable<number>): Overlap {
  const counts = new Map<number, number>()
  let [all, common] = [0, 0]
  for (const id of a) {
    counts.set(id, (counts.get(id) ?? 0) + 1)
    all++
  }
  for (const id of b) {
    all++
    const left = counts.get(id) ?? 0
    if (left === 0) continue
    counts.set(id, left - 1)
    common++
  }
  return { dice: (2 * common) / all, halfDice: common / all }
}
