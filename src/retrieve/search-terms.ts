// A query of words against segments: exact statistics of the documents that are there, removed ones not counted, so that an index that grew
// and shrank scores as one that was made at once.
import { type Accumulator, Bm25Formula, type CollectionStats, type Postings } from './bm25-formula.ts'
import type { SegmentTerms } from './postings.ts'
import { TopK } from './top-k.ts'

/** One segment of an index, as a search sees it. */
export interface SearchedSegment {
  readonly terms: SegmentTerms
  /** 1 where the document was removed. */
  readonly removed?: Uint8Array | undefined
}

/** Documents that match, by their number over all segments. */
export interface FoundRow {
  row: number
  score: number
}

/** What is kept of a segment from query to query. */
interface Room {
  factors: Float64Array
  accumulator: Accumulator
}

/** Answers queries over segments that do not change. What it needs again (lengths, the mean idf) it keeps. */
export class TermSearch {
  readonly stats: CollectionStats
  private readonly formula: Bm25Formula
  private readonly segments: readonly SearchedSegment[]
  private readonly kept: (Room | undefined)[] = []
  private meanIdf: number | undefined

  constructor(segments: readonly SearchedSegment[], formula: Bm25Formula, stats: CollectionStats = statsOf(segments)) {
    this.segments = segments
    this.formula = formula
    this.stats = stats
  }

  /** The `k` best documents that have one of the words, best first; equal scores in the order in which documents were added. */
  search(words: readonly string[], k: number): FoundRow[] {
    const asked = new Map<string, number>()
    for (const word of words) asked.set(word, (asked.get(word) ?? 0) + 1)
    const terms = [...asked].map(([term, times]) => {
      const postings = this.segments.map((segment) => segment.terms.postings(term))
      const frequency = postings.reduce((sum, found, i) => {
        return found === undefined ? sum : sum + live(found.docs, this.segments[i]!.removed)
      }, 0)
      return { times, postings, frequency }
    })
    // Rare words first: what they find decides whether frequent ones have to be looked at as a whole.
    const ranked = terms
      .filter(({ frequency }) => frequency > 0)
      .sort((a, b) => a.frequency - b.frequency)
      .map((term) => ({
        ...term,
        weight: term.times * this.formula.idf(this.stats, term.frequency, () => this.mean()),
      }))
    const best = new TopK(Math.min(k, this.stats.documents))
    let before = 0
    for (const [i, segment] of this.segments.entries()) {
      const own = ranked.flatMap(({ weight, postings }) =>
        postings[i] === undefined ? [] : [{ weight, postings: postings[i] }],
      )
      if (own.length > 0) this.searchSegment(segment, this.room(i, segment), own, best, before)
      before += segment.terms.lengths.length
    }
    return best.take()
  }

  private searchSegment(
    { removed }: SearchedSegment,
    { factors, accumulator }: Room,
    terms: readonly { weight: number; postings: Postings }[],
    best: TopK,
    before: number,
  ): void {
    const { formula } = this
    const { scores, isFound, found } = accumulator
    const isNegative = terms.some(({ weight }) => weight < 0)
    let isClosed = false
    for (const [t, { weight, postings }] of terms.entries()) {
      // What has none of the words so far cannot come in any more (Turtle and Flood 1995, "max score"): the rest is added to what was found.
      if (!isClosed && !isNegative && t > 0 && postings.docs.length > found.length) {
        const rest = terms.slice(t).reduce((sum, term) => sum + formula.bound(term.weight), 0)
        if (rest * (1 + 1e-9) < Math.max(best.threshold, leastOfBest(accumulator, best.k))) isClosed = true
      }
      if (isClosed) formula.accumulateFound(weight, postings, factors, accumulator)
      else formula.accumulate(weight, postings, factors, accumulator, removed)
    }
    for (const doc of found) {
      if (scores[doc]! >= best.threshold) best.add(before + doc, scores[doc]!)
      isFound[doc] = 0
    }
    found.length = 0
  }

  private room(i: number, { terms }: SearchedSegment): Room {
    this.kept[i] ??= {
      factors: this.formula.lengthFactors(terms.lengths, this.stats),
      accumulator: {
        scores: new Float64Array(terms.lengths.length),
        isFound: new Uint8Array(terms.lengths.length),
        found: [],
      },
    }
    return this.kept[i]
  }

  /** Reads every term once. */
  private mean(): number {
    if (this.meanIdf !== undefined) return this.meanIdf
    const frequencies = new Map<string, number>()
    for (const { terms, removed } of this.segments)
      for (const [term, all] of terms.frequencies()) {
        const frequency = removed === undefined ? all : live(terms.postings(term)!.docs, removed)
        if (frequency > 0) frequencies.set(term, (frequencies.get(term) ?? 0) + frequency)
      }
    const histogram = new Map<number, number>()
    for (const frequency of frequencies.values()) histogram.set(frequency, (histogram.get(frequency) ?? 0) + 1)
    const { documents } = this.stats
    this.meanIdf = Bm25Formula.meanIdf(documents, histogram)
    return this.meanIdf
  }
}

/** The k-th best score so far; −∞ where fewer were found. */
function leastOfBest({ scores, found }: Accumulator, k: number): number {
  if (found.length < k) return Number.NEGATIVE_INFINITY
  const best = new TopK(k)
  for (const doc of found) if (scores[doc]! >= best.threshold) best.add(doc, scores[doc]!)
  return best.threshold
}

function live(docs: Uint32Array, removed: Uint8Array | undefined): number {
  if (removed === undefined) return docs.length
  let count = 0
  for (let i = 0; i < docs.length; i++) count += 1 - removed[docs[i]!]!
  return count
}

/** Counts what is there of all segments. */
export function statsOf(segments: readonly SearchedSegment[]): CollectionStats {
  const stats = { documents: 0, withWords: 0, tokens: 0 }
  for (const { terms, removed } of segments)
    for (const [doc, length] of terms.lengths.entries()) {
      if (removed?.[doc] === 1) continue
      stats.documents++
      stats.tokens += length
      if (length > 0) stats.withWords++
    }
  return stats
}
