// Vectors side by side, and every one looked at: exact, and fast enough for some hundred thousand.
import { InputError, UsageError } from '../errors.ts'
import { checkedK } from './bm25.ts'
import { TopK } from './top-k.ts'
import { addBlock, checkedMetric, type Metric, VectorBlock } from './vector-block.ts'

/** How vectors are kept and compared. */
export interface FlatVectorOptions {
  dimensions: number
  /** `cosine` (default), `product` (Σ a·b) or `l2`, whose score is minus the squared distance. */
  metric?: Metric
  /** `int8`: one byte a number and one scale a vector, a quarter of the memory that is read. Default `f32`. */
  type?: 'f32' | 'int8'
  /** With `int8`: how many times `k` are scored again by the vectors themselves, which are kept beside for it; 0 keeps none. Default 4. */
  rescore?: number
}

/** A document by its vector. */
export interface VectorHit {
  id: string
  score: number
}

/** An index of vectors in memory. */
export class FlatVectors {
  readonly dimensions: number
  readonly metric: Metric
  private readonly type: 'f32' | 'int8'
  private readonly rescore: number
  private block: VectorBlock
  private ids: string[] = []
  private readonly rows = new Map<string, number>()
  private removed = new Uint8Array(0)

  /**
   * @example
   * const vectors = new FlatVectors({ dimensions: 2 })
   * vectors.add('east', [1, 0])
   * vectors.add('north', [0, 1])
   * vectors.search([0.9, 0.1], { k: 1 }) // [{ id: 'east', score: 0.993… }]
   */
  constructor({ dimensions, metric = 'cosine', type = 'f32', rescore = 4 }: FlatVectorOptions) {
    if (!Number.isInteger(dimensions) || dimensions < 1)
      throw new UsageError(`dimensions: expected a whole number of at least 1, got ${dimensions}`)
    if (type !== 'f32' && type !== 'int8')
      throw new UsageError(`type: expected f32 or int8, got ${JSON.stringify(type)}`)
    if (!(rescore === 0 || rescore >= 1))
      throw new UsageError(`rescore: expected 0 or a number of at least 1, got ${rescore}`)
    this.dimensions = dimensions
    this.metric = checkedMetric(metric)
    this.type = type
    this.rescore = rescore
    this.block = new VectorBlock({ dimensions, rows: 0, ...addBlock(0, dimensions, this.kept) })
  }

  /** Vectors that are there. */
  get size(): number {
    return this.rows.size
  }

  /** Adds a vector; one of the same id is replaced. InputError for another length, NaN, infinity, or where cosines need a direction, zeros. */
  add(id: string, vector: ArrayLike<number>): void {
    const checked = checkedVector(vector, this.dimensions, this.metric, `vector of ${JSON.stringify(id)}`)
    this.remove(id)
    const row = this.ids.length
    if (row === this.block.rows) this.grow(Math.max(16, 2 * row))
    this.block.set(row, checked)
    this.ids.push(id)
    this.rows.set(id, row)
  }

  /** Takes a vector out; false where there is none of this id. */
  remove(id: string): boolean {
    const row = this.rows.get(id)
    if (row === undefined) return false
    this.rows.delete(id)
    this.removed[row] = 1
    if (this.ids.length > 64 && this.rows.size < this.ids.length / 2) this.compact()
    return true
  }

  /** The `k` nearest, best first; equal scores in the order in which they were added. */
  search(vector: ArrayLike<number>, { k = 10 }: { k?: number } = {}): VectorHit[] {
    const query = checkedVector(vector, this.dimensions, this.metric, 'query')
    const wanted = Math.min(checkedK(k), this.ids.length)
    const again = this.type === 'int8' ? this.rescore : 0
    const best = new TopK(again > 0 ? Math.min(Math.ceil(again * wanted), this.ids.length) : wanted)
    this.block.scan(query, this.metric, best, { rows: this.ids.length, removed: this.removed })
    let found = best.take()
    if (again > 0) {
      const exact = new TopK(wanted)
      for (const { row } of found) exact.add(row, this.block.exact(row, query, this.metric))
      found = exact.take()
    }
    return found.map(({ row, score }) => ({ id: this.ids[row]!, score }))
  }

  /** Several queries: what each finds, in order. */
  searchAll(vectors: readonly ArrayLike<number>[], options: { k?: number } = {}): VectorHit[][] {
    return vectors.map((vector) => this.search(vector, options))
  }

  private get kept(): { f32: boolean; int8: boolean } {
    return { f32: this.type === 'f32' || this.rescore > 0, int8: this.type === 'int8' }
  }

  private grow(rows: number): void {
    const { dimensions } = this
    const larger = new VectorBlock({ dimensions, rows, ...addBlock(rows, dimensions, this.kept) })
    larger.copy(
      this.block,
      Array.from(this.ids, (_, row) => row),
    )
    this.block = larger
    const removed = new Uint8Array(rows)
    removed.set(this.removed.subarray(0, this.ids.length))
    this.removed = removed
  }

  private compact(): void {
    const rows = [...this.rows.values()].sort((a, b) => a - b)
    const { dimensions } = this
    const smaller = new VectorBlock({ dimensions, rows: rows.length, ...addBlock(rows.length, dimensions, this.kept) })
    smaller.copy(this.block, rows)
    this.block = smaller
    this.ids = rows.map((row) => this.ids[row]!)
    this.removed = new Uint8Array(rows.length)
    for (const [row, id] of this.ids.entries()) this.rows.set(id, row)
  }
}

/** A vector as it is compared: of length 1 for cosines. InputError for one that cannot be. */
export function checkedVector(
  vector: ArrayLike<number>,
  dimensions: number,
  metric: Metric,
  what: string,
): Float32Array {
  if (vector.length !== dimensions)
    throw new InputError(
      `${what}: expected ${dimensions} numbers, got ${vector.length}. Use the model that the others were made with`,
    )
  const copy = Float32Array.from(vector)
  let largest = 0
  for (let i = 0; i < copy.length; i++) {
    if (!Number.isFinite(copy[i]!)) throw new InputError(`${what}: expected finite numbers, got ${vector[i]} at ${i}`)
    largest = Math.max(largest, Math.abs(copy[i]!))
  }
  if (metric !== 'cosine') return copy
  if (largest === 0)
    throw new InputError(
      `${what}: expected a vector with a direction, got zeros alone. Leave it out, or compare by product or l2`,
    )
  let square = 0
  // By the largest first: squares of very small or large numbers would vanish or overflow.
  for (let i = 0; i < copy.length; i++) square += (copy[i]! / largest) ** 2
  const length = Math.sqrt(square)
  for (let i = 0; i < copy.length; i++) copy[i] = copy[i]! / largest / length
  return copy
}
