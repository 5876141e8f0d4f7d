// Whether a text shares a run of words with one of a set of texts, such as the items of an evaluation (Brown et al. 2020, appendix C):
// what curation takes out, and what an evaluation warns of. Only hashes of runs are held. Numbers keep their digits: with every number
// the same, one item of arithmetic would be found in all others.

import { MinHasher } from './curate/minhash.ts'
import { wordsApart } from './curate/simplify.ts'

/** Words of a run, unless something else is asked for. */
export const RUN_WORDS = 13

/** A shorter text says too little: it would be found anywhere. */
const LEAST_WORDS = 5

const NON_ASCII = /[^\x00-\x7f]/

/** Lower case, with one space for whatever is no letter, mark or digit. Characters of scripts without spaces are words. */
export function bareWords(text: string): string {
  const lower = (NON_ASCII.test(text) ? text.normalize('NFKC') : text).toLowerCase()
  return wordsApart(lower.replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ').trim())
}

/** Runs of words of texts by their numbers. A text of fewer words than a run, but five at least, is looked for as a whole. */
export class WordRuns {
  private readonly ngram: number
  private readonly hasher = new MinHasher()
  /** Words of a run → its runs. */
  private readonly tables = new Map<number, RunTable>()

  constructor(ngram: number = RUN_WORDS) {
    this.ngram = ngram
  }

  /** Remembers a text of `item`, a whole number ≥ 0; false where it has fewer than five words and cannot be looked for. */
  add(text: string, item: number): boolean {
    const words = bareWords(text)
    const n = Math.min(this.ngram, numWords(words))
    if (n < Math.min(LEAST_WORDS, this.ngram)) return false
    const table = this.tables.get(n) ?? new RunTable()
    this.tables.set(n, table)
    for (const hash of this.hasher.shingles(words, n)) table.add(hash, item)
    return true
  }

  /** All items that the text shares a run with, in no order. */
  find(text: string): Set<number> {
    const found = new Set<number>()
    const words = bareWords(text)
    const count = numWords(words)
    for (const [n, table] of this.tables) {
      // What has fewer words is hashed as a whole, which is no run of n.
      if (count < n) continue
      for (const hash of this.hasher.shingles(words, n)) table.find(hash, found)
    }
    return found
  }
}

function numWords(words: string): number {
  if (words === '') return 0
  let count = 1
  for (let at = words.indexOf(' '); at !== -1; at = words.indexOf(' ', at + 1)) count++
  return count
}

/** Hash of 53 bits → items, by open addressing: a text asks for every word, and nearly always in vain. */
class RunTable {
  private hashes = new Float64Array(1024)
  /** 1 + the entry that came last for the hash. */
  private last = new Uint32Array(1024)
  private count = 0
  /** Of each entry the item, and 1 + the entry before it of the same hash. */
  private readonly items: number[] = []
  private readonly before: number[] = []

  add(hash: number, item: number): void {
    if (2 * (this.count + 1) > this.last.length) this.grow()
    const slot = this.slotOf(hash)
    for (let entry = this.last[slot]!; entry !== 0; entry = this.before[entry - 1]!)
      if (this.items[entry - 1] === item) return
    if (this.last[slot] === 0) this.count++
    this.hashes[slot] = hash
    this.before.push(this.last[slot]!)
    this.last[slot] = this.items.push(item)
  }

  find(hash: number, found: Set<number>): void {
    for (let entry = this.last[this.slotOf(hash)]!; entry !== 0; entry = this.before[entry - 1]!)
      found.add(this.items[entry - 1]!)
  }

  private slotOf(hash: number): number {
    const mask = this.last.length - 1
    // The lower half of a number of 53 bits.
    let slot = (hash % 0x1_0000_0000) & mask
    while (this.last[slot] !== 0 && this.hashes[slot] !== hash) slot = (slot + 1) & mask
    return slot
  }

  private grow(): void {
    const { hashes, last } = this
    this.hashes = new Float64Array(2 * hashes.length)
    this.last = new Uint32Array(2 * last.length)
    for (let i = 0; i < last.length; i++) {
      if (last[i] === 0) continue
      const slot = this.slotOf(hashes[i]!)
      this.hashes[slot] = hashes[i]!
      this.last[slot] = last[i]!
    }
  }
}
