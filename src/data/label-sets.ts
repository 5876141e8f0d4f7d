// Which labels texts have together: each combination once, under an id of its own, so that a sample with several labels carries one
// number as every other does.

/** The combinations that were met, in the order in which they were. */
export class LabelSets {
  private readonly sets: (readonly number[])[] = []
  private readonly ids = new Map<string, number>()

  /** How many combinations there are. */
  get size(): number {
    return this.sets.length
  }

  /** The id of a combination of labels, whatever their order; a new one gets the next. */
  idOf(labels: Iterable<number>): number {
    const sorted = [...new Set(labels)].sort((a, b) => a - b)
    const known = this.ids.get(sorted.join())
    if (known !== undefined) return known
    this.ids.set(sorted.join(), this.sets.length)
    return this.sets.push(sorted) - 1
  }

  /** The labels of a combination, ascending. */
  of(id: number): readonly number[] {
    return this.sets[id]!
  }
}
