// Logits of some places, [N, V], and what is read of them: all values of a row, or the largest. What several sequences need is read once.
import { ops, type Tensor } from '../torch/index.ts'

/** Logits of one slice of a step. */
export class LogitRows {
  /** [N, V], f32. */
  readonly tensor: Tensor
  #values: Float32Array | undefined
  #top: { values: ArrayLike<number | bigint>; ids: ArrayLike<number | bigint> } | undefined

  constructor(tensor: Tensor) {
    this.tensor = tensor
  }

  /** All values of row `row`, [V]; who takes them may write them. */
  row(row: number): Float32Array {
    this.#values ??= this.tensor.data() as Float32Array
    const width = this.tensor.size(1)
    return this.#values.subarray(row * width, (row + 1) * width)
  }

  /** The largest value of a row and its id, the first of equals; without bringing the others here. */
  top(row: number): { value: number; id: number } {
    if (this.#top === undefined) {
      const [values, indices] = ops.max(this.tensor, 1)
      this.#top = { values: values.data(), ids: indices.data() }
    }
    return { value: Number(this.#top.values[row]), id: Number(this.#top.ids[row]) }
  }
}
