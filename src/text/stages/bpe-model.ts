// Byte-pair encoding of one word: joins the adjacent pair of lowest rank, leftmost first, until none is left. Short words
// are scanned, long ones use a heap over a linked list, so that n characters take O(n log n) whatever they are. Words seen
// before come from a cache.

import type { IdBuffer } from './id-buffer.ts'
import { PairTable } from './pair-table.ts'

/** What a model stage does with one word. */
export interface TokenModel {
  /** Appends the ids of a word to `out`. */
  encodeWord(word: string, out: IdBuffer): void
}

/** A BPE model as tokenizer.json states it, checked: every id is in range and merges are id pairs in order of rank. */
export interface BpeOptions {
  readonly vocab: ReadonlyMap<string, number>
  /** Left, right and result of each merge, flat, in order of rank. */
  readonly merges: Int32Array
  /** Id of each byte value, −1 where the vocabulary lacks it: words are read as UTF-8. Absent: words are read as characters. */
  readonly byteIds?: Int32Array
  /** Id of each `<0xNN>` token, for characters that the vocabulary lacks. */
  readonly byteFallbackIds?: Int32Array | undefined
  readonly unknownId?: number | undefined
  /** Neighbouring unknown characters give one unknown token. */
  readonly fuseUnknown: boolean
  /** A word that is in the vocabulary is one token, whatever the merges say; returns its id or undefined. */
  readonly wholeWord?: ((word: string) => number | undefined) | undefined
  /** What the vocabulary writes before every character but the first of a word, and after the last one (`</w>`). */
  readonly prefix?: string
  readonly suffix?: string
}

const SCAN_LIMIT = 48 // symbols up to which rescanning beats a heap
const CACHED_LENGTH = 64 // characters of the longest cached word
const CACHED_WORDS = 1 << 17
const MISSING = -1
const encoder = new TextEncoder()

/** Encodes words with ranked merges. */
export class BpeModel implements TokenModel {
  readonly #options: BpeOptions
  readonly #ranks: PairTable
  readonly #isWordStart: boolean
  /** Word → where its ids are in the arena: `start * 256 + length`. */
  readonly #cache: Map<string, number> = new Map()
  #arena: Int32Array = new Int32Array(1 << 16)
  #arenaLength = 0
  #symbols: Int32Array = new Int32Array(256)
  #bytes: Uint8Array = new Uint8Array(1024)

  constructor(options: BpeOptions) {
    this.#options = options
    this.#ranks = new PairTable(options.merges.length / 3)
    for (let rank = 0; rank * 3 < options.merges.length; rank++) {
      this.#ranks.set(options.merges[rank * 3]!, options.merges[rank * 3 + 1]!, rank)
    }
    const isPlain = options.byteIds === undefined && !options.prefix && !options.suffix
    this.#isWordStart = isPlain && neverJoinsBeforeSpace(options)
  }

  encodeWord(word: string, out: IdBuffer): void {
    if (!this.#isWordStart) {
      this.#encodeCached(word, out)
      return
    }
    // A document without pre-tokenizer (Llama 2) is one word. No merge joins something to a following `▁`, so cutting there
    // changes nothing and makes the cache useful.
    let start = 0
    for (let cut = word.indexOf('▁', 1); cut !== -1; cut = word.indexOf('▁', cut + 1)) {
      if (word[cut - 1] === '▁') continue
      this.#encodeCached(word.slice(start, cut), out)
      start = cut
    }
    this.#encodeCached(start === 0 ? word : word.slice(start), out)
  }

  #encodeCached(word: string, out: IdBuffer): void {
    const cached = this.#cache.get(word)
    if (cached !== undefined) {
      const start = Math.floor(cached / 256)
      out.pushRange(this.#arena, start, start + (cached % 256))
      return
    }
    const whole = this.#options.wholeWord?.(word)
    const count = whole === undefined ? this.#merge(this.#split(word)) : 1
    if (whole !== undefined) this.#symbols[0] = whole
    out.pushRange(this.#symbols, 0, count)
    if (word.length <= CACHED_LENGTH && count < 256) this.#remember(word, count)
  }

  #remember(word: string, count: number): void {
    if (this.#cache.size >= CACHED_WORDS) {
      this.#cache.clear()
      this.#arenaLength = 0
    }
    if (this.#arenaLength + count > this.#arena.length) {
      const arena = new Int32Array(this.#arena.length * 2)
      arena.set(this.#arena)
      this.#arena = arena
    }
    this.#arena.set(this.#symbols.subarray(0, count), this.#arenaLength)
    this.#cache.set(detach(word), this.#arenaLength * 256 + count)
    this.#arenaLength += count
  }

  /** Fills `#symbols` with the ids of the word's bytes or characters and returns how many there are. */
  #split(word: string): number {
    const { byteIds } = this.#options
    if (byteIds === undefined) return this.#splitCharacters(word)
    if (this.#bytes.length < word.length * 3) this.#bytes = new Uint8Array(word.length * 3)
    const { written } = encoder.encodeInto(word, this.#bytes)
    if (this.#symbols.length < written) this.#symbols = new Int32Array(written)
    let count = 0
    for (let i = 0; i < written; i++) count = this.#add(byteIds[this.#bytes[i]!]!, count)
    return count
  }

  #splitCharacters(word: string): number {
    const { vocab, byteFallbackIds, prefix = '', suffix = '' } = this.#options
    // A character has at most 2 UTF-16 units and 4 bytes.
    const most = word.length * 3 * (1 + prefix.length + suffix.length)
    if (this.#symbols.length < most) this.#symbols = new Int32Array(most)
    let count = 0
    let end = 0
    for (const char of word) {
      const isFirst = end === 0
      end += char.length
      const symbol = (isFirst ? char : prefix + char) + (end === word.length ? suffix : '')
      const id = vocab.get(symbol)
      if (id !== undefined || byteFallbackIds === undefined) count = this.#add(id ?? MISSING, count)
      else for (const byte of encoder.encode(symbol)) count = this.#add(byteFallbackIds[byte]!, count)
    }
    return count
  }

  /** Appends one symbol; what the vocabulary lacks becomes the unknown token, or nothing if there is none. */
  #add(id: number, count: number): number {
    const { unknownId, fuseUnknown } = this.#options
    if (id >= 0) {
      this.#symbols[count] = id
      return count + 1
    }
    if (unknownId === undefined || (fuseUnknown && count > 0 && this.#symbols[count - 1] === unknownId)) return count
    this.#symbols[count] = unknownId
    return count + 1
  }

  /** Merges the first `count` of `#symbols` in place and returns how many are left. */
  #merge(count: number): number {
    return count <= SCAN_LIMIT ? this.#mergeByScan(count) : this.#mergeByHeap(count)
  }

  #mergeByScan(count: number): number {
    const symbols = this.#symbols
    for (let length = count; ; length--) {
      let best = -1
      let bestRank = 0
      for (let i = 0; i + 1 < length; i++) {
        const rank = this.#ranks.get(symbols[i]!, symbols[i + 1]!)
        if (rank !== -1 && (best === -1 || rank < bestRank)) {
          best = i
          bestRank = rank
        }
      }
      if (best === -1) return length
      symbols[best] = this.#options.merges[bestRank * 3 + 2]!
      symbols.copyWithin(best + 1, best + 2, length)
    }
  }

  #mergeByHeap(count: number): number {
    const symbols = this.#symbols
    const next = new Int32Array(count)
    const previous = new Int32Array(count)
    const heap = new MergeHeap(count)
    for (let i = 0; i < count; i++) {
      next[i] = i + 1 < count ? i + 1 : -1
      previous[i] = i - 1
      if (i + 1 < count) heap.push(this.#ranks.get(symbols[i]!, symbols[i + 1]!), i)
    }
    while (heap.pop()) {
      const at = heap.position
      const right = next[at]!
      // Stale entries: the symbol was merged away (−1), or its pair has changed since.
      if (symbols[at] === -1 || right === -1 || this.#ranks.get(symbols[at]!, symbols[right]!) !== heap.rank) continue
      symbols[at] = this.#options.merges[heap.rank * 3 + 2]!
      symbols[right] = -1
      const after = next[right]!
      next[at] = after
      if (after !== -1) {
        previous[after] = at
        heap.push(this.#ranks.get(symbols[at]!, symbols[after]!), at)
      }
      const before = previous[at]!
      if (before !== -1) heap.push(this.#ranks.get(symbols[before]!, symbols[at]!), before)
    }
    let length = 0
    for (let i = 0; i !== -1; i = next[i]!) symbols[length++] = symbols[i]!
    return length
  }
}

/** Pending merges, lowest rank first, then leftmost. Rank and position share one double: 22 and 31 bits. */
class MergeHeap {
  #keys: Float64Array
  #size = 0
  rank = 0
  position = 0

  constructor(expected: number) {
    this.#keys = new Float64Array(expected)
  }

  push(rank: number, position: number): void {
    if (rank === -1) return
    if (this.#size === this.#keys.length) {
      const keys = new Float64Array(this.#size * 2)
      keys.set(this.#keys)
      this.#keys = keys
    }
    const keys = this.#keys
    const key = rank * 2 ** 31 + position
    let child = this.#size++
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (keys[parent]! <= key) break
      keys[child] = keys[parent]!
      child = parent
    }
    keys[child] = key
  }

  /** Takes the first entry into `rank` and `position`; false when there is none. */
  pop(): boolean {
    if (this.#size === 0) return false
    const keys = this.#keys
    this.rank = Math.floor(keys[0]! / 2 ** 31)
    this.position = keys[0]! - this.rank * 2 ** 31
    const last = keys[--this.#size]!
    let parent = 0
    for (;;) {
      let child = parent * 2 + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && keys[child + 1]! < keys[child]!) child++
      if (last <= keys[child]!) break
      keys[parent] = keys[child]!
      parent = child
    }
    keys[parent] = last
    return true
  }
}

/** True if no merge joins a token that does not end in `▁` to one that begins with it. */
function neverJoinsBeforeSpace({ vocab, merges }: BpeOptions): boolean {
  const endsInSpace = new Set<number>()
  const startsWithSpace = new Set<number>()
  for (const [token, id] of vocab) {
    if (token.endsWith('▁')) endsInSpace.add(id)
    if (token.startsWith('▁')) startsWithSpace.add(id)
  }
  if (startsWithSpace.size === 0) return false
  for (let i = 0; i < merges.length; i += 3) {
    if (startsWithSpace.has(merges[i + 1]!) && !endsInSpace.has(merges[i]!)) return false
  }
  return true
}

/** A copy that does not keep alive the document it was cut from, as V8's slices of 13 characters and more do. */
export function detach(word: string): string {
  return word.length < 13 ? word : Buffer.from(word, 'utf16le').toString('utf16le')
}
