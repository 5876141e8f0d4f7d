// What is right where a text may have several labels: F1 of each label by itself and their mean, as scikit-learn's of an indicator
// matrix and DSL-ML 2024's program, and the probabilities from which a label is given, fitted.

/** Counts, label by label, how often it is there and how often it is given. */
export class LabelSetCounts {
  private readonly there: Float64Array
  private readonly given: Float64Array
  private readonly both: Float64Array
  private texts = 0
  private exact = 0

  constructor(size: number) {
    this.there = new Float64Array(size)
    this.given = new Float64Array(size)
    this.both = new Float64Array(size)
  }

  add(truth: readonly number[], given: readonly number[]): void {
    for (const label of truth) this.there[label]!++
    for (const label of given) this.given[label]!++
    const both = given.filter((label) => truth.includes(label))
    for (const label of both) this.both[label]!++
    this.texts++
    if (both.length === truth.length && both.length === given.length) this.exact++
  }

  /** Share of texts whose labels are all right, with none too many; 0 of none. */
  get accuracy(): number {
    return this.texts === 0 ? 0 : this.exact / this.texts
  }

  /** 2·both / (there + given) of one label, 0 where it neither is nor is given. */
  f1(label: number): number {
    const sum = this.there[label]! + this.given[label]!
    return sum === 0 ? 0 : (2 * this.both[label]!) / sum
  }

  /** The mean of the labels' F1, over those that are there or are given. */
  get macroF1(): number {
    const present = [...this.there.keys()].filter((label) => this.there[label]! + this.given[label]! > 0)
    return present.length === 0 ? 0 : present.reduce((sum, label) => sum + this.f1(label), 0) / present.length
  }

  /** F1 over the decisions on all labels together. */
  get microF1(): number {
    const sumOf = (counts: Float64Array): number => counts.reduce((a, b) => a + b, 0)
    const all = sumOf(this.there) + sumOf(this.given)
    return all === 0 ? 0 : (2 * sumOf(this.both)) / all
  }
}

/** The labels whose probability reaches its threshold, ascending. */
export function labelsAbove(probabilities: ArrayLike<number>, thresholds: ArrayLike<number>): number[] {
  return Array.from(thresholds, (_, label) => label).filter((label) => probabilities[label]! >= thresholds[label]!)
}

/**
 * The threshold at which one label's F1 is highest over texts: half way between two probabilities, or to 0 below all of them. Of
 * several the one nearest to one half; one half where no text has the label.
 */
export function bestThreshold(texts: readonly { probability: number; isThere: boolean }[]): number {
  const sorted = [...texts].sort((a, b) => b.probability - a.probability)
  const there = sorted.filter(({ isThere }) => isThere).length
  let best = { f1: 0, threshold: 0.5 }
  for (let given = 1, both = 0; given <= sorted.length; given++) {
    const { probability, isThere } = sorted[given - 1]!
    if (isThere) both++
    const next = sorted[given]?.probability ?? 0
    if (next === probability) continue // equal ones are given together
    const f1 = (2 * both) / (there + given)
    const threshold = (probability + next) / 2
    if (f1 > best.f1 || (f1 === best.f1 && Math.abs(threshold - 0.5) < Math.abs(best.threshold - 0.5)))
      best = { f1, threshold }
  }
  return best.threshold
}
