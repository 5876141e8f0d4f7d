// Signatures of texts by MinHash (Broder 1997), 14 bands of 8 by default as FineWeb has them: two texts that share a band are
// candidates for near-duplicates. The hashing itself is WebAssembly (minhash.wat).

import { ADDENDS, MULTIPLIERS } from './minhash-constants.ts'
import { MINHASH_WASM } from './minhash-wasm.gen.ts'
import { simplifiedWords } from './simplify.ts'

/** Bands, rows of a band, words of a shingle. */
export interface MinHashShape {
  bands: number
  rows: number
  ngram: number
}

/** FineWeb's: half of the pairs with a similarity of 0.72 are found. */
export const MINHASH: MinHashShape = { bands: 14, rows: 8, ngram: 5 }

/** The most hashes that there are constants for. */
export const MAX_HASHES: number = MULTIPLIERS.length

interface Exports {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  xxh64(pointer: number, length: number): bigint
  shingles(text: number, length: number, n: number, scratch: number, out: number): number
  least(hashes: number, count: number, a: number, b: number, rows: number, out: number): void
}

const PAGE = 1 << 16
const TABLE = 8 * MULTIPLIERS.length
/** Multipliers, addends, signature, keys; the text after them. */
const ADDENDS_AT = TABLE
const OUT_AT = 2 * TABLE
const KEYS_AT = 3 * TABLE
const TEXT_AT = 4 * TABLE

/** The little of WebAssembly that is used: its types come with those of browsers, which are not here. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object
    Instance: new (module: object) => { exports: unknown }
  }
}

let compiled: object | undefined

/** Probability that a pair of a similarity (of their sets of shingles) is a candidate: 1 − (1 − s^rows)^bands. */
export function detection(similarity: number, { bands, rows }: MinHashShape = MINHASH): number {
  return 1 - (1 - similarity ** rows) ** bands
}

/** Hashes texts. Each has memory of its own; not to be shared between threads. */
export class MinHasher {
  readonly shape: MinHashShape
  private readonly exports: Exports
  private readonly encoder = new TextEncoder()

  constructor(shape: MinHashShape = MINHASH) {
    this.shape = shape
    compiled ??= new WebAssembly.Module(Buffer.from(MINHASH_WASM, 'base64'))
    this.exports = new WebAssembly.Instance(compiled).exports as Exports
    const memory = new BigUint64Array(this.exports.memory.buffer)
    memory.set(MULTIPLIERS, 0)
    memory.set(ADDENDS, ADDENDS_AT / 8)
  }

  /** The least hashes of a text, bands × rows of them; undefined where it has no word. A copy. */
  signature(text: string): BigUint64Array | undefined {
    const hashes = this.run(simplifiedWords(text), this.shape.ngram)
    if (hashes === undefined) return undefined
    const count = this.shape.bands * this.shape.rows
    this.exports.least(hashes.at, hashes.count, 0, ADDENDS_AT, count, OUT_AT)
    return new BigUint64Array(this.exports.memory.buffer, OUT_AT, count).slice()
  }

  /** One hash for each band of the signature of a simplified text, as bytes; undefined where it has no word. A copy. */
  bandKeys(simplified: string): Uint8Array | undefined {
    const hashes = this.run(simplified, this.shape.ngram)
    if (hashes === undefined) return undefined
    const { bands, rows } = this.shape
    this.exports.least(hashes.at, hashes.count, 0, ADDENDS_AT, bands * rows, OUT_AT)
    const keys = new BigUint64Array(this.exports.memory.buffer, KEYS_AT, bands)
    for (let band = 0; band < bands; band++) keys[band] = this.exports.xxh64(OUT_AT + 8 * band * rows, 8 * rows)
    return new Uint8Array(this.exports.memory.buffer, KEYS_AT, 8 * bands).slice()
  }

  /** Hashes of all runs of `n` words of a simplified text (`simplifiedWords`), or of the whole where it has fewer; 53 bits of each. A copy. */
  shingles(simplified: string, n: number = this.shape.ngram): Float64Array {
    const hashes = this.run(simplified, n)
    if (hashes === undefined) return new Float64Array(0)
    const halves = new Uint32Array(this.exports.memory.buffer, hashes.at, 2 * hashes.count)
    const found = new Float64Array(hashes.count)
    for (let i = 0; i < found.length; i++) found[i] = (halves[2 * i + 1]! & 0x1fffff) * 0x1_0000_0000 + halves[2 * i]!
    return found
  }

  /** xxHash64 (seed 0) of a text's UTF-8 bytes. */
  hash(text: string): bigint {
    this.reserve(TEXT_AT + 3 * text.length)
    const { written } = this.encoder.encodeInto(text, new Uint8Array(this.exports.memory.buffer, TEXT_AT))
    return BigInt.asUintN(64, this.exports.xxh64(TEXT_AT, written))
  }

  private run(simplified: string, n: number): { at: number; count: number } | undefined {
    if (simplified === '') return undefined
    // A word takes two bytes at least, and four for its place and eight for its hash.
    const most = 3 * simplified.length
    this.reserve(TEXT_AT + most + 6 * (simplified.length + 2) + 64)
    const { written } = this.encoder.encodeInto(simplified, new Uint8Array(this.exports.memory.buffer, TEXT_AT, most))
    const scratch = (TEXT_AT + written + 7) & ~7
    const words = (simplified.length >> 1) + 2
    const at = (scratch + 4 * words + 7) & ~7
    return { at, count: this.exports.shingles(TEXT_AT, written, n, scratch, at) }
  }

  private reserve(bytes: number): void {
    const missing = bytes + 64 - this.exports.memory.buffer.byteLength
    if (missing > 0) this.exports.memory.grow(Math.ceil(missing / PAGE))
  }
}

/** Share of shingles that two sets of hashes have in common (Jaccard); both sorted, each hash once. */
export function jaccard(a: Float64Array, b: Float64Array): number {
  const common = numCommon(a, b)
  const all = a.length + b.length - common
  return all === 0 ? 1 : common / all
}

/** How many hashes two sets have in common; both sorted, each hash once. */
export function numCommon(a: Float64Array, b: Float64Array): number {
  let common = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i]! < b[j]!) i++
    else if (a[i]! > b[j]!) j++
    else {
      common++
      i++
      j++
    }
  }
  return common
}

/** The hashes sorted, each once. */
export function asSet(hashes: Float64Array): Float64Array {
  const sorted = hashes.slice().sort()
  let count = 0
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[count++] = sorted[i]!
  return sorted.slice(0, count)
}
