// Texts that are nearly others: within a set by signatures (MinHash), and of texts of other sets by the runs of words that they share.

import { asSet, jaccard, MinHasher, numCommon } from '../data/curate/minhash.ts'
import { simplifiedWords } from '../data/curate/simplify.ts'

/** A text, one that it is nearly the same as, and how much they share. */
export interface NearCopy {
  readonly text: number
  readonly like: number
  readonly share: number
}

/** From so much in common on, two texts are nearly the same. */
export const NEAR = 0.8
/** Shingles that a text needs at least to be looked for in others. */
const LEAST_SHINGLES = 4

/** Each text that shares at least `near` of all runs of five words with an earlier one (Jaccard), with that one. */
export function nearCopies(texts: readonly string[], near: number = NEAR): NearCopy[] {
  const hasher = new MinHasher()
  const { bands } = hasher.shape
  const groups = new Map<string, number[]>()
  const sets: Float64Array[] = []
  const found: NearCopy[] = []
  for (const [text, one] of texts.entries()) {
    const simple = simplifiedWords(one)
    sets.push(asSet(hasher.shingles(simple)))
    const keys = hasher.bandKeys(simple)
    if (keys === undefined) continue
    const candidates = new Set<number>()
    const own = Array.from(
      { length: bands },
      (_, i) => `${i}:${Buffer.from(keys.subarray(8 * i, 8 * i + 8)).toString('hex')}`,
    )
    for (const key of own) for (const other of groups.get(key) ?? []) candidates.add(other)
    const like = [...candidates].sort((a, b) => a - b).find((other) => jaccard(sets[text]!, sets[other]!) >= near)
    if (like !== undefined) {
      found.push({ text, like, share: jaccard(sets[text]!, sets[like]!) })
      continue // its first one stands for all of them
    }
    for (const key of own) {
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [text])
      else group.push(text)
    }
  }
  return found
}

/** Runs in one table at most; a Map holds eight times as many. */
const PART_RUNS = 1 << 21
/** Once a near one is found, so many more are looked at: among texts of one mould all are near. */
const LOOKED_AT = 64

/**
 * Each text that has at least `near` of the runs of five words of an `other`, or the other way round: the one stands in the other. Told is
 * the most alike of the first ones that are found. Texts of fewer than four such runs are not looked for.
 */
export function copiesOf(texts: readonly string[], others: readonly string[], near: number = NEAR): NearCopy[] {
  const hasher = new MinHasher()
  const setOf = (text: string): Float64Array => asSet(hasher.shingles(simplifiedWords(text)))
  const sets = texts.map(setOf)
  const best: (NearCopy | undefined)[] = texts.map(() => undefined)
  let part: Known[] = []
  let runs = 0
  const look = (): void => {
    lookIn(part, sets, near, best)
    part = []
    runs = 0
  }
  for (const [like, other] of others.entries()) {
    const set = setOf(other)
    if (set.length < LEAST_SHINGLES) continue
    part.push({ like, set })
    runs += set.length
    if (runs >= PART_RUNS) look()
  }
  look()
  return best.filter((found) => found !== undefined)
}

interface Known {
  readonly like: number
  readonly set: Float64Array
}

/**
 * Compares texts with the known ones that can be near. Two sets that share `near` of the smaller one share one of its rarest runs, as many
 * as may be missing and one more: so what many have in common, such as the words of a template, is not looked up for each.
 */
function lookIn(
  known: readonly Known[],
  sets: readonly Float64Array[],
  near: number,
  best: (NearCopy | undefined)[],
): void {
  const having = new Map<number, number[]>()
  for (const [i, { set }] of known.entries()) put(having, set, i)
  const rarest = (set: Float64Array): Float64Array =>
    set
      .slice()
      .sort((a, b) => (having.get(a)?.length ?? 0) - (having.get(b)?.length ?? 0))
      .subarray(0, set.length - Math.ceil(near * set.length - 1e-9) + 1)
  const short = new Map<number, number[]>()
  for (const [i, { set }] of known.entries()) put(short, rarest(set), i)
  for (const [text, set] of sets.entries()) {
    if (set.length < LEAST_SHINGLES) continue
    const looked = new Set<number>()
    let left = Number.POSITIVE_INFINITY
    const compare = (runs: Float64Array, table: ReadonlyMap<number, number[]>): void => {
      for (const run of runs)
        for (const i of table.get(run) ?? []) {
          if (left <= 0 || best[text]?.share === 1) return
          if (looked.has(i)) continue
          looked.add(i)
          left--
          const { like, set: other } = known[i]!
          const share = numCommon(set, other) / Math.min(set.length, other.length)
          if (share < near || share <= (best[text]?.share ?? 0)) continue
          left = Math.min(left, LOOKED_AT)
          best[text] = { text, like, share }
        }
    }
    compare(rarest(set), having)
    compare(set, short)
  }
}

function put(table: Map<number, number[]>, runs: Float64Array, i: number): void {
  for (const run of runs) {
    const list = table.get(run)
    if (list === undefined) table.set(run, [i])
    else list.push(i)
  }
}
