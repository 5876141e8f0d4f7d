// How much of a text is repeated (Gopher, table A1): lines, paragraphs, runs of words. Runs are told apart by hashes of their
// characters in typed arrays and then compared, so that nothing is put together and nothing is taken for something else.

import { strip } from './lines.ts'
import type { Rules } from './rules.ts'
import { codePoints, ratio, type TextView } from './text-view.ts'

/** The rule that a text breaks by repeating itself; undefined for none. */
export function repetition(view: TextView, rules: Rules): string | undefined {
  const { text, length } = view
  if (rules.dup_para_frac !== null || rules.dup_para_char_frac !== null) {
    const { pieces, duplicates, characters } = repeated(strip(text).split(/\n{2,}/))
    if (isAbove(ratio(duplicates, pieces), rules.dup_para_frac)) return 'dup_para_frac'
    if (isAbove(ratio(characters, length), rules.dup_para_char_frac)) return 'dup_para_char_frac'
  }
  if (rules.dup_line_frac !== null || rules.dup_line_char_frac !== null) {
    const { pieces, duplicates, characters } = repeated(text.split(/\n+/))
    if (isAbove(ratio(duplicates, pieces), rules.dup_line_frac)) return 'dup_line_frac'
    if (isAbove(ratio(characters, length), rules.dup_line_char_frac)) return 'dup_line_char_frac'
  }
  if (rules.top_n_grams === null && rules.dup_n_grams === null) return undefined
  const runs = runsOf(view)
  for (const [n, share] of rules.top_n_grams ?? [])
    if (view.count >= n && ratio(runs.top(n), length) > share) return `top_${n}_gram`
  for (const [n, share] of rules.dup_n_grams ?? []) if (ratio(runs.repeated(n), length) > share) return `dup_${n}_gram`
  return undefined
}

function isAbove(share: number, limit: number | null): boolean {
  return limit !== null && limit > 0 && share > limit
}

/** How many pieces there are, how many came before, and the characters of those. */
export function repeated(pieces: readonly string[]): { pieces: number; duplicates: number; characters: number } {
  const seen = new Set<string>()
  let duplicates = 0
  let characters = 0
  for (const piece of pieces) {
    const before = seen.size
    if (seen.add(piece).size > before) continue
    duplicates++
    characters += codePoints(piece)
  }
  return { pieces: pieces.length, duplicates, characters }
}

let shared: Runs | undefined

/** One instance and its tables for all texts: making them anew takes longer than a text does. */
function runsOf(view: TextView): Runs {
  shared ??= new Runs()
  shared.take(view)
  return shared
}

/** Runs of words of one text. */
class Runs {
  private view!: TextView
  /** The characters of all words one after the other, and where each word begins; code points likewise. */
  private units = new Uint16Array(0)
  private places = new Int32Array(0)
  private sizes = new Int32Array(0)
  /** Which word each is: the first one of the same letters. */
  private ids = new Int32Array(0)
  /** Hash of all characters before a word, and the powers of the base. */
  private prefix = new Int32Array(0)
  private powers = new Int32Array(0)
  /** Open addressing: 1 + the run that lies there, how often it came, and in which round. */
  private slots = new Int32Array(0)
  private rounds = new Int32Array(0)
  private round = 0
  private mask = 0
  private counts = new Int32Array(0)

  take(view: TextView): void {
    this.view = view
    const { count, text } = view
    this.reserve(count, text.length)
    const { units, places, sizes, prefix } = this
    let at = 0
    let hash = 0
    places[0] = 0
    sizes[0] = 0
    prefix[0] = 0
    for (let word = 0; word < count; word++) {
      for (let i = view.start(word), end = view.end(word); i < end; i++) {
        const unit = text.charCodeAt(i)
        units[at++] = unit
        hash = (Math.imul(hash, BASE) + unit + 1) | 0
      }
      places[word + 1] = at
      sizes[word + 1] = sizes[word]! + view.lengthOf(word)
      prefix[word + 1] = hash
    }
    this.identify()
  }

  /** Characters of the commonest run of `n` words, spaces between them included, times how often it comes; of equal ones the first. */
  top(n: number): number {
    const { ids, sizes, slots, rounds, counts } = this
    const runs = this.view.count - n + 1
    const { mask } = this
    const round = ++this.round
    let best = 0
    for (let run = 0; run < runs; run++) {
      let hash = ids[run]!
      for (let i = 1; i < n; i++) hash = Math.imul(hash, BASE) + ids[run + i]!
      let slot = mix(hash) & mask
      while (rounds[slot] === round && !this.sameWords(slots[slot]!, run, n)) slot = (slot + 1) & mask
      const isNew = rounds[slot] !== round
      rounds[slot] = round
      if (isNew) slots[slot] = run
      counts[run] = 0
      const count = ++counts[slots[slot]!]!
      if (count > best) best = count
    }
    for (let run = 0; run < runs; run++) if (counts[run] === best) return best * (sizes[run + n]! - sizes[run]! + n - 1)
    return 0
  }

  /** Characters of runs of `n` words, without spaces, that came before; a run that did is stepped over as a whole. */
  repeated(n: number): number {
    const { sizes, slots, rounds } = this
    const last = this.view.count - n
    const { mask } = this
    const round = ++this.round
    let characters = 0
    for (let run = 0; run <= last; ) {
      let slot = mix(this.hashOf(run, n)) & mask
      while (rounds[slot] === round && !this.sameUnits(slots[slot]!, run, n)) slot = (slot + 1) & mask
      if (rounds[slot] === round) {
        characters += sizes[run + n]! - sizes[run]!
        run += n
      } else {
        rounds[slot] = round
        slots[slot] = run
        run++
      }
    }
    return characters
  }

  private identify(): void {
    const { ids, slots, rounds } = this
    const { mask } = this
    const round = ++this.round
    for (let word = 0; word < this.view.count; word++) {
      let slot = mix(this.hashOf(word, 1)) & mask
      while (rounds[slot] === round && !this.sameUnits(slots[slot]!, word, 1)) slot = (slot + 1) & mask
      if (rounds[slot] !== round) {
        rounds[slot] = round
        slots[slot] = word
      }
      ids[word] = slots[slot]!
    }
  }

  private hashOf(run: number, n: number): number {
    const { prefix, places, powers } = this
    return (prefix[run + n]! - Math.imul(prefix[run]!, powers[places[run + n]! - places[run]!]!)) | 0
  }

  private sameUnits(a: number, b: number, n: number): boolean {
    const { units, places } = this
    const length = places[a + n]! - places[a]!
    if (length !== places[b + n]! - places[b]!) return false
    for (let i = places[a]!, j = places[b]!, end = i + length; i < end; i++, j++)
      if (units[i] !== units[j]) return false
    return true
  }

  private sameWords(a: number, b: number, n: number): boolean {
    const { ids } = this
    for (let i = 0; i < n; i++) if (ids[a + i] !== ids[b + i]) return false
    return true
  }

  private reserve(words: number, units: number): void {
    if (this.units.length < units) {
      const room = 2 * units
      this.units = new Uint16Array(room)
      this.powers = new Int32Array(room + 1)
      this.powers[0] = 1
      for (let i = 1; i <= room; i++) this.powers[i] = Math.imul(this.powers[i - 1]!, BASE)
    }
    if (this.places.length <= words) {
      const room = 2 * words + 2
      this.places = new Int32Array(room)
      this.sizes = new Int32Array(room)
      this.ids = new Int32Array(room)
      this.prefix = new Int32Array(room)
      this.counts = new Int32Array(room)
    }
    // At most half full, and no more of the table than the text needs: the cache is small.
    let slots = 64
    while (slots < 2 * words) slots *= 2
    this.mask = slots - 1
    if (this.slots.length >= slots && this.round < 0x7fff_ff00) return
    this.slots = new Int32Array(Math.max(slots, this.slots.length))
    this.rounds = new Int32Array(this.slots.length)
    this.round = 0
  }
}

const BASE = 0x01000193

/** Spreads a hash over all bits. */
function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
