// Adds to an index on disk and takes away from it. Nothing that is there changes: new documents are a new segment, removed ones a list, and
// the manifest, replaced at last, makes both count.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { Count, turn, type Watch } from '../../work.ts'
import type { CollectionStats } from '../bm25-formula.ts'
import type { RetrievalDocument } from '../document.ts'
import { checkedVector } from '../flat-vectors.ts'
import { PostingsBuilder } from '../postings.ts'
import type { Tokenize } from '../tokenize.ts'
import {
  MANIFEST,
  type Manifest,
  readManifest,
  readRemoved,
  type SegmentEntry,
  sweep,
  writeManifest,
  writeRemoved,
} from './manifest.ts'
import { mergedContent } from './merge-segments.ts'
import { SegmentReader } from './segment-reader.ts'
import { type SegmentContent, writeSegment } from './segment-writer.ts'
import { type IndexEmbedder, type IndexOptions, type IndexSettings, tokenizeOf } from './settings.ts'
import { startingManifest } from './starting-manifest.ts'

/** A document as it is added. `vector`: where it has one already; without it the embedder makes one. */
export interface NewDocument extends RetrievalDocument {
  vector?: ArrayLike<number>
}

/** What became of documents that were given. */
export interface AddCounts {
  added: number
  /** The id was there with another text or meta, or a vector came with it: the new one is kept, as the last of all. */
  replaced: number
  /** The id was there with the same text and meta: nothing was done. */
  unchanged: number
  /** The id came twice since the last commit: of different ones the last is kept. */
  repeated: number
}

/** How an index is opened for writing. */
export interface WriteIndexOptions extends IndexOptions {
  /** Begins anew where there is an index already; that one stays until the first `commit`. */
  overwrite?: boolean
}

/** Texts and words in memory before a segment is written. */
const BUFFER_BYTES = 1 << 26
const MOST_SEGMENTS = 10
const EMBED_AT_ONCE = 64

interface OpenSegment {
  entry: SegmentEntry
  reader: SegmentReader
  removed: Uint8Array | undefined
  /** More rows are removed than the entry says. */
  isChanged: boolean
}

interface Buffered {
  record: Buffer
  text: string
  vector: ArrayLike<number> | undefined
}

/**
 * Opens an index for writing, or makes one; one process at a time, while others may search. UsageError where another process writes, or settings are not
 * those of the index.
 *
 * @example
 * const writer = writeIndex('faq.index')
 * await writer.add([{ id: '1', text: 'How do I reset my password?' }])
 * await writer.commit()
 * writer.close()
 */
export function writeIndex(directory: string, options: WriteIndexOptions = {}, watch: Watch = {}): IndexWriter {
  return IndexWriter.open(directory, options, watch)
}

/** The one who writes an index; `writeIndex` opens it. What is not committed is as if it had never been. */
export class IndexWriter {
  readonly directory: string
  readonly settings: IndexSettings
  private readonly tokenize: Tokenize
  private readonly embedder: IndexEmbedder | undefined
  private readonly watch: Watch
  private readonly release: () => void
  private segments: OpenSegment[] = []
  private buffer = new Map<string, Buffered>()
  private bufferedBytes = 0
  private generation: number
  private next: number
  private totals: CollectionStats
  /** What was given to the last `commit`; JSON. */
  state: unknown

  private constructor(
    directory: string,
    manifest: Manifest,
    options: WriteIndexOptions,
    watch: Watch,
    release: () => void,
  ) {
    this.directory = directory
    this.settings = manifest.settings
    this.tokenize = tokenizeOf(manifest.settings, options.tokenizer, directory)
    this.embedder = options.embedder
    this.watch = watch
    this.release = release
    const { generation, next, documents, withWords, tokens, state } = manifest
    this.generation = generation
    this.next = next
    this.totals = { documents, withWords, tokens }
    this.state = state
    try {
      for (const entry of manifest.segments) this.segments.push(this.open(entry))
    } catch (error) {
      this.closeSegments()
      throw error
    }
  }

  /** @internal See {@link writeIndex}. */
  static open(directory: string, options: WriteIndexOptions, watch: Watch): IndexWriter {
    const release = takeOutputDirectory(directory, 'directory')
    try {
      const writer = new IndexWriter(directory, startingManifest(directory, options), options, watch, release)
      // Only when all that is named could be opened: of a damaged index nothing goes.
      sweep(directory, existsSync(join(directory, MANIFEST)) ? readManifest(directory) : { segments: [] })
      return writer
    } catch (error) {
      release()
      throw error
    }
  }

  /** Whether nothing was ever committed here. */
  get isNew(): boolean {
    return this.generation === 0
  }

  /** Documents that are there, those that are not committed yet among them. */
  get documents(): number {
    return this.totals.documents + this.buffer.size
  }

  /**
   * Adds documents; one whose id is there already takes the place of that one, unless they are the same. InputError for a document that
   * cannot be stored.
   */
  async add(documents: Iterable<NewDocument> | AsyncIterable<NewDocument>): Promise<AddCounts> {
    const counts: AddCounts = { added: 0, replaced: 0, unchanged: 0, repeated: 0 }
    for await (const document of documents) {
      const { id, text, vector } = document
      const record = recordOf(document)
      this.checkVector(document)
      const before = this.buffer.get(id)
      if (before !== undefined) {
        counts.repeated++
        if (vector === undefined && before.record.equals(record)) continue
        this.unbuffer(id, before)
      } else {
        const found = this.find(id)
        if (found !== undefined && vector === undefined && found.segment.reader.record(found.row).equals(record)) {
          counts.unchanged++
          continue
        }
        if (found !== undefined) this.removeRow(found.segment, found.row)
        counts[found === undefined ? 'added' : 'replaced']++
      }
      this.buffer.set(id, { record, text, vector })
      this.bufferedBytes += 3 * record.length
      if (this.bufferedBytes > BUFFER_BYTES) await this.flush()
    }
    return counts
  }

  /** Takes documents out; how many of the ids were there. */
  remove(ids: Iterable<string>): number {
    let count = 0
    for (const id of ids) {
      const buffered = this.buffer.get(id)
      const found = buffered === undefined ? this.find(id) : undefined
      if (buffered !== undefined) this.unbuffer(id, buffered)
      else if (found !== undefined) this.removeRow(found.segment, found.row)
      else continue
      count++
    }
    return count
  }

  /** Makes all changes count, in one step. `state` is kept with them, for whoever goes on after a kill. */
  async commit(state: unknown = this.state): Promise<void> {
    await this.flush()
    this.dropEmpty()
    while (this.segments.length > MOST_SEGMENTS) await this.mergeCheapest()
    for (const [i, { removed, reader }] of this.segments.entries())
      if (removed !== undefined && 2 * removed.reduce((sum, flag) => sum + flag, 0) > reader.documents)
        await this.mergeRange(i, i + 1)
    this.write(state)
  }

  /** Makes one segment of all, without what was removed, and commits. Searches are a little faster then. */
  async merge(): Promise<void> {
    await this.flush()
    this.dropEmpty()
    if (this.segments.length > 1 || this.segments.some(({ removed }) => removed !== undefined))
      await this.mergeRange(0, this.segments.length)
    this.write(this.state)
  }

  /** Gives the index free for others. What is not committed is lost. */
  close(): void {
    this.closeSegments()
    this.release()
  }

  private write(state: unknown): void {
    for (const segment of this.segments) {
      if (!segment.isChanged) continue
      segment.entry = {
        ...segment.entry,
        removed: writeRemoved(this.directory, `removed-${this.next++}.bin`, segment.removed!),
      }
      segment.isChanged = false
    }
    const manifest: Manifest = {
      generation: ++this.generation,
      next: this.next,
      ...this.totals,
      settings: this.settings,
      segments: this.segments.map(({ entry }) => entry),
      ...(state !== undefined && { state }),
    }
    writeManifest(this.directory, manifest)
    this.state = state
    sweep(this.directory, manifest)
  }

  private checkVector({ id, vector }: NewDocument): void {
    const { embedding } = this.settings
    if (embedding === undefined && vector !== undefined)
      throw new UsageError(
        `vector of ${JSON.stringify(id)}: expected none, for ${this.directory} has no embedder, got one`,
      )
    if (embedding !== undefined && vector === undefined && this.embedder === undefined)
      throw new UsageError(
        `embedder: expected ${embedding.name}, whose vectors ${this.directory} has, got none and ${JSON.stringify(id)} without a vector. Give one of them`,
      )
    // Said before anything is changed for this document.
    if (embedding !== undefined && vector !== undefined)
      checkedVector(vector, embedding.dimensions, embedding.metric, `vector of ${JSON.stringify(id)}`)
  }

  private find(id: string): { segment: OpenSegment; row: number } | undefined {
    for (let i = this.segments.length - 1; i >= 0; i--) {
      const segment = this.segments[i]!
      for (const row of segment.reader.candidates(id))
        if (segment.removed?.[row] !== 1 && segment.reader.document(row).id === id) return { segment, row }
    }
    return undefined
  }

  private removeRow(segment: OpenSegment, row: number): void {
    segment.removed ??= new Uint8Array(segment.reader.documents)
    segment.removed[row] = 1
    segment.isChanged = true
    const length = segment.reader.lengths[row]!
    const { documents, withWords, tokens } = this.totals
    this.totals = {
      documents: documents - 1,
      withWords: withWords - (length > 0 ? 1 : 0),
      tokens: tokens - length,
    }
  }

  private unbuffer(id: string, { record }: Buffered): void {
    this.buffer.delete(id)
    this.bufferedBytes -= 3 * record.length
  }

  /** Writes what is in memory as a segment that nobody knows of yet. */
  private async flush(): Promise<void> {
    if (this.buffer.size === 0) return
    const ids = [...this.buffer.keys()]
    const buffered = [...this.buffer.values()]
    const vectors = await this.vectorsOf(ids, buffered)
    const builder = new PostingsBuilder()
    for (const [i, { text }] of buffered.entries()) {
      builder.add(this.tokenize(text))
      if (i % 1024 === 1023) await turn(this.watch)
    }
    const built = builder.finish()
    const sorted = [...built.terms].sort((a, b) => (a < b ? -1 : 1))
    const { embedding } = this.settings
    const content: SegmentContent = {
      ids,
      records: buffered.map(({ record }) => record),
      lengths: built.lengths,
      terms: sorted.map((term) => [term, built.postings(term)!] as const),
      ...(embedding !== undefined && {
        vectors: { dimensions: embedding.dimensions, type: embedding.type, rows: vectors },
      }),
    }
    this.segments.push(await this.writeSegment(content))
    this.buffer = new Map()
    this.bufferedBytes = 0
    const { documents, withWords, tokens } = this.totals
    this.totals = {
      documents: documents + ids.length,
      withWords: withWords + built.lengths.filter((length) => length > 0).length,
      tokens: tokens + built.lengths.reduce((sum, length) => sum + length, 0),
    }
  }

  private async vectorsOf(ids: readonly string[], buffered: readonly Buffered[]): Promise<Float32Array[]> {
    const { embedding } = this.settings
    if (embedding === undefined) return []
    const vectors: Float32Array[] = []
    const given = { ...(this.watch.signal !== undefined && { signal: this.watch.signal }) }
    const missing = buffered.flatMap(({ vector }, i) => (vector === undefined ? [i] : []))
    for (const [i, { vector }] of buffered.entries())
      if (vector !== undefined)
        vectors[i] = checkedVector(
          vector,
          embedding.dimensions,
          embedding.metric,
          `vector of ${JSON.stringify(ids[i])}`,
        )
    const count = new Count(this.watch, { label: 'embedding', unit: 'documents', total: missing.length })
    for (let start = 0; start < missing.length; start += EMBED_AT_ONCE) {
      const batch = missing.slice(start, start + EMBED_AT_ONCE)
      const texts = batch.map((i) => (embedding.documentPrefix ?? '') + buffered[i]!.text)
      const made = await this.embedder!.model.embed(texts, given)
      for (const [j, i] of batch.entries())
        vectors[i] = checkedVector(
          made[j]!,
          embedding.dimensions,
          embedding.metric,
          `vector of ${JSON.stringify(ids[i])}`,
        )
      count.add(batch.length)
      await turn(this.watch)
    }
    return vectors
  }

  private async writeSegment(content: SegmentContent): Promise<OpenSegment> {
    const file = `segment-${this.next++}.bin`
    const { size, sha256 } = await writeSegment(join(this.directory, file), content, this.watch)
    return this.open({ file, bytes: size, sha256, documents: content.ids.length })
  }

  private open(entry: SegmentEntry): OpenSegment {
    const removed = readRemoved(this.directory, entry)
    const reader = new SegmentReader(join(this.directory, entry.file), entry.bytes)
    return { entry, reader, removed, isChanged: false }
  }

  /** Segments of which everything was removed. */
  private dropEmpty(): void {
    const isEmpty = ({ removed }: OpenSegment): boolean => removed?.every((flag) => flag === 1) === true
    for (const { reader } of this.segments.filter(isEmpty)) reader.close()
    this.segments = this.segments.filter((segment) => !isEmpty(segment))
  }

  /** Two neighbours that are the least to write. */
  private async mergeCheapest(): Promise<void> {
    let best = 0
    const cost = (i: number): number => this.segments[i]!.entry.bytes + this.segments[i + 1]!.entry.bytes
    for (let i = 1; i + 1 < this.segments.length; i++) if (cost(i) < cost(best)) best = i
    await this.mergeRange(best, best + 2)
  }

  private async mergeRange(start: number, end: number): Promise<void> {
    const parts = this.segments.slice(start, end)
    const merged = await this.writeSegment(mergedContent(parts, this.settings.embedding?.type ?? 'f32'))
    for (const { reader } of parts) reader.close()
    this.segments.splice(start, end - start, merged)
  }

  private closeSegments(): void {
    for (const { reader } of this.segments) reader.close()
    this.segments = []
  }
}

/** InputError where a document cannot be stored as JSON. */
function recordOf({ id, text, meta }: NewDocument): Buffer {
  if (typeof id !== 'string' || id === '')
    throw new InputError(`id: expected a text that is not empty, got ${JSON.stringify(id)}. Give every document one`)
  if (typeof text !== 'string')
    throw new InputError(`text of ${JSON.stringify(id)}: expected a text, got ${JSON.stringify(text)}`)
  const isObject = meta === undefined || (typeof meta === 'object' && meta !== null && !Array.isArray(meta))
  if (!isObject) throw new InputError(`meta of ${JSON.stringify(id)}: expected an object, got ${JSON.stringify(meta)}`)
  try {
    return Buffer.from(JSON.stringify(meta === undefined ? [id, text] : [id, text, meta]))
  } catch (cause) {
    throw new InputError(
      `meta of ${JSON.stringify(id)}: expected what JSON can hold, got something else: ${(cause as Error).message}`,
      { cause },
    )
  }
}
