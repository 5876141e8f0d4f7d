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
    if (int8 === undefined) return
    let largest = 0
    for (const value of vector) largest = Math.max(largest, Math.abs(value))
    const scale = largest / 127
    scales![row] = scale
    for (let i = 0; i < vector.length; i++)
      int8[row * this.dimensions + i] = scale === 0 ? 0 : Math.round(vector[i]! / scale)
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

  /** Puts every row that is there into `best`, as `before` + its number; by bytes where there are any. */
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
    const { int8 } = this.arrays
    for (let row = 0; row < rows; row++) {
      if (removed !== undefined && removed[row] === 1) continue
      const score = int8 === undefined ? this.exact(row, query, metric) : this.rough(row, query, metric)
      if (score >= best.threshold) best.add(before + row, score)
    }
  }

  /** By the vector itself. */
  exact(row: number, query: Float32Array, metric: Metric): number {
    const f32 = this.arrays.f32!
    const start = row * this.dimensions
    return metric === 'l2' ? minusDistance(f32, start, query) : product(f32, start, query)
  }

  private rough(row: number, query: Float32Array, metric: Metric): number {
    const int8 = this.arrays.int8!
    const start = row * this.dimensions
    const scale = this.arrays.scales![row]!
    return metric === 'l2'
      ? minusDistanceOfBytes(int8, start, scale, query)
      : scale * productOfBytes(int8, start, query)
  }
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

function productOfBytes(rows: Int8Array, start: number, query: Float32Array): number {
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

function minusDistance(rows: Float32Array, start: number, query: Float32Array): number {
  let sum = 0
  for (let i = 0; i < query.length; i++) {
    const difference = rows[start + i]! - query[i]!
    sum += difference * difference
  }
  return -sum
}

function minusDistanceOfBytes(rows: Int8Array, start: number, scale: number, query: Float32Array): number {
  let sum = 0
  for (let i = 0; i < query.length; i++) {
    const difference = scale * rows[start + i]! - query[i]!
    sum += difference * difference
  }
  return -sum
}
