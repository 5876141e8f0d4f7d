// A corpus as one long run of token ids with random access: in memory while it is small, in a file when it is not.
// In a file the ids come first (little-endian, 2 or 4 bytes each), then where each document starts (float64), then a
// JSON footer, its length and a magic word; so it is written in one pass and a file that is cut short is recognised.

import { closeSync, fstatSync, fsyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { endianness, tmpdir } from 'node:os'
import { join } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'

/** Token ids of documents, one after the other. */
export interface TokenStore {
  /** Tokens in all. */
  readonly length: number
  /** The position of each document's first token, ascending. */
  readonly documentStarts: Float64Array
  /** What was kept with a file beside its tokens. */
  readonly notes?: unknown
  /** Tokens `start` to `end` (exclusive), copied. */
  read(start: number, end: number): Int32Array
  /** Gives up the file, if there is one; the store cannot be read afterwards. */
  close(): void
}

type TokenArray = Uint16Array | Uint32Array

const CHUNK_TOKENS = 1 << 20
const MAGIC = 'ANNLTOK1'
const TAIL_BYTES = MAGIC.length + 4

/** Where a writer keeps what it is given. */
export interface TokenWriterOptions {
  /** Ids are below this. Up to 65,536 they take two bytes each, else (or when unknown) four. */
  vocabSize?: number | undefined
  /** Writes to this file from the start. Without it, to memory and then to a temporary file. */
  path?: string | undefined
  /** Bytes kept in memory before the temporary file is used. Default 1 GiB. */
  maxMemoryBytes?: number | undefined
  /** Kept in the footer of a file, for `openTokenStore` to compare. */
  key?: string | undefined
}

/** Collects tokens; `finish` gives the store. */
export class TokenWriter {
  private readonly options: TokenWriterOptions
  private readonly width: 2 | 4
  private readonly chunks: TokenArray[] = []
  private chunk: TokenArray
  private used = 0
  private length = 0
  private starts = new Float64Array(1024)
  private numDocuments = 0
  private handle: number | undefined

  constructor(options: TokenWriterOptions = {}) {
    if (endianness() !== 'LE') throw new UsageError('token files are little-endian: this machine is not supported')
    this.options = options
    this.width = (options.vocabSize ?? Number.POSITIVE_INFINITY) <= 65_536 ? 2 : 4
    this.chunk = this.newChunk()
    if (options.path !== undefined) this.handle = openSync(options.path, 'wx+')
  }

  /** Adds a document's tokens, given in parts. Throws InputError at an id outside the vocabulary. */
  addDocument(...parts: ArrayLike<number>[]): void {
    if (this.numDocuments === this.starts.length) {
      const grown = new Float64Array(this.starts.length * 2)
      grown.set(this.starts)
      this.starts = grown
    }
    this.starts[this.numDocuments++] = this.length
    for (const ids of parts) this.addTokens(ids)
  }

  /** Adds tokens to the last document. */
  append(ids: ArrayLike<number>): void {
    this.addTokens(ids)
  }

  /** Ends the store; `notes`, which must be JSON, are kept in its file. */
  finish(notes?: unknown): TokenStore {
    const documentStarts = this.starts.slice(0, this.numDocuments)
    const chunk = this.chunk.subarray(0, this.used)
    if (this.handle === undefined) return new MemoryTokens([...this.chunks, chunk], this.length, documentStarts)
    const { handle, width, length, numDocuments } = this
    writeAll(handle, bytesOf(chunk))
    // Float64s are read back as they lie: they start at a multiple of eight.
    writeAll(handle, Buffer.alloc(paddingOf(length * width)))
    writeAll(handle, bytesOf(documentStarts))
    const footer = Buffer.from(JSON.stringify({ key: this.options.key ?? '', width, length, numDocuments, notes }))
    const tail = Buffer.alloc(4)
    tail.writeUInt32LE(footer.length)
    writeAll(handle, Buffer.concat([footer, tail, Buffer.from(MAGIC)]))
    fsyncSync(handle)
    return new FileTokens(handle, width, length, documentStarts, notes)
  }

  /** Gives up without a store. */
  abort(): void {
    if (this.handle !== undefined) closeSync(this.handle)
  }

  private addTokens(ids: ArrayLike<number>): void {
    const limit = this.options.vocabSize ?? 2 ** 31
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (!(Number.isInteger(id) && id >= 0 && id < limit)) {
        throw new InputError(
          `token ${this.length} from the tokenizer: expected an id from 0 to ${limit - 1}, got ${id}`,
        )
      }
      if (this.used === CHUNK_TOKENS) this.storeChunk()
      this.chunk[this.used++] = id
      this.length++
    }
  }

  private newChunk(): TokenArray {
    return this.width === 2 ? new Uint16Array(CHUNK_TOKENS) : new Uint32Array(CHUNK_TOKENS)
  }

  private storeChunk(): void {
    const { maxMemoryBytes = 2 ** 30 } = this.options
    if (this.handle === undefined && this.length * this.width >= maxMemoryBytes) {
      this.handle = temporaryFile()
      for (const chunk of this.chunks.splice(0)) writeAll(this.handle, bytesOf(chunk))
    }
    if (this.handle === undefined) {
      this.chunks.push(this.chunk)
      this.chunk = this.newChunk()
    } else {
      writeAll(this.handle, bytesOf(this.chunk))
    }
    this.used = 0
  }
}

/** Opens a file that a TokenWriter finished; undefined where it is damaged or was written under another key. */
export function openTokenStore(path: string, key: string): TokenStore | undefined {
  const handle = openSync(path, 'r')
  const store = storeIn(handle, key)
  if (store === undefined) closeSync(handle)
  return store
}

function storeIn(handle: number, key: string): TokenStore | undefined {
  const { size } = fstatSync(handle)
  if (size < TAIL_BYTES) return undefined
  const tail = readAll(handle, size - TAIL_BYTES, TAIL_BYTES)
  const footerBytes = tail.readUInt32LE(0)
  if (tail.toString('latin1', 4) !== MAGIC || footerBytes > size - TAIL_BYTES) return undefined
  const footer = parseFooter(readAll(handle, size - TAIL_BYTES - footerBytes, footerBytes))
  if (footer === undefined || footer.key !== key) return undefined
  const { width, length, numDocuments, notes } = footer
  const startsAt = length * width + paddingOf(length * width)
  if (startsAt + numDocuments * 8 + footerBytes + TAIL_BYTES !== size) return undefined
  const starts = readAll(handle, startsAt, numDocuments * 8)
  return new FileTokens(handle, width, length, new Float64Array(starts.buffer, starts.byteOffset, numDocuments), notes)
}

interface Footer {
  key: string
  width: 2 | 4
  length: number
  numDocuments: number
  notes?: unknown
}

function parseFooter(bytes: Buffer): Footer | undefined {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

class MemoryTokens implements TokenStore {
  readonly length: number
  readonly documentStarts: Float64Array
  private readonly chunks: readonly TokenArray[]

  constructor(chunks: readonly TokenArray[], length: number, documentStarts: Float64Array) {
    this.chunks = chunks
    this.length = length
    this.documentStarts = documentStarts
  }

  read(start: number, end: number): Int32Array {
    const ids = new Int32Array(end - start)
    for (let done = 0; done < ids.length; ) {
      const chunk = this.chunks[Math.floor((start + done) / CHUNK_TOKENS)]!
      const from = (start + done) % CHUNK_TOKENS
      const part = chunk.subarray(from, from + ids.length - done)
      ids.set(part, done)
      done += part.length
    }
    return ids
  }

  close(): void {}
}

class FileTokens implements TokenStore {
  readonly length: number
  readonly documentStarts: Float64Array
  readonly notes: unknown
  private readonly handle: number
  private readonly width: 2 | 4

  constructor(handle: number, width: 2 | 4, length: number, documentStarts: Float64Array, notes: unknown) {
    this.notes = notes
    this.handle = handle
    this.width = width
    this.length = length
    this.documentStarts = documentStarts
  }

  read(start: number, end: number): Int32Array {
    const { width } = this
    const bytes = readAll(this.handle, start * width, (end - start) * width)
    return Int32Array.from(
      width === 2
        ? new Uint16Array(bytes.buffer, bytes.byteOffset, end - start)
        : new Uint32Array(bytes.buffer, bytes.byteOffset, end - start),
    )
  }

  close(): void {
    closeSync(this.handle)
  }
}

/** A file that disappears with the process: it loses its name as soon as it is open. */
function temporaryFile(): number {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-tokens-'))
  const handle = openSync(join(directory, 'tokens'), 'wx+')
  rmSync(directory, { recursive: true })
  return handle
}

function paddingOf(bytes: number): number {
  return (8 - (bytes % 8)) % 8
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function writeAll(handle: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done)
}

/** Reads bytes into memory of their own, aligned for any typed array. */
function readAll(handle: number, position: number, length: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length))
  for (let done = 0; done < length; ) {
    const read = readSync(handle, bytes, done, length - done, position + done)
    if (read === 0)
      throw new InputError(`token file: expected ${length} bytes at ${position}, got ${done}. It became shorter`)
    done += read
  }
  return bytes
}
