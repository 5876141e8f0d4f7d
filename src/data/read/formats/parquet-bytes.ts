// The bytes of a Parquet file by place: of one on this machine as they are asked for, of one elsewhere a row group at a time.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { AsyncBuffer } from 'hyparquet'
import type { ByteSource } from '../../../files/byte-source.ts'

/** So much that nobody wants is read along rather than asked around. */
const GAP_BYTES = 64 * 1024

/** Bytes `[from, to)`. */
export type Range = [from: number, to: number]

/** hyparquet's file, narrowed: slices of what was loaded are there at once. */
export interface ParquetBytes extends AsyncBuffer {
  /** Has these ranges, and of what lies elsewhere no others, at hand. */
  load(ranges: readonly Range[]): Promise<void>
  slice(start: number, end?: number): ArrayBuffer
  close(): void
}

/** Of a file of this machine. */
export class FileBytes implements ParquetBytes {
  readonly byteLength: number
  private readonly handle: number

  constructor(file: string) {
    this.handle = openSync(file, 'r')
    this.byteLength = fstatSync(this.handle).size
  }

  async load(): Promise<void> {}

  slice(start: number, end: number = this.byteLength): ArrayBuffer {
    checkInside(start, end, this.byteLength)
    const bytes = new Uint8Array(end - start)
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.handle, bytes, done, bytes.length - done, start + done)
      if (read === 0) throw new Error('the file became shorter while it was read')
      done += read
    }
    return bytes.buffer
  }

  close(): void {
    closeSync(this.handle)
  }
}

/** Of a file elsewhere, of which what was loaded last is held. */
export class SourceBytes implements ParquetBytes {
  readonly byteLength: number
  private readonly source: ByteSource
  private loaded: { from: number; bytes: Buffer }[] = []

  constructor(source: ByteSource) {
    this.source = source
    this.byteLength = source.size
  }

  async load(ranges: readonly Range[]): Promise<void> {
    this.loaded = []
    const joined: Range[] = []
    for (const [from, to] of [...ranges].sort(([a], [b]) => a - b)) {
      checkInside(from, to, this.byteLength)
      const last = joined.at(-1)
      if (last !== undefined && from - last[1] <= GAP_BYTES) last[1] = Math.max(last[1], to)
      else joined.push([from, to])
    }
    for (const [from, to] of joined) this.loaded.push({ from, bytes: await this.source.read(from, to) })
  }

  slice(start: number, end: number = this.byteLength): ArrayBuffer {
    const at = this.loaded.find(({ from, bytes }) => from <= start && end <= from + bytes.length)
    if (at === undefined) throw new Error(`bytes ${start} to ${end} lie outside their column`)
    return Uint8Array.from(at.bytes.subarray(start - at.from, end - at.from)).buffer
  }

  close(): void {
    this.loaded = []
  }
}

function checkInside(from: number, to: number, size: number): void {
  if (!(from >= 0 && from <= to && to <= size)) throw new Error(`bytes ${from} to ${to} lie outside the file`)
}
