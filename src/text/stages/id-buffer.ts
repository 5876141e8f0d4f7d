// A growing list of token ids without boxing: encoding appends to it, and the result is cut out once at the end.

/** Append-only Int32 list; amortised constant time per id. */
export class IdBuffer {
  #ids: Int32Array = new Int32Array(256)
  #length = 0

  get length(): number {
    return this.#length
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) this.#grow(this.#length + 1)
    this.#ids[this.#length++] = id
  }

  /** Appends `source[start..end)`. */
  pushRange(source: Int32Array, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#ids.length) this.#grow(length)
    // Words have a few tokens: a loop is faster than `set` on a new view.
    for (let i = start; i < end; i++) this.#ids[this.#length++] = source[i]!
  }

  /** How many ids from `start` on are the first ids of `other`. */
  commonLength(start: number, other: IdBuffer): number {
    const most = Math.min(this.#length - start, other.#length)
    let length = 0
    while (length < most && this.#ids[start + length] === other.#ids[length]) length++
    return length
  }

  toArray(): Int32Array {
    return this.#ids.slice(0, this.#length)
  }

  #grow(length: number): void {
    const ids = new Int32Array(Math.max(length, this.#ids.length * 2))
    ids.set(this.#ids)
    this.#ids = ids
  }
}
