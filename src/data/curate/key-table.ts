// Who came first with a key: an open hash table over numbers, for more documents than a Map of strings could hold.

/** Bytes of an entry with a key of `words` numbers, slots and room to grow included. */
export function entryBytes(words: number): number {
  // A key and two numbers; two to four slots each; and the old ones while they are copied.
  return 2 * (4 * words + 8 + 16)
}

/** Keys of `words` numbers of 32 bits → a number for each, from 0 on, and who brought it. */
export class KeyTable {
  count = 0
  private readonly words: number
  private keys: Uint32Array
  private first: Uint32Array
  private mark: Uint32Array
  /** 1 + the entry. */
  private slots: Uint32Array

  constructor(words: number, expected = 512) {
    this.words = words
    let room = 512
    while (room < expected) room *= 2
    this.keys = new Uint32Array(words * room)
    this.first = new Uint32Array(room)
    this.mark = new Uint32Array(room)
    this.slots = new Uint32Array(2 * room)
  }

  /** Entry of the key in `at … at + words` of `numbers`; a new one is `document`'s. */
  entry(numbers: Uint32Array, at: number, document: number): number {
    if (this.count === this.first.length) this.grow()
    const { words, keys, slots } = this
    let slot = this.slotOf(numbers, at)
    for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const entry = slots[slot]! - 1
      let word = 0
      while (word < words && keys[words * entry + word] === numbers[at + word]) word++
      if (word === words) return entry
    }
    for (let word = 0; word < words; word++) keys[words * this.count + word] = numbers[at + word]!
    this.first[this.count] = document
    slots[slot] = ++this.count
    return this.count - 1
  }

  /** Who brought the key. */
  firstOf(entry: number): number {
    return this.first[entry]!
  }

  /** A number of the caller's, 0 at first. */
  markOf(entry: number): number {
    return this.mark[entry]!
  }

  setMark(entry: number, mark: number): void {
    this.mark[entry] = mark
  }

  private slotOf(numbers: Uint32Array, at: number): number {
    // Two numbers of a hash are as good as all.
    return (numbers[at]! ^ Math.imul(numbers[at + 1]!, 0x9e3779b1)) & (this.slots.length - 1)
  }

  private grow(): void {
    const room = 2 * this.first.length
    const longer = (old: Uint32Array, length: number): Uint32Array => {
      const made = new Uint32Array(length)
      made.set(old)
      return made
    }
    this.keys = longer(this.keys, this.words * room)
    this.first = longer(this.first, room)
    this.mark = longer(this.mark, room)
    this.slots = new Uint32Array(2 * room)
    for (let entry = 0; entry < this.count; entry++) {
      let slot = this.slotOf(this.keys, this.words * entry)
      while (this.slots[slot] !== 0) slot = (slot + 1) & (this.slots.length - 1)
      this.slots[slot] = entry + 1
    }
  }
}

/** Which of `parts` a key falls into, by bits that its place in a table does not depend on. */
export function partOf(numbers: Uint32Array, at: number, parts: number): number {
  return parts === 1 ? 0 : (Math.imul(numbers[at]! ^ (numbers[at + 1]! >>> 7), 0x85ebca6b) >>> 8) % parts
}
