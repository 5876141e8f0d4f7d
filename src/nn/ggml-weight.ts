// A weight matrix as the blocks of ggml that it is in a GGUF file: nothing is widened, not even copied where the file is mapped. Which
// bytes mean which numbers is native/ggml-blocks.cc.
import { type DType, ops, type Tensor } from '../torch/index.ts'
import type { FrozenWeight } from './frozen-linear.ts'
import { Layer } from './layer.ts'

/** The types that are computed with as they are, with ggml's numbers of them. */
export const GGML_WEIGHTS = { Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q8_0: 8, Q4_K: 12, Q5_K: 13, Q6_K: 14 } as const

/** The name of a type in `GGML_WEIGHTS`. */
export type GgmlWeightType = keyof typeof GGML_WEIGHTS

/** True for a type that is computed with as it is. */
export function isGgmlWeight(type: string): type is GgmlWeightType {
  return Object.hasOwn(GGML_WEIGHTS, type)
}

/** A matrix [out, in] on the CPU, frozen; `dequantize()` gives it in floats. */
export class GgmlWeight extends Layer implements FrozenWeight {
  readonly type: GgmlWeightType
  /** [out, in] */
  readonly shape: readonly number[]
  /** u8 [out, bytes of a row]: rows in the file's order. */
  readonly blocks: Tensor
  /** Above 0: the file has the rows of each head of this size as pairs (i, i + size/2); rows here are in Hugging Face's order. */
  readonly pairedHead: number
  /** Six numbers, made once: they are asked for at every product. */
  readonly #layout: readonly number[]

  /** Takes over `blocks`, which are contiguous and kept. */
  constructor(type: GgmlWeightType, shape: readonly number[], blocks: Tensor, pairedHead = 0) {
    super()
    this.type = type
    this.shape = shape
    this.blocks = blocks
    this.pairedHead = pairedHead
    this.#layout = [1, 1, GGML_WEIGHTS[type], shape[0]!, shape[1]!, pairedHead]
  }

  get device(): string {
    return this.blocks.device
  }
  /** Bytes of what is stored. */
  get bytes(): number {
    return this.blocks.nbytes
  }
  override get weightCount(): number {
    return this.shape.reduce((a, b) => a * b, 1)
  }

  /** Rows by index: ids [...] of i64 → f32 [..., in]. */
  rows(ids: Tensor): Tensor {
    return ops.ggmlRows(ids, this.blocks, GGML_WEIGHTS[this.type], this.shape[0]!, this.shape[1]!, this.pairedHead)
  }

  /** The matrix [out, in] as a tensor of its own. */
  dequantize(dtype: DType = 'f32'): Tensor {
    return ops.frozenDense(this.parts, this.layout, dtype)
  }

  get parts(): readonly Tensor[] {
    return [this.blocks]
  }

  get layout(): readonly number[] {
    return this.#layout
  }
}
