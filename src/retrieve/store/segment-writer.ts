// A segment: documents with their words and vectors in one file that never changes. Sections follow each other; the end says where they are.
//   records   one JSON [id, text, meta] for each document      offsets  where each begins (float64, one more than documents)
//   lengths   words of each (uint32)                           hashes, rows  hashes of ids in order, and whose they are (uint32)
//   postings  by terms in order (varbyte.ts)                   terms    blocks of terms: length, UTF-8, documents, bytes of postings
//   blocks    JSON: first term, its place, its postings' place vectors (float32), bytes (int8), scales (float32)
import { type FileSink, type WrittenFile, writeFileInTurns } from '../../files/atomic-write.ts'
import { turn, type Watch } from '../../work.ts'
import type { Postings } from '../bm25-formula.ts'
import { addBlock, VectorBlock } from '../vector-block.ts'
import { ByteBuffer, encodePostings } from './varbyte.ts'

/** First and last bytes of the file. */
export const MAGIC: Buffer = Buffer.from('ANNEALRX')
/** Terms of a block: one is read for a word of a query. */
const BLOCK_TERMS = 64
const FLUSH_BYTES = 1 << 20

export const SECTIONS = ['records', 'offsets', 'lengths', 'hashes', 'rows', 'postings', 'terms', 'blocks'] as const
export const VECTOR_SECTIONS = ['vectors', 'bytes', 'scales'] as const
export type SectionName = (typeof SECTIONS)[number] | (typeof VECTOR_SECTIONS)[number]

/** The end of the file. */
export interface SegmentFooter {
  documents: number
  terms: number
  /** Of vectors; 0 without. */
  dimensions: number
  sections: Partial<Record<SectionName, [offset: number, bytes: number]>>
}

/** First term of a block, where the block begins, and where its postings begin; both within their sections. */
export type BlockEntry = [term: string, at: number, postingsAt: number]

/** What is to be written, in order. */
export interface SegmentContent {
  ids: readonly string[]
  /** JSON of each document. */
  records: Iterable<Uint8Array>
  lengths: Uint32Array
  /** In ascending order of terms. */
  terms: Iterable<readonly [term: string, postings: Postings]>
  vectors?: { dimensions: number; type: 'f32' | 'int8'; rows: Iterable<Float32Array> } | undefined
}

/** Writes a segment beside its place and renames it. */
export function writeSegment(path: string, content: SegmentContent, watch?: Watch): Promise<WrittenFile> {
  return writeFileInTurns(path, async (sink) => {
    sink.write(MAGIC)
    const writer = new SectionWriter(sink)
    const documents = content.ids.length
    const offsets = new Float64Array(documents + 1)
    await writer.section('records', watch, function* () {
      let row = 0
      let at = 0
      for (const record of content.records) {
        at += record.length
        offsets[++row] = at
        yield record
      }
    })
    writer.array('offsets', offsets)
    writer.array('lengths', content.lengths)
    const hashes = Uint32Array.from(content.ids, hashOf)
    const rows = Uint32Array.from(content.ids.keys()).sort((a, b) => hashes[a]! - hashes[b]! || a - b)
    writer.array(
      'hashes',
      rows.map((row) => hashes[row]!),
    )
    writer.array('rows', rows)
    const numTerms = await writeTerms(writer, content.terms, watch)
    if (content.vectors !== undefined) await writeVectors(writer, content.vectors, documents, watch)
    const footer: SegmentFooter = {
      documents,
      terms: numTerms,
      dimensions: content.vectors?.dimensions ?? 0,
      sections: writer.sections,
    }
    const json = Buffer.from(JSON.stringify(footer))
    const end = Buffer.alloc(4)
    end.writeUInt32LE(json.length)
    for (const part of [json, end, MAGIC]) sink.write(part)
  })
}

async function writeTerms(
  writer: SectionWriter,
  terms: SegmentContent['terms'],
  watch: Watch | undefined,
): Promise<number> {
  const dictionary = new ByteBuffer()
  const blocks: BlockEntry[] = []
  let count = 0
  await writer.section('postings', watch, function* () {
    const bytes = new ByteBuffer()
    let at = 0
    for (const [term, postings] of terms) {
      encodePostings(postings, bytes)
      const { length } = bytes
      if (count++ % BLOCK_TERMS === 0) blocks.push([term, dictionary.length, at])
      const name = Buffer.from(term)
      dictionary.number(name.length)
      dictionary.put(name)
      dictionary.number(postings.docs.length)
      dictionary.number(length)
      at += length
      yield bytes.take()
    }
  })
  await writer.section('terms', watch, () => [dictionary.take()])
  await writer.section('blocks', watch, () => [Buffer.from(JSON.stringify(blocks))])
  return count
}

async function writeVectors(
  writer: SectionWriter,
  { dimensions, type, rows }: NonNullable<SegmentContent['vectors']>,
  documents: number,
  watch: Watch | undefined,
): Promise<void> {
  const isInt8 = type === 'int8'
  const block = new VectorBlock({
    rows: documents,
    dimensions,
    ...addBlock(documents, dimensions, { f32: false, int8: isInt8 }),
  })
  await writer.section('vectors', watch, function* () {
    let row = 0
    for (const vector of rows) {
      block.set(row++, vector)
      yield new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
    }
  })
  if (!isInt8) return
  writer.array('bytes', block.arrays.int8!)
  writer.array('scales', block.arrays.scales!)
}

/** Sections one after the other, each from a multiple of 8 on, so that arrays can be read as they lie. */
class SectionWriter {
  readonly sections: SegmentFooter['sections'] = {}
  private readonly sink: FileSink

  constructor(sink: FileSink) {
    this.sink = sink
  }

  array(name: SectionName, array: Float64Array | Float32Array | Uint32Array | Int8Array): void {
    const start = this.begin()
    this.sink.write(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    this.sections[name] = [start, array.byteLength]
  }

  async section(name: SectionName, watch: Watch | undefined, parts: () => Iterable<Uint8Array>): Promise<void> {
    const start = this.begin()
    const gathered = new ByteBuffer()
    for (const part of parts()) {
      gathered.put(part)
      if (gathered.length < FLUSH_BYTES) continue
      this.sink.write(gathered.take())
      await turn(watch)
    }
    this.sink.write(gathered.take())
    this.sections[name] = [start, this.sink.size - start]
  }

  private begin(): number {
    const odd = this.sink.size % 8
    if (odd > 0) this.sink.write(new Uint8Array(8 - odd))
    return this.sink.size
  }
}

/** FNV-1a of an id, 32 bits. */
export function hashOf(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return hash >>> 0
}
