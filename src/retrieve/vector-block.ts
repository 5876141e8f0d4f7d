// Rows of vectors in typed arrays, and one look at all of them.
import { UsageError } from '../errors.ts'
import type { TopK } from './top-k.ts'

/** How two vectors are compared. */
export type Metric = 'cosine' | 'product' | 'l2'

/** UsageError for a name that is none. */
export function checkedMetric(metric: Metric): Metric {
  if (!['cosine', 'product', 'l2'].includes(metric))
    throw new UsageError(`metric: expected cosine, product or l2, got ${JSON.stringify(metric)}`)
  return metric
}

/** Arrays of a block: the vectors themselves, or bytes with a scale for each row, or both. */
export interface BlockArrays {
  /** [rows · dimensions] */
  f32?: Float32Array
  /** [rows · dimensions], from −127 to 127. */
  int8?: Int8Array
  /** [rows]: what a byte is worth. */
  scales?: Float32Array
}

/** New arrays for so many rows. */
export function addBlock(rows: number, dimensions: number, kept: { f32: boolean; int8: boolean }): BlockArrays {
  return {
    ...(kept.f32 && { f32: new Float32Array(rows * dimensions) }),
    ...(kept.int8 && { int8: new Int8Array(rows * dimensions), scales: new Float32Array(rows) }),
  }
}

/** Vectors of one length. Cosines are products here: rows and query have length 1. */
export class VectorBlock {
  readonly rows: number
  readonly dimensions: number
  readonly arrays: BlockArrays

  constructor({ rows, dimensions, ...arrays }: BlockArrays & { rows: number; dimensions: number }) {
    this.rows = rows
    this.dimensions = dimensions
    this.arrays = arrays
  }

  set(row: number, vector: Float32Array): void {
    const { f32, int8, scales } = this.arrays
    f32?.set(vector, row * this.dimensions)
    if (int8 !== undefined) scales![row] = toBytes(vector, int8, row * this.dimensions)
  }

  /** Takes rows of another block, to its own beginning. */
  copy(other: VectorBlock, rows: readonly number[]): void {
    const { dimensions } = this
    const from = other.arrays
    const to = this.arrays
    for (const [at, row] of rows.entries()) {
      to.f32?.set(from.f32!.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions)
      to.int8?.set(from.int8!.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions)
      if (to.scales !== undefined) to.scales[at] = from.scales![row]!
    }
  }

  /** Puts every row that is there into `best`, as `before` + its number; by bytes where there are any, those of the query as well. */
  scan(
    query: Float32Array,
    metric: Metric,
    best: TopK,
    {
      rows = this.rows,
      removed,
      before = 0,
    }: { rows?: number; removed?: Uint8Array | undefined; before?: number } = {},
  ): void {
    const score = this.arrays.int8 === undefined ? this.exactly(query, metric) : this.roughly(query, metric)
    for (let row = 0; row < rows; row++) {
      if (removed !== undefined && removed[row] === 1) continue
      const found = score(row)
      if (found >= best.threshold) best.add(before + row, found)
    }
  }

  /** By the vector itself. */
  exact(row: number, query: Float32Array, metric: Metric): number {
    const f32 = this.arrays.f32!
    const start = row * this.dimensions
    return metric === 'l2' ? minusDistance(f32, start, query) : product(f32, start, query)
  }

  private exactly(query: Float32Array, metric: Metric): (row: number) => number {
    return (row) => this.exact(row, query, metric)
  }

  private roughly(query: Float32Array, metric: Metric): (row: number) => number {
    const { dimensions } = this
    const { int8, scales } = this.arrays as Required<BlockArrays>
    const asked = new Int8Array(dimensions)
    const scale = toBytes(query, asked, 0)
    const row = (i: number): number => scale * scales[i]! * productOfBytes(int8, i * dimensions, asked)
    if (metric !== 'l2') return row
    // −|x − q|² = 2·x·q − |x|² − |q|²
    const square = product(query, 0, query)
    return (i) => 2 * row(i) - scales[i]! ** 2 * squareOfBytes(int8, i * dimensions, dimensions) - square
  }
}

/** Writes a vector as bytes from `start` on, and returns what a byte is worth. */
function toBytes(vector: Float32Array, bytes: Int8Array, start: number): number {
  let largest = 0
  for (const value of vector) largest = Math.max(largest, Math.abs(value))
  const scale = largest / 127
  for (let i = 0; i < vector.length; i++) bytes[start + i] = scale === 0 ? 0 : Math.round(vector[i]! / scale)
  return scale
}

// Four sums at once: one would wait for itself. Each is written for one kind of array, which the compiler of V8 needs to be fast.

function product(rows: Float32Array, start: number, query: Float32Array): number {
  const even = query.length & ~3
  let [a, b, c, d] = [0, 0, 0, 0]
  let i = 0
  for (; i < even; i += 4) {
    a += rows[start + i]! * query[i]!
    b += rows[start + i + 1]! * query[i + 1]!
    c += rows[start + i + 2]! * query[i + 2]!
    d += rows[start + i + 3]! * query[i + 3]!
  }
  for (; i < query.length; i++) a += rows[start + i]! * query[i]!
  return a + b + (c + d)
}

/** At most 127² · dimensions, which is a 32-bit integer up to 133,000 dimensions; whole numbers are the fastest. */
function productOfBytes(rows: Int8Array, start: number, query: Int8Array): number {
  const even = query.length & ~3
  let [a, b, c, d] = [0, 0, 0, 0]
  let i = 0
  for (; i < even; i += 4) {
    a = (a + Math.imul(rows[start + i]!, query[i]!)) | 0
    b = (b + Math.imul(rows[start + i + 1]!, query[i + 1]!)) | 0
    c = (c + Math.imul(rows[start + i + 2]!, query[i + 2]!)) | 0
    d = (d + Math.imul(rows[start + i + 3]!, query[i + 3]!)) | 0
  }
  for (; i < query.length; i++) a = (a + Math.imul(rows[start + i]!, query[i]!)) | 0
  return a + b + (c + d)
}

function squareOfBytes(rows: Int8Array, start: number, length: number): number {
  let sum = 0
  for (let i = start; i < start + length; i++) sum = (sum + Math.imul(rows[i]!, rows[i]!)) | 0
  return sum
}

function minusDistance(rows: Float32Array, start: number, query: Float32Array): number {
  let sum = 0
  for (let i = 0; i < query.length; i++) {
    const difference = rows[start + i]! - query[i]!
    sum += difference * difference
  }
  return -sum
}
