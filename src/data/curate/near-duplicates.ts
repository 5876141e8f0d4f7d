// Which documents go as near-duplicates of which. Two presets: `datatrove` joins whatever shares a band, and everything joined to
// that; `verified` compares each candidate with what has been kept and takes it out only for a neighbour that it really resembles.
// Joining without looking wiped out whole sources elsewhere: a chain of small resemblances ends far from where it began.

/** Documents by number, 0 to count − 1: keys of the bands, and the order of their content hashes. */
export interface Candidates {
  count: number
  bands: number
  /** Lower and upper halves of the keys of all documents in a band. Asked for band by band. */
  keys(band: number): { low: Uint32Array; high: Uint32Array }
  /** Whether a document has keys. */
  has(document: number): boolean
  /** Negative where the content hash of `a` is the smaller one. */
  compare(a: number, b: number): number
}

/** For each document the one that it goes for, or `KEPT`. */
export type Removed = Uint32Array

/** Stays. */
export const KEPT = 0xffff_ffff

/** Documents of one band with one key that are compared at most: beyond, boilerplate would cost the square of its number. */
const MOST_COMPARED = 200

/** Calls `pair(first, other)` for every document that has the key of an earlier one, band by band. */
function eachMatch(
  { count, bands, keys, has }: Candidates,
  pair: (first: number, other: number, band: number) => void,
): void {
  let size = 16
  while (size < 2 * count) size *= 2
  const mask = size - 1
  for (let band = 0; band < bands; band++) {
    const { low: lows, high: highs } = keys(band)
    const slots = new Uint32Array(size)
    for (let document = 0; document < count; document++) {
      if (!has(document)) continue
      const low = lows[document]!
      const high = highs[document]!
      let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask
      let first: number | undefined
      for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
        const there = slots[slot]! - 1
        if (lows[there] !== low || highs[there] !== high) continue
        first = there
        break
      }
      if (first === undefined) slots[slot] = document + 1
      else pair(first, document, band)
    }
  }
}

/** Clusters by transitive closure; of each the document with the smallest content hash stays. */
export function closure(candidates: Candidates): Removed {
  const { count, compare } = candidates
  const parent = new Uint32Array(count)
  for (let i = 0; i < count; i++) parent[i] = i
  const root = (document: number): number => {
    let at = document
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!
      at = parent[at]!
    }
    return at
  }
  eachMatch(candidates, (a, b) => {
    const [x, y] = [root(a), root(b)]
    // The root of a cluster is its smallest hash, so that the order in which pairs come does not matter.
    if (x !== y) parent[compare(x, y) < 0 ? y : x] = compare(x, y) < 0 ? x : y
  })
  const removed = new Uint32Array(count).fill(KEPT)
  for (let i = 0; i < count; i++) {
    const kept = root(i)
    if (kept !== i) removed[i] = kept
  }
  return removed
}

/** Numbers that grow. */
class Growing {
  length = 0
  array = new Uint32Array(1024)

  push(value: number): number {
    if (this.length === this.array.length) {
      const longer = new Uint32Array(2 * this.array.length)
      longer.set(this.array)
      this.array = longer
    }
    this.array[this.length] = value
    return this.length++
  }
}

/**
 * Each document, by its content hash from the smallest on, goes if `resembles` says so of one that stays already and shares a band with
 * it; the first such is what it goes for. `unchecked` counts comparisons left out because too many share a band.
 */
export function verified(
  candidates: Candidates,
  resembles: (document: number, kept: number) => boolean,
): { removed: Removed; unchecked: number } {
  const { count, compare } = candidates
  // Who belongs to which group of one key; group 0 is none.
  const members = new Growing()
  const groups = new Growing()
  const groupOf = new Uint32Array(count)
  let numGroups = 1
  let band = 0
  const flush = (): void => {
    for (let i = 0; i < count; i++) {
      if (groupOf[i] === 0) continue
      members.push(i)
      groups.push(groupOf[i]!)
      groupOf[i] = 0
    }
  }
  eachMatch(candidates, (first, other, now) => {
    if (now !== band) flush()
    band = now
    if (groupOf[first] === 0) groupOf[first] = numGroups++
    groupOf[other] = groupOf[first]!
  })
  flush()

  // Groups by document: where each document's begin.
  const begin = new Uint32Array(count + 1)
  for (let i = 0; i < members.length; i++) begin[members.array[i]! + 1]!++
  for (let i = 0; i < count; i++) begin[i + 1]! += begin[i]!
  const filled = begin.slice(0, count)
  const byDocument = new Uint32Array(members.length)
  for (let i = 0; i < members.length; i++) byDocument[filled[members.array[i]!]!++] = groups.array[i]!

  const wanted: number[] = []
  for (let i = 0; i < count; i++) if (begin[i + 1]! > begin[i]!) wanted.push(i)
  const order = Uint32Array.from(wanted).sort(compare)
  const removed = new Uint32Array(count).fill(KEPT)
  // Kept documents of each group, the latest first: 1 + an entry, whose document and predecessor stand in two lists.
  const latest = new Uint32Array(numGroups)
  const sizes = new Uint32Array(numGroups)
  const keptDocuments = new Growing()
  const before = new Growing()
  const rank = new Map<number, number>()
  let unchecked = 0
  for (const document of order) {
    const near = new Set<number>()
    for (let i = begin[document]!; i < begin[document + 1]!; i++) {
      const group = byDocument[i]!
      for (let entry = latest[group]!; entry !== 0; entry = before.array[entry - 1]!)
        near.add(keptDocuments.array[entry - 1]!)
    }
    // Those kept first have the smallest hashes.
    const sorted = [...near].sort((a, b) => rank.get(a)! - rank.get(b)!)
    const found = sorted.find((kept) => resembles(document, kept))
    if (found !== undefined) {
      removed[document] = found
      continue
    }
    rank.set(document, rank.size)
    for (let i = begin[document]!; i < begin[document + 1]!; i++) {
      const group = byDocument[i]!
      if (sizes[group]! >= MOST_COMPARED) {
        unchecked++
        continue
      }
      sizes[group]!++
      const entry = keptDocuments.push(document) + 1
      before.push(latest[group]!)
      latest[group] = entry
    }
  }
  return { removed, unchecked }
}

/** Sizes of clusters (a document that stays and those that go for it), from 2 on: size → how many. */
export function clusterSizes(removed: Removed): Map<number, number> {
  const members = new Map<number, number>()
  for (const kept of removed) if (kept !== KEPT) members.set(kept, (members.get(kept) ?? 1) + 1)
  const sizes = new Map<number, number>()
  for (const size of members.values()) sizes.set(size, (sizes.get(size) ?? 0) + 1)
  return new Map([...sizes].sort(([a], [b]) => a - b))
}
