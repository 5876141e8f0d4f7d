// Words of documents → for each word the documents that have it, in flat arrays.
import type { Postings } from './bm25-formula.ts'

/** Documents in the order in which they were added; what a search reads of them. */
export interface SegmentTerms {
  /** Words of each document. */
  readonly lengths: Uint32Array
  /** The documents of a term. */
  postings(term: string): Postings | undefined
  /** How many documents each term is in. */
  frequencies(): Iterable<readonly [term: string, frequency: number]>
}

/** Takes documents one by one; `finish` sorts what was seen by terms. */
export class PostingsBuilder {
  private readonly ids = new Map<string, number>()
  private readonly terms: string[] = []
  /** Documents of each term. */
  private frequencies = new Uint32Array(1024)
  /** Of each entry its term, document and count, in the order of documents. */
  private entries = new Uint32Array(3 * 4096)
  private numEntries = 0
  private readonly lengths: number[] = []
  /** Of each term its entry in the document that is being read, plus 1 and all that came before. */
  private last = new Uint32Array(1024)

  /** Documents so far. */
  get documents(): number {
    return this.lengths.length
  }

  /** Bytes that are held, about. */
  get bytes(): number {
    return 12 * this.numEntries + 64 * this.terms.length
  }

  add(words: readonly string[]): void {
    const doc = this.lengths.length
    const first = this.numEntries
    for (const word of words) {
      const id = this.ids.get(word) ?? this.newTerm(word)
      const entry = this.last[id]! - 1
      // An entry of this document, and of this term, unless it is an older one.
      if (entry >= first) this.entries[3 * entry + 2]!++
      else this.addEntry(id, doc)
    }
    this.lengths.push(words.length)
  }

  finish(): MemorySegment {
    const { terms, entries, numEntries } = this
    const starts = new Uint32Array(terms.length + 1)
    for (let id = 0; id < terms.length; id++) starts[id + 1] = starts[id]! + this.frequencies[id]!
    const next = starts.slice()
    const docs = new Uint32Array(numEntries)
    const counts = new Uint32Array(numEntries)
    for (let entry = 0; entry < numEntries; entry++) {
      const at = next[entries[3 * entry]!]!++
      docs[at] = entries[3 * entry + 1]!
      counts[at] = entries[3 * entry + 2]!
    }
    return new MemorySegment(terms, this.ids, starts, docs, counts, Uint32Array.from(this.lengths))
  }

  private newTerm(word: string): number {
    const id = this.terms.length
    // A half of a pair of surrogates would not come back from a file.
    if (!word.isWellFormed()) {
      const known = this.ids.get(word.toWellFormed())
      return known ?? this.newTerm(word.toWellFormed())
    }
    this.ids.set(word, id)
    this.terms.push(word)
    if (id === this.frequencies.length) {
      this.frequencies = grown(this.frequencies)
      this.last = grown(this.last)
    }
    return id
  }

  private addEntry(id: number, doc: number): void {
    const at = 3 * this.numEntries
    if (at === this.entries.length) this.entries = grown(this.entries)
    this.entries[at] = id
    this.entries[at + 1] = doc
    this.entries[at + 2] = 1
    this.frequencies[id]!++
    this.last[id] = ++this.numEntries
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(2 * array.length)
  longer.set(array)
  return longer
}

/** Terms and documents in memory. */
export class MemorySegment implements SegmentTerms {
  /** In the order in which they were first seen. */
  readonly terms: readonly string[]
  readonly lengths: Uint32Array
  private readonly ids: ReadonlyMap<string, number>
  private readonly starts: Uint32Array
  private readonly docs: Uint32Array
  private readonly counts: Uint32Array

  constructor(
    terms: readonly string[],
    ids: ReadonlyMap<string, number>,
    starts: Uint32Array,
    docs: Uint32Array,
    counts: Uint32Array,
    lengths: Uint32Array,
  ) {
    this.terms = terms
    this.ids = ids
    this.starts = starts
    this.docs = docs
    this.counts = counts
    this.lengths = lengths
  }

  postings(term: string): Postings | undefined {
    const id = this.ids.get(term.toWellFormed())
    if (id === undefined) return undefined
    const [start, end] = [this.starts[id]!, this.starts[id + 1]!]
    return { docs: this.docs.subarray(start, end), counts: this.counts.subarray(start, end) }
  }

  *frequencies(): Generator<[string, number]> {
    for (const [id, term] of this.terms.entries()) yield [term, this.starts[id + 1]! - this.starts[id]!]
  }
}
