// An index on disk as those see it who search: one state, from the moment it is opened.
import { join, resolve } from 'node:path'
import { hasCode, InputError, UsageError } from '../../errors.ts'
import { hashFile } from '../../files/hash.ts'
import { checkedK } from '../bm25.ts'
import { Bm25Formula, type Bm25Options, type CollectionStats } from '../bm25-formula.ts'
import type { Hit, RetrievalDocument, Retriever } from '../document.ts'
import { checkedVector } from '../flat-vectors.ts'
import { type FuseOptions, fuse } from '../fuse.ts'
import { type FoundRow, TermSearch } from '../search-terms.ts'
import type { Tokenize } from '../tokenize.ts'
import { TopK } from '../top-k.ts'
import { VectorBlock } from '../vector-block.ts'
import { type Manifest, readManifest, readRemoved } from './manifest.ts'
import { SegmentReader } from './segment-reader.ts'
import { checkEmbedder, type IndexEmbedder, type IndexOptions, type IndexSettings, tokenizeOf } from './settings.ts'

/** What an index is opened with. */
export interface OpenIndexOptions {
  /** Makes vectors of queries; has to be what made those of the index. */
  embedder?: IndexEmbedder
  /** Only for an index that was made with a function of its own. */
  tokenizer?: IndexOptions['tokenizer']
  /** Another formula than that of the index; what it counts is the same. */
  bm25?: Bm25Options
}

/** How an index is asked. */
export interface SearchOptions {
  /** How many documents at most. Default 10. */
  k?: number
  /** Default `both` where there is a vector of the query or an embedder, else `words`. */
  by?: 'words' | 'vectors' | 'both'
  /** A vector for the query, where you have one. */
  vector?: ArrayLike<number>
  /** Of `both`: how many are taken of each kind before they are put together. Default 100, or `k` where that is more. */
  candidates?: number
  /** Of `both`. Default reciprocal ranks with k = 60. */
  fuse?: FuseOptions
  signal?: AbortSignal
}

/** What an index is. */
export interface IndexInfo extends CollectionStats {
  settings: IndexSettings
  segments: number
  /** Documents that were removed and still take room. */
  removed: number
  /** Bytes of all its segments. */
  bytes: number
  /** What was kept with the last commit. */
  state?: unknown
}

/** Bytes scored again by the vectors themselves: so many times k. */
const RESCORE = 4

interface OpenedSegment {
  terms: SegmentReader
  removed: Uint8Array | undefined
}

/**
 * Opens an index. It stays as it is now, whatever others write meanwhile. InputError where there is none or it is damaged; UsageError for an embedder or
 * tokenizer that is not that of the index.
 *
 * @example
 * const index = openIndex('faq.index')
 * const hits = await index.search('reset password', { k: 3 }) // [{ id, text, meta, score }, …]
 */
export function openIndex(directory: string, options: OpenIndexOptions = {}): SearchIndex {
  return SearchIndex.open(directory, options)
}

/** What an index is and how it was made, without opening its segments. InputError where there is none. */
export function indexInfo(directory: string): IndexInfo {
  return infoOf(readManifest(directory))
}

/**
 * Reads all of an index and compares it with the sums that were written beside it. Opening does not, which reads next to nothing. InputError that
 * names the first file that is damaged.
 */
export function checkIndex(directory: string): void {
  for (const { file, sha256 } of readManifest(directory).segments) {
    const path = join(directory, file)
    if (hashFile(path) !== sha256)
      throw new InputError(
        `${path}: expected the bytes that were written, got others. It is damaged: build the index again`,
      )
  }
  openIndex(directory).close()
}

function infoOf({ documents, withWords, tokens, settings, segments, state }: Manifest): IndexInfo {
  return {
    documents,
    withWords,
    tokens,
    settings,
    segments: segments.length,
    removed: segments.reduce((sum, { removed }) => sum + (removed?.count ?? 0), 0),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(state !== undefined && { state }),
  }
}

/** An index that is open for searching; `openIndex` makes it. `close` when done. */
export class SearchIndex implements Retriever {
  readonly directory: string
  private readonly manifest: Manifest
  private readonly segments: OpenedSegment[] = []
  private readonly tokenize: Tokenize
  private readonly terms: TermSearch
  private readonly embedder: IndexEmbedder | undefined

  private constructor(directory: string, manifest: Manifest, { embedder, tokenizer, bm25 }: OpenIndexOptions) {
    const { settings } = manifest
    this.directory = resolve(directory)
    this.manifest = manifest
    this.tokenize = tokenizeOf(settings, tokenizer, directory)
    if (embedder !== undefined) checkEmbedder(settings, embedder, directory)
    this.embedder = embedder
    try {
      for (const entry of manifest.segments) {
        const terms = new SegmentReader(join(directory, entry.file), entry.bytes)
        this.segments.push({ terms, removed: undefined })
        this.segments.at(-1)!.removed = readRemoved(directory, entry)
        if (terms.documents !== entry.documents || terms.dimensions !== (settings.embedding?.dimensions ?? 0))
          throw new InputError(
            `${terms.file}: expected ${entry.documents} documents of the index, got others. It is damaged: build the index again`,
          )
      }
    } catch (error) {
      this.close()
      throw error
    }
    const { documents, withWords, tokens } = manifest
    this.terms = new TermSearch(this.segments, new Bm25Formula(bm25 ?? settings.bm25), { documents, withWords, tokens })
  }

  /** @internal See {@link openIndex}. */
  static open(directory: string, options: OpenIndexOptions): SearchIndex {
    for (let generation = -1; ; ) {
      const manifest = readManifest(directory)
      try {
        return new SearchIndex(directory, manifest, options)
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error
        // A writer has made a new state in between, and taken away what only the old one had.
        if (manifest.generation === generation)
          throw new InputError(
            `${directory}: expected all files that index.json names, got ${(error as Error).message}. It is damaged: build the index again`,
            { cause: error },
          )
        generation = manifest.generation
      }
    }
  }

  /** What it is and how it was made. */
  get info(): IndexInfo {
    return infoOf(this.manifest)
  }

  /**
   * The `k` best documents, best first: of words by BM25, of vectors by the metric of the index, of both by reciprocal ranks. Equal scores
   * in the order in which documents were added.
   */
  async search(query: string, options: SearchOptions = {}): Promise<Hit[]> {
    const { k: given = 10, vector, by = this.canEmbed(vector) ? 'both' : 'words', fuse: fusing, signal } = options
    const k = checkedK(given)
    if (!['words', 'vectors', 'both'].includes(by))
      throw new UsageError(`by: expected words, vectors or both, got ${JSON.stringify(by)}`)
    signal?.throwIfAborted()
    if (by === 'words') return this.hits(this.byWords(query, k))
    const asked = await this.vectorOf(query, vector, signal)
    if (by === 'vectors') return this.hits(this.byVector(asked, k))
    const candidates = Math.max(k, checkedK(options.candidates ?? 100))
    const ranked = [this.byWords(query, candidates), this.byVector(asked, candidates)].map((rows) =>
      rows.map(({ row, score }) => ({ id: `${row}`, row, score })),
    )
    return this.hits(fuse(ranked, fusing).slice(0, k))
  }

  /** A document by its id; undefined where there is none. */
  get(id: string): RetrievalDocument | undefined {
    for (const { terms, removed } of this.segments)
      for (const row of terms.candidates(id)) {
        const document = removed?.[row] === 1 ? undefined : terms.document(row)
        if (document?.id === id) return document
      }
    return undefined
  }

  /** All documents, in the order in which they were added. */
  *documents(): Generator<RetrievalDocument> {
    for (const { terms, removed } of this.segments)
      for (let row = 0; row < terms.documents; row++) if (removed?.[row] !== 1) yield terms.document(row)
  }

  /** Gives its files back. */
  close(): void {
    for (const { terms } of this.segments.splice(0)) terms.close()
  }

  private canEmbed(vector: ArrayLike<number> | undefined): boolean {
    return this.manifest.settings.embedding !== undefined && (vector !== undefined || this.embedder !== undefined)
  }

  private byWords(query: string, k: number): FoundRow[] {
    return this.terms.search(this.tokenize(query), Math.min(k, this.manifest.documents))
  }

  private async vectorOf(
    query: string,
    vector: ArrayLike<number> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    const { embedding } = this.manifest.settings
    if (embedding === undefined)
      throw new UsageError(
        `by: expected words, for ${this.directory} has no vectors. Search by words, or build it with an encoder`,
      )
    const { name, dimensions, metric, queryPrefix = '' } = embedding
    if (vector === undefined && this.embedder === undefined)
      throw new UsageError(
        `embedder: expected ${name}, whose vectors ${this.directory} has, got none. Give it to openIndex`,
      )
    const made = vector ?? (await this.embedder!.model.embed([queryPrefix + query], signal ? { signal } : {}))[0]!
    return checkedVector(made, dimensions, metric, 'query')
  }

  private byVector(query: Float32Array, k: number): FoundRow[] {
    const { metric, type } = this.manifest.settings.embedding!
    const wanted = Math.min(k, this.manifest.documents)
    const best = new TopK(Math.min(type === 'int8' ? RESCORE * wanted : wanted, this.manifest.documents))
    let before = 0
    for (const { terms, removed } of this.segments) {
      terms.vectors.scan(query, metric, best, { removed, before })
      before += terms.documents
    }
    const found = best.take()
    if (type === 'f32') return found
    const exact = new TopK(wanted)
    for (const { row } of found) exact.add(row, this.exact(row, query))
    return exact.take()
  }

  private exact(row: number, query: Float32Array): number {
    const [segment, own] = this.locate(row)
    const f32 = segment.terms.vector(own)
    const block = new VectorBlock({ rows: 1, dimensions: query.length, f32 })
    return block.exact(0, query, this.manifest.settings.embedding!.metric)
  }

  private locate(row: number): [OpenedSegment, number] {
    let own = row
    for (const segment of this.segments) {
      if (own < segment.terms.documents) return [segment, own]
      own -= segment.terms.documents
    }
    throw new RangeError(`row ${row}`)
  }

  private hits(rows: readonly FoundRow[]): Hit[] {
    return rows.map(({ row, score }) => {
      const [segment, own] = this.locate(row)
      return { ...segment.terms.document(own), score }
    })
  }
}
