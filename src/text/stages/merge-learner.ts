// The core of BPE training: repeatedly joins the most frequent adjacent pair of symbols. Pair counts are kept up to date
// instead of being counted again: a merge visits only the words that hold its pair. Ties go to the smaller left id, then
// the smaller right id, and stale heap entries are corrected when they surface, as in Hugging Face's Rust trainer, so the
// merges are the same.

import { PairTable } from './pair-table.ts'

/** One learned merge. */
export interface LearnedMerge {
  readonly left: number
  readonly right: number
  readonly count: number
}

/** Words as symbol ids, merged in place by a learner. */
export interface SymbolWords {
  /** All words one after the other. */
  readonly symbols: Int32Array
  /** Where each word starts; one more entry than words. */
  readonly starts: Int32Array
  readonly counts: Float64Array
}

/** Finds merges one by one: `next()` gives the best pair, `apply()` joins it everywhere. */
export class MergeLearner {
  readonly #words: SymbolWords
  readonly #lengths: Int32Array
  readonly #pairs: PairTable = new PairTable(1 << 16)
  readonly #left: number[] = []
  readonly #right: number[] = []
  readonly #count: number[] = []
  /** Linked lists of the words that hold, or once held, a pair: head per pair, then (word, next) per entry. */
  readonly #firstEntry: number[] = []
  #entryWord: Int32Array = new Int32Array(1 << 16)
  #entryNext: Int32Array = new Int32Array(1 << 16)
  #entries = 0
  /** Binary heap of (pair, count when it was put there). */
  readonly #heapPair: number[] = []
  readonly #heapCount: number[] = []
  readonly #touched: Set<number> = new Set()

  constructor(words: SymbolWords) {
    this.#words = words
    const { symbols, starts, counts } = words
    this.#lengths = starts.subarray(1).map((end, word) => end - starts[word]!)
    for (let word = 0; word < counts.length; word++) {
      for (let i = starts[word]!; i + 1 < starts[word + 1]!; i++)
        this.#add(symbols[i]!, symbols[i + 1]!, counts[word]!, word)
    }
    this.#pushTouched()
  }

  /** The most frequent pair that is left, or undefined; each pair comes once. */
  next(): LearnedMerge | undefined {
    while (this.#heapPair.length > 0) {
      const pair = this.#heapPair[0]!
      const count = this.#count[pair]!
      if (this.#heapCount[0] === count && count > 0) {
        this.#pop()
        return { left: this.#left[pair]!, right: this.#right[pair]!, count }
      }
      if (count > 0) {
        this.#heapCount[0] = count
        this.#siftDown()
      } else this.#pop()
    }
    return undefined
  }

  /** Replaces the pair by `merged` in all words. */
  apply({ left, right }: LearnedMerge, merged: number): void {
    const pair = this.#pairs.get(left, right)
    let previousWord = -1
    for (let entry = this.#firstEntry[pair]!; entry !== -1; entry = this.#entryNext[entry]!) {
      const word = this.#entryWord[entry]!
      if (word !== previousWord) this.#mergeWord(word, left, right, merged)
      previousWord = word
    }
    this.#firstEntry[pair] = -1
    this.#touched.delete(pair)
    this.#pushTouched()
  }

  #mergeWord(word: number, left: number, right: number, merged: number): void {
    const { symbols, starts, counts } = this.#words
    const start = starts[word]!
    const end = start + this.#lengths[word]!
    const count = counts[word]!
    let write = start
    for (let read = start; read < end; read++) {
      if (symbols[read] !== left || read + 1 >= end || symbols[read + 1] !== right) {
        symbols[write++] = symbols[read]!
        continue
      }
      if (write > start) {
        this.#subtract(symbols[write - 1]!, left, count)
        this.#add(symbols[write - 1]!, merged, count, word)
      }
      read++
      if (read + 1 < end) {
        this.#subtract(right, symbols[read + 1]!, count)
        this.#add(merged, symbols[read + 1]!, count, word)
      }
      symbols[write++] = merged
    }
    this.#lengths[word] = write - start
  }

  #subtract(left: number, right: number, count: number): void {
    this.#count[this.#pairs.get(left, right)]! -= count
  }

  #add(left: number, right: number, count: number, word: number): void {
    let pair = this.#pairs.get(left, right)
    if (pair === -1) {
      pair = this.#left.push(left) - 1
      this.#right.push(right)
      this.#count.push(0)
      this.#firstEntry.push(-1)
      this.#pairs.set(left, right, pair)
    }
    this.#count[pair]! += count
    this.#touched.add(pair)
    const first = this.#firstEntry[pair]!
    if (first !== -1 && this.#entryWord[first] === word) return
    if (this.#entries === this.#entryWord.length) {
      this.#entryWord = doubled(this.#entryWord)
      this.#entryNext = doubled(this.#entryNext)
    }
    this.#entryWord[this.#entries] = word
    this.#entryNext[this.#entries] = first
    this.#firstEntry[pair] = this.#entries++
  }

  #pushTouched(): void {
    for (const pair of this.#touched) if (this.#count[pair]! > 0) this.#push(pair)
    this.#touched.clear()
  }

  /** Whether heap entry (count, pair) comes before another: higher count, then smaller left id, then smaller right id. */
  #isBefore(count: number, pair: number, otherCount: number, other: number): boolean {
    if (count !== otherCount) return count > otherCount
    if (this.#left[pair] !== this.#left[other]) return this.#left[pair]! < this.#left[other]!
    return this.#right[pair]! < this.#right[other]!
  }

  #push(pair: number): void {
    const count = this.#count[pair]!
    let child = this.#heapPair.push(pair) - 1
    this.#heapCount.push(count)
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(count, pair, this.#heapCount[parent]!, this.#heapPair[parent]!)) break
      this.#heapPair[child] = this.#heapPair[parent]!
      this.#heapCount[child] = this.#heapCount[parent]!
      child = parent
    }
    this.#heapPair[child] = pair
    this.#heapCount[child] = count
  }

  #pop(): void {
    const pair = this.#heapPair.pop()!
    const count = this.#heapCount.pop()!
    if (this.#heapPair.length === 0) return
    this.#heapPair[0] = pair
    this.#heapCount[0] = count
    this.#siftDown()
  }

  #siftDown(): void {
    const pair = this.#heapPair[0]!
    const count = this.#heapCount[0]!
    const size = this.#heapPair.length
    let parent = 0
    for (;;) {
      let child = parent * 2 + 1
      if (child >= size) break
      const sibling = child + 1
      if (
        sibling < size &&
        this.#isBefore(
          this.#heapCount[sibling]!,
          this.#heapPair[sibling]!,
          this.#heapCount[child]!,
          this.#heapPair[child]!,
        )
      ) {
        child = sibling
      }
      if (!this.#isBefore(this.#heapCount[child]!, this.#heapPair[child]!, count, pair)) break
      this.#heapPair[parent] = this.#heapPair[child]!
      this.#heapCount[parent] = this.#heapCount[child]!
      parent = child
    }
    this.#heapPair[parent] = pair
    this.#heapCount[parent] = count
  }
}

function doubled(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
