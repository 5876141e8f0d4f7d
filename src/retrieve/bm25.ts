// BM25 over documents in memory.
import { UsageError } from '../errors.ts'
import { Bm25Formula, type Bm25Options, type CollectionStats } from './bm25-formula.ts'
import type { Hit, RetrievalDocument, Retriever } from './document.ts'
import { PostingsBuilder } from './postings.ts'
import { TermSearch } from './search-terms.ts'
import { type Tokenize, tokenizer } from './tokenize.ts'

/** An index of texts in memory, made at once. One that grows, or that is larger than memory, is `writeIndex`. */
export class Bm25 implements Retriever {
  private readonly documents: readonly RetrievalDocument[]
  private readonly tokenize: Tokenize
  private readonly terms: TermSearch

  /**
   * Without `tokenize` words are those of {@link tokenizer}.
   *
   * @example
   * const index = new Bm25([{ id: 'a', text: 'A cat sat.' }, { id: 'b', text: 'A dog ran.' }])
   * index.search('cat') // [{ id: 'a', text: 'A cat sat.', score: 0.288… }]
   */
  constructor(
    documents: Iterable<RetrievalDocument>,
    { tokenize = tokenizer(), ...formula }: Bm25Options & { tokenize?: Tokenize } = {},
  ) {
    this.documents = [...documents]
    this.tokenize = tokenize
    const ids = new Set<string>()
    const builder = new PostingsBuilder()
    for (const { id, text } of this.documents) {
      if (ids.has(id))
        throw new UsageError(`documents: expected an id for each, got ${JSON.stringify(id)} twice. Rename one of them`)
      ids.add(id)
      builder.add(tokenize(text))
    }
    this.terms = new TermSearch([{ terms: builder.finish() }], new Bm25Formula(formula))
  }

  /** How many documents and words there are. */
  get stats(): CollectionStats {
    return this.terms.stats
  }

  /**
   * The `k` best documents that have one of the query's words, best first; equal scores in the order of the documents. A word that is
   * asked for twice counts twice. None where no document has a word of it.
   */
  search(query: string, { k = 10 }: { k?: number } = {}): Hit[] {
    return this.terms
      .search(this.tokenize(query), checkedK(k))
      .map(({ row, score }) => ({ ...this.documents[row]!, score }))
  }
}

/** `k` as a whole number ≥ 1. UsageError for another. */
export function checkedK(k: number): number {
  if (!Number.isInteger(k) || k < 1) throw new UsageError(`k: expected a whole number of at least 1, got ${k}`)
  return Math.min(k, 1e6)
}
