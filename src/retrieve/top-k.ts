// The k best of many, by a heap of k: the worst of them lies on top.

/** Keeps the `k` rows of the largest scores; of equal scores the smaller row. */
export class TopK {
  readonly k: number
  private readonly rows: Float64Array
  private readonly scores: Float64Array
  private size = 0

  constructor(k: number) {
    this.k = k
    this.rows = new Float64Array(k)
    this.scores = new Float64Array(k)
  }

  /** A row with a score below this cannot come in any more; −∞ as long as there is room. */
  get threshold(): number {
    return this.size < this.k ? Number.NEGATIVE_INFINITY : (this.scores[0] ?? Number.POSITIVE_INFINITY)
  }

  add(row: number, score: number): void {
    if (this.size < this.k) {
      let at = this.size++
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (!this.isWorse(row, score, parent)) break
        this.move(parent, at)
        at = parent
      }
      this.rows[at] = row
      this.scores[at] = score
    } else if (this.k > 0 && !this.isWorse(row, score, 0)) this.replaceTop(row, score)
  }

  /** Best first; empties the heap. */
  take(): { row: number; score: number }[] {
    const found = Array.from(this.rows.subarray(0, this.size), (row, i) => ({ row, score: this.scores[i]! }))
    this.size = 0
    return found.sort((a, b) => b.score - a.score || a.row - b.row)
  }

  /** Whether a row is worse than what stands at `at`. */
  private isWorse(row: number, score: number, at: number): boolean {
    const other = this.scores[at]!
    return score < other || (score === other && row > this.rows[at]!)
  }

  private move(from: number, to: number): void {
    this.rows[to] = this.rows[from]!
    this.scores[to] = this.scores[from]!
  }

  private replaceTop(row: number, score: number): void {
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.isWorse(this.rows[child + 1]!, this.scores[child + 1]!, child)) child++
      if (this.isWorse(row, score, child)) break
      this.move(child, at)
      at = child
    }
    this.rows[at] = row
    this.scores[at] = score
  }
}
