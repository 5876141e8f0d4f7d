// What is known of each kept document of a piece, in blocks of documents: first the heads (hash, where its line lies, what it counts),
// then the keys of one band of all of them, then of the next. So that comparing all pieces band by band reads every key once, holds one
// block, and never a text.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { CheckpointError } from '../../errors.ts'
import type { FileSink } from '../../files/atomic-write.ts'

/** Documents of a block; the last one has what is left. */
const BLOCK = 4096
/** Content hash, place and length of the line, words, bytes of the text, contaminated, source. */
const HEAD_BYTES = 44
const KEY_BYTES = 8

/** One document. */
export interface Signed {
  /** 16 bytes of the SHA-256 of its text. */
  hash: Uint8Array
  /** Byte offset and length of its line in the piece. */
  offset: number
  length: number
  words: number
  bytes: number
  /** 1 + the number of the item of an evaluation whose text it holds; 0 for none. */
  contaminated: number
  source: number
  /** 8 bytes for each band; undefined for a text without a word that can be compared. */
  keys: Uint8Array | undefined
}

/** Puts documents together and writes them block by block. */
export class SignatureWriter {
  private readonly sink: FileSink
  private readonly bands: number
  private documents: Signed[] = []

  constructor(sink: FileSink, bands: number) {
    this.sink = sink
    this.bands = bands
  }

  add(document: Signed): void {
    if (this.documents.push(document) === BLOCK) this.flush()
  }

  /** To be called at the end. */
  flush(): void {
    const { documents, bands } = this
    const bytes = Buffer.alloc(documents.length * recordBytes(bands))
    for (const [i, { hash, offset, length, words, bytes: size, contaminated, source, keys }] of documents.entries()) {
      const at = HEAD_BYTES * i
      bytes.set(hash, at)
      bytes.writeDoubleLE(offset, at + 16)
      for (const [field, value] of [length, words, size, contaminated, source].entries())
        bytes.writeUInt32LE(value, at + 24 + 4 * field)
      // No keys are zeros: of a hash of 64 bits nobody will meet that one.
      for (let band = 0; keys !== undefined && band < bands; band++)
        bytes.set(keys.subarray(KEY_BYTES * band, KEY_BYTES * (band + 1)), keyAt(documents.length, band, i))
    }
    this.sink.write(bytes)
    this.documents = []
  }
}

/** Bytes of a document, its keys included. */
function recordBytes(bands: number): number {
  return HEAD_BYTES + KEY_BYTES * bands
}

function keyAt(documents: number, band: number, document: number): number {
  return HEAD_BYTES * documents + KEY_BYTES * (band * documents + document)
}

/** Heads of some documents one after the other. */
export class Heads {
  readonly count: number
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.count = bytes.length / HEAD_BYTES
  }

  /** One of four numbers of 32 bits that make the content hash. */
  hashWord(document: number, word: number): number {
    return this.bytes.readUInt32BE(HEAD_BYTES * document + 4 * word)
  }

  offset(document: number): number {
    return this.bytes.readDoubleLE(HEAD_BYTES * document + 16)
  }

  field(document: number, name: keyof typeof FIELDS): number {
    return this.bytes.readUInt32LE(HEAD_BYTES * document + FIELDS[name])
  }
}

const FIELDS = { length: 24, words: 28, bytes: 32, contaminated: 36, source: 40 } as const

/** Reads the file of one piece. */
export class SignatureFile {
  private readonly path: string
  private readonly documents: number
  private readonly bands: number

  constructor(path: string, documents: number, bands: number) {
    this.path = path
    this.documents = documents
    this.bands = bands
  }

  /** CheckpointError where the file is not the one that was written. */
  check({ bytes, sha256 }: { bytes: number; sha256: string }): void {
    const hash = createHash('sha256')
    const isWhole = bytes === this.documents * recordBytes(this.bands)
    for (const block of this.read((count) => [0, count * recordBytes(this.bands)])) hash.update(block)
    if (!isWhole || hash.digest('hex') !== sha256) throw this.wrong()
  }

  /** Heads block by block. */
  *heads(): Generator<Heads> {
    for (const bytes of this.read((count) => [0, HEAD_BYTES * count])) yield new Heads(bytes)
  }

  /** Keys of a band block by block, lower and upper half in turn; both 0 where there is none. Valid until the next block. */
  *keys(band: number): Generator<Uint32Array> {
    for (const bytes of this.read((count) => [keyAt(count, band, 0), KEY_BYTES * count]))
      yield new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }

  /** The head of one document. */
  head(document: number): Heads {
    const descriptor = openSync(this.path, 'r')
    try {
      const first = document - (document % BLOCK)
      const at = first * recordBytes(this.bands) + HEAD_BYTES * (document - first)
      return new Heads(this.piece(descriptor, Buffer.alloc(HEAD_BYTES), at))
    } finally {
      closeSync(descriptor)
    }
  }

  /** The same stretch of every block. */
  private *read(stretch: (count: number) => [offset: number, bytes: number]): Generator<Buffer> {
    if (this.documents === 0) return
    const descriptor = openSync(this.path, 'r')
    // Of its own, so that it is aligned for numbers.
    const memory = Buffer.from(new ArrayBuffer(stretch(Math.min(BLOCK, this.documents))[1]))
    try {
      for (let first = 0; first < this.documents; first += BLOCK) {
        const [offset, bytes] = stretch(Math.min(BLOCK, this.documents - first))
        yield this.piece(descriptor, memory.subarray(0, bytes), first * recordBytes(this.bands) + offset)
      }
    } finally {
      closeSync(descriptor)
    }
  }

  private piece(descriptor: number, into: Buffer, at: number): Buffer {
    if (readSync(descriptor, into, 0, into.length, at) !== into.length) throw this.wrong()
    return into
  }

  private wrong(): CheckpointError {
    return new CheckpointError(
      `signatures in ${this.path}: expected what its manifest says, got something else. Delete it and run the same command again`,
    )
  }
}
