// How often which label was taken for which, and what is made of it: accuracy, macro-F1, Matthews' correlation for any number of labels.

/** Counts pairs of a true and a given label; labels are 0 … size − 1. */
export class LabelCounts {
  readonly size: number
  /** Only pairs that came: there may be thousands of labels. */
  private readonly pairs: Map<number, number> = new Map()
  private readonly truths: Float64Array
  private readonly given: Float64Array

  constructor(size: number) {
    this.size = size
    this.truths = new Float64Array(size)
    this.given = new Float64Array(size)
  }

  add(truth: number, given: number, times = 1): void {
    const pair = truth * this.size + given
    this.pairs.set(pair, (this.pairs.get(pair) ?? 0) + times)
    this.truths[truth]! += times
    this.given[given]! += times
  }

  /** How often `truth` was taken for `given`. */
  at(truth: number, given: number): number {
    return this.pairs.get(truth * this.size + given) ?? 0
  }

  /** Pairs in all. */
  get total(): number {
    return this.truths.reduce((a, b) => a + b, 0)
  }

  /** Share of pairs that are right; 0 of none. */
  get accuracy(): number {
    const { total } = this
    return total === 0 ? 0 : this.correct / total
  }

  /** 2·tp / (true + given) of one label, 0 where it neither is nor is given. */
  f1(label: number): number {
    const sum = this.truths[label]! + this.given[label]!
    return sum === 0 ? 0 : (2 * this.at(label, label)) / sum
  }

  /** The mean of the labels' F1, over those that are or are given, as scikit-learn's. */
  get macroF1(): number {
    const present = this.labels().filter((label) => this.truths[label]! + this.given[label]! > 0)
    return present.length === 0 ? 0 : present.reduce((sum, label) => sum + this.f1(label), 0) / present.length
  }

  /** Matthews' correlation for several labels, Gorodkin's R_K (2004), in [−1, 1]; 0 where one side is always the same. */
  get mcc(): number {
    const { total, truths, given } = this
    const sumOf = (product: (label: number) => number): number =>
      this.labels().reduce((sum, label) => sum + product(label), 0)
    const ofTruths = total ** 2 - sumOf((label) => truths[label]! ** 2)
    const ofGiven = total ** 2 - sumOf((label) => given[label]! ** 2)
    const spread = Math.sqrt(ofTruths * ofGiven)
    return spread === 0 ? 0 : (this.correct * total - sumOf((label) => truths[label]! * given[label]!)) / spread
  }

  private get correct(): number {
    return this.labels().reduce((sum, label) => sum + this.at(label, label), 0)
  }

  private labels(): number[] {
    return Array.from({ length: this.size }, (_, label) => label)
  }
}
