// The formulas that go by the name of BM25 (Kamphuis et al. 2020, "Which BM25 do you mean?"; Trotman et al. 2014, "Improvements to BM25 and
// language models examined"), as weights of terms and of how often they stand in a document.
import { UsageError } from '../errors.ts'

/** Which formula scores, and its constants. */
export interface Bm25Options {
  /**
   * `lucene`: idf ln(1 + (N − n + .5)/(n + .5)), tf/(tf + k1·(1 − b + b·length/mean)), N the documents with words; also bm25s and Pyserini. The default.
   * `okapi`: rank-bm25's BM25Okapi, idf ln((N − n + .5)/(n + .5)), where negative `epsilon` times the mean idf of all terms; tf·(k1 + 1)/(tf + …).
   * `plus`, `l`: BM25+ and BM25L (Lv and Zhai 2011), which raise what a term gives to long documents; a term that is not in a document gives nothing there
   * (rank-bm25 adds the same to every document for it).
   */
  variant?: 'lucene' | 'okapi' | 'plus' | 'l'
  /** How soon more of the same word adds nothing. Default 1.2 for `lucene`, else 1.5. */
  k1?: number
  /** How far long documents are held back, 0 to 1. Default 0.75. */
  b?: number
  /** Of `okapi`. Default 0.25. */
  epsilon?: number
  /** Of `plus` (default 1) and `l` (default 0.5). */
  delta?: number
  /** `exact` lengths, or as Lucene keeps them in one byte (SmallFloat: exact to 40 words, then to one part in 8 to 16). Default `exact`. */
  lengths?: 'exact' | 'byte'
}

/** What is known of the documents as a whole. */
export interface CollectionStats {
  documents: number
  /** Documents that have words. */
  withWords: number
  /** Words of all of them. */
  tokens: number
}

const VARIANTS = ['lucene', 'okapi', 'plus', 'l'] as const

/** One formula with its constants. */
export class Bm25Formula {
  readonly options: Required<Bm25Options>

  constructor(options: Bm25Options = {}) {
    const { variant = 'lucene' } = options
    if (!VARIANTS.includes(variant))
      throw new UsageError(`variant: expected ${VARIANTS.join(', ')}, got ${JSON.stringify(variant)}`)
    const { k1 = variant === 'lucene' ? 1.2 : 1.5, b = 0.75, epsilon = 0.25, lengths = 'exact' } = options
    const { delta = variant === 'l' ? 0.5 : 1 } = options
    for (const [name, value, most] of [
      ['k1', k1, Number.MAX_VALUE],
      ['b', b, 1],
      ['epsilon', epsilon, Number.MAX_VALUE],
      ['delta', delta, Number.MAX_VALUE],
    ] as const)
      if (!(value >= 0 && value <= most))
        throw new UsageError(`${name}: expected a number ${most === 1 ? 'from 0 to 1' : 'of at least 0'}, got ${value}`)
    if (lengths !== 'exact' && lengths !== 'byte')
      throw new UsageError(`lengths: expected exact or byte, got ${JSON.stringify(lengths)}`)
    this.options = { variant, k1, b, epsilon, delta, lengths }
  }

  /** What `okapi` weighs a term with; negative where it is in more than half of the documents. */
  private static okapiIdf(documents: number, frequency: number): number {
    return Math.log(documents - frequency + 0.5) - Math.log(frequency + 0.5)
  }

  /** The weight of a term in `frequency` documents (≥ 1). `meanIdf` is asked where the formula needs it. */
  idf(stats: CollectionStats, frequency: number, meanIdf: () => number): number {
    const { variant, epsilon } = this.options
    switch (variant) {
      case 'lucene':
        return Math.log(1 + (stats.withWords - frequency + 0.5) / (frequency + 0.5))
      case 'okapi': {
        const idf = Bm25Formula.okapiIdf(stats.documents, frequency)
        return idf < 0 ? epsilon * meanIdf() : idf
      }
      case 'plus':
        return Math.log(stats.documents + 1) - Math.log(frequency)
      case 'l':
        return Math.log(stats.documents + 1) - Math.log(frequency + 0.5)
    }
  }

  /** The mean of `okapi`'s idf over all terms, from how many terms are in so many documents: the order of terms does not change a bit. */
  static meanIdf(documents: number, terms: ReadonlyMap<number, number>): number {
    let sum = 0
    let count = 0
    for (const [frequency, number] of [...terms].sort(([a], [b]) => a - b)) {
      sum += number * Bm25Formula.okapiIdf(documents, frequency)
      count += number
    }
    return count === 0 ? 0 : sum / count
  }

  /** 1 − b + b·length/mean for each document. */
  lengthFactors(lengths: Uint32Array, stats: CollectionStats): Float64Array {
    const { b, variant, lengths: kept } = this.options
    const mean = stats.tokens / (variant === 'lucene' ? stats.withWords : stats.documents)
    const known = kept === 'byte' ? (length: number) => byteToLength(lengthToByte(length)) : (length: number) => length
    return Float64Array.from(lengths, (length) => (length === 0 ? 1 : 1 - b + (b * known(length)) / mean))
  }

  /** What a term of this weight (≥ 0) gives to no document more than. */
  bound(weight: number): number {
    const { variant, k1, delta } = this.options
    if (variant === 'lucene') return weight
    return weight * (k1 + 1 + (variant === 'plus' ? delta : 0))
  }

  /** Adds what a term of this `weight` (its idf times how often it is asked for) gives to its documents. */
  accumulate(
    weight: number,
    { docs, counts }: Postings,
    factors: Float64Array,
    { scores, isFound, found }: Accumulator,
    removed: Uint8Array | undefined,
  ): void {
    const [scale, k1, added, delta] = this.constants(weight)
    for (let i = 0; i < docs.length; i++) {
      const doc = docs[i]!
      if (removed !== undefined && removed[doc] === 1) continue
      const score = termScore(counts[i]!, factors[doc]!, scale, k1, added, delta)
      if (isFound[doc] === 0) {
        isFound[doc] = 1
        scores[doc] = score
        found.push(doc)
      } else scores[doc]! += score
    }
  }

  /** The same for those alone that were found before. */
  accumulateFound(
    weight: number,
    { docs, counts }: Postings,
    factors: Float64Array,
    { scores, isFound, found }: Accumulator,
  ): void {
    const [scale, k1, added, delta] = this.constants(weight)
    // A document is looked up in some ten steps.
    if (found.length * 10 < docs.length) {
      for (const doc of found) {
        const i = placeOf(docs, doc)
        if (i >= 0) scores[doc]! += termScore(counts[i]!, factors[doc]!, scale, k1, added, delta)
      }
      return
    }
    for (let i = 0; i < docs.length; i++) {
      const doc = docs[i]!
      if (isFound[doc] === 1) scores[doc]! += termScore(counts[i]!, factors[doc]!, scale, k1, added, delta)
    }
  }

  /** Of `termScore`; delta is −1 where the formula is not BM25L. */
  private constants(weight: number): [scale: number, k1: number, added: number, delta: number] {
    const { variant, k1, delta } = this.options
    const scale = weight * (variant === 'lucene' ? 1 : k1 + 1)
    return [scale, k1, variant === 'plus' ? weight * delta : 0, variant === 'l' ? delta : -1]
  }
}

function termScore(count: number, factor: number, scale: number, k1: number, added: number, delta: number): number {
  if (delta < 0) return (scale * count) / (count + k1 * factor) + added
  const even = count / factor + delta
  return (scale * even) / (k1 + even)
}

/** Where `doc` stands among documents in order, or −1. */
function placeOf(docs: Uint32Array, doc: number): number {
  let [low, high] = [0, docs.length - 1]
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = docs[middle]!
    if (found === doc) return middle
    if (found < doc) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** The documents of a term in ascending order, and how often each has it (≥ 1). */
export interface Postings {
  docs: Uint32Array
  counts: Uint32Array
}

/** Scores of the documents of one segment while a query is answered. */
export interface Accumulator {
  scores: Float64Array
  isFound: Uint8Array
  found: number[]
}

/** Lucene's `SmallFloat.intToByte4`: 0 to 23 as they are, then four significant bits of what is above. */
export function lengthToByte(length: number): number {
  if (length < 24) return length
  const rest = length - 24
  const bits = 32 - Math.clz32(rest)
  if (bits < 4) return 24 + rest
  const shift = bits - 4
  return 24 + (((rest >>> shift) & 7) | ((shift + 1) << 3))
}

/** Lucene's `SmallFloat.byte4ToInt`. */
export function byteToLength(byte: number): number {
  if (byte < 24) return byte
  const code = byte - 24
  const shift = (code >>> 3) - 1
  return 24 + (shift === -1 ? code & 7 : ((code & 7) | 8) << shift)
}
