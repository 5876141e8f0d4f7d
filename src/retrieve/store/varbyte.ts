// Postings as bytes: of each document how far it is from the one before, with the count folded in where it is 1, seven bits to a byte.
import { InputError } from '../../errors.ts'
import type { Postings } from '../bm25-formula.ts'

/** Bytes that grow. */
export class ByteBuffer {
  private bytes = new Uint8Array(1 << 12)
  length = 0

  /** A whole number from 0 to 2⁵³. */
  number(value: number): void {
    this.need(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  put(more: Uint8Array): void {
    this.need(more.length)
    this.bytes.set(more, this.length)
    this.length += more.length
  }

  /** What is in it, and makes it empty; valid until the next bytes come. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length)
    this.length = 0
    return taken
  }

  private need(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const longer = new Uint8Array(Math.max(2 * this.bytes.length, this.length + count))
    longer.set(this.bytes.subarray(0, this.length))
    this.bytes = longer
  }
}

/** Appends postings: (gap · 2) and then the count, or (gap · 2 + 1) where the count is 1. Gaps are from the document before, at first from −1, less 1. */
export function encodePostings({ docs, counts }: Postings, to: ByteBuffer): void {
  let before = -1
  for (let i = 0; i < docs.length; i++) {
    const doc = docs[i]!
    const count = counts[i]!
    const gap = doc - before - 1
    before = doc
    if (count === 1) to.number(2 * gap + 1)
    else {
      to.number(2 * gap)
      to.number(count)
    }
  }
}

/** Reads `frequency` postings of documents below `documents`. InputError, naming `file`, where that is not what the bytes are. */
export function decodePostings(bytes: Uint8Array, frequency: number, documents: number, file: string): Postings {
  const docs = new Uint32Array(frequency)
  const counts = new Uint32Array(frequency)
  let at = 0
  let doc = -1
  for (let i = 0; i < frequency; i++) {
    let value = bytes[at++]!
    if (value >= 0x80) {
      value &= 0x7f
      let byte: number
      let unit = 0x80
      do {
        byte = bytes[at++]!
        value += (byte & 0x7f) * unit
        unit *= 0x80
      } while (byte >= 0x80)
    }
    const isOne = value % 2 === 1
    doc += (isOne ? (value - 1) / 2 : value / 2) + 1
    docs[i] = doc
    if (isOne) counts[i] = 1
    else {
      let count = bytes[at++]!
      if (count >= 0x80) {
        count &= 0x7f
        let byte: number
        let unit = 0x80
        do {
          byte = bytes[at++]!
          count += (byte & 0x7f) * unit
          unit *= 0x80
        } while (byte >= 0x80)
      }
      counts[i] = count
    }
  }
  if (at !== bytes.length || !(doc < documents))
    throw new InputError(
      `${file}: expected postings of ${documents} documents, got other bytes. It is damaged: build the index again`,
    )
  return { docs, counts }
}

/** Reads numbers and stretches of bytes in order. */
export class ByteReader {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length
  }

  number(): number {
    let value = 0
    let unit = 1
    let byte: number
    do {
      byte = this.bytes[this.at++] ?? 0
      value += (byte & 0x7f) * unit
      unit *= 0x80
    } while (byte >= 0x80)
    return value
  }

  take(length: number): Uint8Array {
    const taken = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return taken
  }
}
