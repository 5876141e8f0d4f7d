// A segment on disk: what a search asks for is read where it lies; only lengths, the first terms of blocks and vectors stay in memory, and those
// from when they are first needed.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { InputError } from '../../errors.ts'
import type { Postings } from '../bm25-formula.ts'
import type { RetrievalDocument } from '../document.ts'
import type { SegmentTerms } from '../postings.ts'
import { VectorBlock } from '../vector-block.ts'
import {
  type BlockEntry,
  hashOf,
  MAGIC,
  SECTIONS,
  type SectionName,
  type SegmentFooter,
  VECTOR_SECTIONS,
} from './segment-writer.ts'
import { ByteReader, decodePostings } from './varbyte.ts'

/** Postings that are kept of a segment, 8 bytes each: frequent words come in many queries. */
const MOST_RECENT = 1 << 21

/** Reads one segment; `close` when done. */
export class SegmentReader implements SegmentTerms {
  readonly file: string
  readonly documents: number
  readonly dimensions: number
  private readonly footer: SegmentFooter
  private readonly descriptor: number
  private kept: {
    lengths?: Uint32Array
    offsets?: Float64Array
    blocks?: BlockEntry[]
    hashes?: Uint32Array
    rows?: Uint32Array
    vectors?: VectorBlock
  } = {}

  /** Postings that were read last. */
  private readonly recent = new Map<string, Postings>()
  private numRecent = 0

  /** System errors pass through; InputError where the file is not a segment of `bytes` bytes. */
  constructor(file: string, bytes: number) {
    this.file = file
    this.descriptor = openSync(file, 'r')
    try {
      const { size } = fstatSync(this.descriptor)
      if (size !== bytes)
        throw new InputError(`${file}: expected ${bytes} bytes, got ${size}. It is damaged: build the index again`)
      this.footer = readFooter(this.descriptor, size, file)
    } catch (error) {
      closeSync(this.descriptor)
      throw error
    }
    this.documents = this.footer.documents
    this.dimensions = this.footer.dimensions
  }

  close(): void {
    closeSync(this.descriptor)
  }

  get lengths(): Uint32Array {
    this.kept.lengths ??= new Uint32Array(this.whole('lengths'))
    return this.kept.lengths
  }

  /** JSON of a document as it was stored. */
  record(row: number): Buffer {
    this.kept.offsets ??= new Float64Array(this.whole('offsets'))
    const [start, end] = [this.kept.offsets[row]!, this.kept.offsets[row + 1]!]
    return this.read('records', start, end - start)
  }

  document(row: number): RetrievalDocument {
    const record = parsed(this.record(row).toString('utf8'))
    if (!Array.isArray(record) || typeof record[0] !== 'string' || typeof record[1] !== 'string')
      throw this.damaged('a document', 'something else')
    const [id, text, meta] = record as [string, string, Record<string, unknown> | undefined]
    return { id, text, ...(meta !== undefined && { meta }) }
  }

  /** Rows whose id may be this one: their hashes are equal. */
  *candidates(id: string): Generator<number> {
    this.kept.hashes ??= new Uint32Array(this.whole('hashes'))
    this.kept.rows ??= new Uint32Array(this.whole('rows'))
    const { hashes, rows } = this.kept
    const hash = hashOf(id)
    let [low, high] = [0, hashes.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (hashes[middle]! < hash) low = middle + 1
      else high = middle
    }
    for (; hashes[low] === hash; low++) yield rows[low]!
  }

  postings(term: string): Postings | undefined {
    const wanted = term.toWellFormed()
    const recent = this.recent.get(wanted)
    if (recent !== undefined) return this.keep(wanted, recent)
    const { blocks } = this
    let [low, high] = [0, blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (blocks[middle]![0] <= wanted) low = middle + 1
      else high = middle
    }
    if (low === 0) return undefined
    const bytes = Buffer.from(wanted)
    for (const entry of this.block(low - 1))
      if (bytes.equals(entry.name)) return this.keep(wanted, this.decode(entry.at, entry.bytes, entry.frequency))
    return undefined
  }

  /** As the latest of what is kept; the oldest go. */
  private keep(term: string, postings: Postings): Postings {
    if (!this.recent.delete(term)) this.numRecent += postings.docs.length
    this.recent.set(term, postings)
    for (const [oldest, { docs }] of this.recent) {
      if (this.numRecent <= MOST_RECENT) break
      this.recent.delete(oldest)
      this.numRecent -= docs.length
    }
    return postings
  }

  *frequencies(): Generator<[string, number]> {
    for (const i of this.blocks.keys())
      for (const { name, frequency } of this.block(i)) yield [Buffer.from(name).toString('utf8'), frequency]
  }

  /** All terms in order with their postings. */
  *terms(): Generator<[string, Postings]> {
    for (const i of this.blocks.keys())
      for (const { name, at, bytes, frequency } of this.block(i))
        yield [Buffer.from(name).toString('utf8'), this.decode(at, bytes, frequency)]
  }

  /** What a search by vectors looks at: bytes with their scales where there are any, else the vectors; read once. */
  get vectors(): VectorBlock {
    if (this.kept.vectors !== undefined) return this.kept.vectors
    const { documents: rows, dimensions } = this
    const arrays =
      this.footer.sections.bytes === undefined
        ? { f32: new Float32Array(this.whole('vectors')) }
        : { int8: new Int8Array(this.whole('bytes')), scales: new Float32Array(this.whole('scales')) }
    this.kept.vectors = new VectorBlock({ rows, dimensions, ...arrays })
    return this.kept.vectors
  }

  /** The vector of a document. */
  vector(row: number): Float32Array {
    const bytes = this.read('vectors', 4 * this.dimensions * row, 4 * this.dimensions)
    return new Float32Array(bytes.buffer, bytes.byteOffset, this.dimensions)
  }

  private get blocks(): BlockEntry[] {
    if (this.kept.blocks !== undefined) return this.kept.blocks
    const blocks = parsed(Buffer.from(this.whole('blocks')).toString('utf8'))
    const isEntry = (entry: unknown): boolean =>
      Array.isArray(entry) && typeof entry[0] === 'string' && isCount(entry[1]) && isCount(entry[2])
    if (!Array.isArray(blocks) || !blocks.every(isEntry)) throw this.damaged('blocks of terms', 'something else')
    this.kept.blocks = blocks as BlockEntry[]
    return this.kept.blocks
  }

  private *block(i: number): Generator<{ name: Uint8Array; frequency: number; at: number; bytes: number }> {
    const [, start, postingsAt] = this.blocks[i]!
    const end = this.blocks[i + 1]?.[1] ?? this.footer.sections.terms![1]
    const reader = new ByteReader(this.read('terms', start, end - start))
    let at = postingsAt
    while (!reader.isDone) {
      const name = reader.take(reader.number())
      const frequency = reader.number()
      const bytes = reader.number()
      yield { name, frequency, at, bytes }
      at += bytes
    }
  }

  private decode(at: number, bytes: number, frequency: number): Postings {
    if (frequency > this.documents) throw this.damaged(`a term of at most ${this.documents} documents`, frequency)
    return decodePostings(this.read('postings', at, bytes), frequency, this.documents, this.file)
  }

  private whole(name: SectionName): ArrayBuffer {
    const { buffer } = this.read(name, 0, this.footer.sections[name]![1])
    return buffer as ArrayBuffer
  }

  /** A stretch of a section, in memory of its own. */
  private read(name: SectionName, start: number, length: number): Buffer {
    const [offset, size] = this.footer.sections[name]!
    if (!isCount(start) || !isCount(length) || start + length > size)
      throw this.damaged(`at most ${size} bytes of ${name}`, `${length} at ${start}`)
    return readExactly(this.descriptor, offset + start, length, this.file)
  }

  private damaged(expected: string, got: string | number): InputError {
    return new InputError(`${this.file}: expected ${expected}, got ${got}. It is damaged: build the index again`)
  }
}

/** undefined where it is no JSON. Not `parseJson`: what belongs to a document may nest as deep as it likes. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function readFooter(descriptor: number, size: number, file: string): SegmentFooter {
  const foreign = (got: string): InputError =>
    new InputError(`${file}: expected a segment of an index, got ${got}. It is damaged: build the index again`)
  if (size < 20) throw foreign(`${size} bytes`)
  const end = readExactly(descriptor, size - 12, 12, file)
  if (!end.subarray(4).equals(MAGIC) || !readExactly(descriptor, 0, 8, file).equals(MAGIC))
    throw foreign('another file')
  const length = end.readUInt32LE(0)
  if (length > size - 20) throw foreign(`an end of ${length} bytes`)
  const footer = parsed(readExactly(descriptor, size - 12 - length, length, file).toString('utf8')) as
    | SegmentFooter
    | null
    | undefined
  const { documents, dimensions, sections } = footer ?? {}
  if (!isCount(documents) || !isCount(dimensions) || sections === undefined) throw foreign('another end')
  const sizes: Partial<Record<SectionName, number>> = {
    offsets: 8 * (documents + 1),
    lengths: 4 * documents,
    hashes: 4 * documents,
    rows: 4 * documents,
    vectors: 4 * documents * dimensions,
    bytes: documents * dimensions,
    scales: 4 * documents,
  }
  const needed = [...SECTIONS, ...(dimensions > 0 ? (['vectors'] as const) : [])]
  for (const name of [...SECTIONS, ...VECTOR_SECTIONS]) {
    const section = sections[name]
    if (section === undefined && !needed.includes(name as (typeof needed)[number])) continue
    const [offset, bytes] = Array.isArray(section) ? section : []
    if (!isCount(offset) || !isCount(bytes) || offset + bytes > size) throw foreign(`no ${name}`)
    if (sizes[name] !== undefined && sizes[name] !== bytes) throw foreign(`${bytes} bytes of ${name}`)
  }
  if ((sections.bytes === undefined) !== (sections.scales === undefined)) throw foreign('bytes without scales')
  return footer!
}

function readExactly(descriptor: number, offset: number, length: number, file: string): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length))
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, length - done, offset + done)
    if (count === 0)
      throw new InputError(
        `${file}: expected ${length} bytes at ${offset}, got ${done}. It is damaged: build the index again`,
      )
    done += count
  }
  return bytes
}
