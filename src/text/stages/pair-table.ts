// An open-addressing hash table from a pair of ids to a small number. BPE looks up one pair per symbol, and a Map keyed by
// `left * size + right` boxes a double for each; this one is about five times as fast.

/** Map from (left, right), both in 0..2^31, to a number in 0..2^31; grows by itself, nothing is ever removed. */
export class PairTable {
  #left: Int32Array
  #right: Int32Array
  #value: Int32Array
  #mask: number
  // Odd and random, so that no file can be made whose pairs all collide. Results do not depend on them.
  readonly #leftFactor: number = (Math.random() * 2 ** 31) | 1
  readonly #rightFactor: number = (Math.random() * 2 ** 31) | 1
  size = 0

  /** `expected` is how many pairs will come; more are fine. */
  constructor(expected: number = 16) {
    let capacity = 32
    while (capacity < expected * 2) capacity *= 2
    this.#left = new Int32Array(capacity)
    this.#right = new Int32Array(capacity)
    this.#value = new Int32Array(capacity).fill(-1)
    this.#mask = capacity - 1
  }

  /** The value of a pair, or −1. */
  get(left: number, right: number): number {
    return this.#value[this.#slot(left, right)]!
  }

  set(left: number, right: number, value: number): void {
    let slot = this.#slot(left, right)
    if (this.#value[slot] === -1) {
      if (this.size * 2 > this.#mask) {
        this.#grow()
        slot = this.#slot(left, right)
      }
      this.size++
    }
    this.#left[slot] = left
    this.#right[slot] = right
    this.#value[slot] = value
  }

  /** Where the pair is, or the free slot where it would go. */
  #slot(left: number, right: number): number {
    let hash = Math.imul(left, this.#leftFactor) + Math.imul(right, this.#rightFactor)
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
    hash ^= hash >>> 13
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#value[slot] === -1 || (this.#left[slot] === left && this.#right[slot] === right)) return slot
    }
  }

  #grow(): void {
    const old = { left: this.#left, right: this.#right, value: this.#value }
    const capacity = (this.#mask + 1) * 2
    this.#left = new Int32Array(capacity)
    this.#right = new Int32Array(capacity)
    this.#value = new Int32Array(capacity).fill(-1)
    this.#mask = capacity - 1
    for (let i = 0; i < old.value.length; i++) {
      if (old.value[i] === -1) continue
      const slot = this.#slot(old.left[i]!, old.right[i]!)
      this.#left[slot] = old.left[i]!
      this.#right[slot] = old.right[i]!
      this.#value[slot] = old.value[i]!
    }
  }
}
