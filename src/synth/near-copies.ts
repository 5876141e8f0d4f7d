// Texts that are nearly others: within a set by signatures (MinHash), and of texts of other sets by the runs of words that they share.

import { asSet, jaccard, MinHasher } from '../data/curate/minhash.ts'
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

/**
 * Each text that has at least `near` of the runs of five words of an `other`, or the other way round: the one stands in the other. The most
 * alike one is told. Texts of fewer than four such runs are not looked for.
 */
export function copiesOf(texts: readonly string[], others: readonly string[], near: number = NEAR): NearCopy[] {
  const hasher = new MinHasher()
  const shinglesOf = (text: string): Float64Array => asSet(hasher.shingles(simplifiedWords(text)))
  const having = new Map<number, number[]>()
  const sizes = others.map((other, i) => {
    const shingles = shinglesOf(other)
    for (const shingle of shingles) {
      const list = having.get(shingle)
      if (list === undefined) having.set(shingle, [i])
      else list.push(i)
    }
    return shingles.length
  })
  return texts.flatMap((one, text): NearCopy[] => {
    const shingles = shinglesOf(one)
    const common = new Map<number, number>()
    for (const shingle of shingles)
      for (const other of having.get(shingle) ?? []) common.set(other, (common.get(other) ?? 0) + 1)
    let best: NearCopy | undefined
    for (const [like, count] of common) {
      const least = Math.min(shingles.length, sizes[like]!)
      const share = least < LEAST_SHINGLES ? 0 : count / least
      if (share >= near && share > (best?.share ?? 0)) best = { text, like, share }
    }
    return best === undefined ? [] : [best]
  })
}
