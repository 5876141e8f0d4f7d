// What is known of each kept document of a part, in records of one size: its hash, where its line lies, what it counts, and one key
// for each band of its signature. Only these are held together in memory when all parts are compared, never a text.

import { InputError } from '../../errors.ts'

/** Content hash, place and length of the line, words, bytes of the text, contaminated, source; then the keys. */
const HEAD_BYTES = 48

/** One document. */
export interface Signed {
  /** 16 bytes of the SHA-256 of its text. */
  hash: Uint8Array
  /** Byte offset and length of its line in the part. */
  offset: number
  length: number
  words: number
  bytes: number
  /** 1 + the number of the evaluation file whose text it holds; 0 for none. */
  contaminated: number
  source: number
  /** 8 bytes for each band; undefined for a text without a word that can be compared. */
  keys: Uint8Array | undefined
}

/** Bytes of a record. */
export function recordBytes(bands: number): number {
  return HEAD_BYTES + 8 * bands
}

/** One record. */
export function encodeSigned(document: Signed, bands: number): Uint8Array {
  const bytes = Buffer.alloc(recordBytes(bands))
  bytes.set(document.hash, 0)
  bytes.writeDoubleLE(document.offset, 16)
  bytes.writeUInt32LE(document.length, 24)
  bytes.writeUInt32LE(document.words, 28)
  bytes.writeUInt32LE(document.bytes, 32)
  bytes.writeUInt32LE(document.contaminated, 36)
  bytes.writeUInt32LE(document.source, 40)
  bytes.writeUInt32LE(document.keys === undefined ? 0 : 1, 44)
  if (document.keys !== undefined) bytes.set(document.keys, HEAD_BYTES)
  return bytes
}

/** Heads and keys of the records in `bytes`. InputError where they are no whole number of records. */
export class SignedRecords {
  readonly count: number
  private readonly bytes: Buffer
  private readonly size: number

  constructor(bytes: Buffer, bands: number, file: string) {
    this.bytes = bytes
    this.size = recordBytes(bands)
    this.count = bytes.length / this.size
    if (!Number.isInteger(this.count))
      throw new InputError(`signatures in ${file}: expected records of ${this.size} bytes, got ${bytes.length} in all`)
  }

  /** One of four numbers of 32 bits that make the content hash. */
  hashWord(record: number, word: number): number {
    return this.bytes.readUInt32BE(record * this.size + 4 * word)
  }

  offset(record: number): number {
    return this.bytes.readDoubleLE(record * this.size + 16)
  }

  /** length, words, bytes, contaminated, source */
  field(record: number, name: 'length' | 'words' | 'bytes' | 'contaminated' | 'source'): number {
    return this.bytes.readUInt32LE(record * this.size + FIELDS[name])
  }

  hasKeys(record: number): boolean {
    return this.bytes[record * this.size + 44] === 1
  }

  /** Half of a key: 0 the lower 32 bits, 1 the upper ones. */
  key(record: number, band: number, half: 0 | 1): number {
    return this.bytes.readUInt32LE(record * this.size + HEAD_BYTES + 8 * band + 4 * half)
  }
}

const FIELDS = { length: 24, words: 28, bytes: 32, contaminated: 36, source: 40 } as const
