// How often each word of a corpus occurs: all that BPE training needs of it. Memory grows with the distinct words only.

import { detach } from './bpe-model.ts'

/** Distinct words in order of first occurrence, with their counts. */
export class WordCounts {
  readonly #index: Map<string, number> = new Map()
  #counts: Float64Array = new Float64Array(1 << 12)

  get size(): number {
    return this.#index.size
  }

  add(word: string): void {
    const index = this.#index.get(word)
    if (index !== undefined) {
      this.#counts[index]!++
      return
    }
    const size = this.#index.size
    if (size === this.#counts.length) {
      const counts = new Float64Array(size * 2)
      counts.set(this.#counts)
      this.#counts = counts
    }
    this.#counts[size] = 1
    this.#index.set(detach(word), size)
  }

  words(): IterableIterator<string> {
    return this.#index.keys()
  }

  /** Index is the order of `words()`. */
  counts(): Float64Array {
    return this.#counts.subarray(0, this.size)
  }
}
