// Rows of a table by index: token embeddings and GPT-2's learned positions.
import { ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'
import { Linear, type LinearLike } from './linear.ts'

/** Anything that gives ids their rows: `Embedding`, or one that is stored in fewer bits. */
export interface EmbeddingLike extends Layer {
  readonly device: string
  /** ids [...] of i64 → [..., hiddenSize] */
  forward(ids: Tensor): Tensor
  /** The output head of a tied model: hidden size → vocabulary by the same rows. */
  head(): LinearLike
  /** The matrix, [numEmbeddings, hiddenSize]. */
  dense(): Tensor
}

/** Rows of a matrix [vocabulary, width], looked up by id. */
export class Embedding extends Layer implements EmbeddingLike {
  /** [numEmbeddings, hiddenSize] */
  weight: Tensor

  constructor(weight: Tensor) {
    super()
    this.weight = weight
  }

  get device(): string {
    return this.weight.device
  }
  /** ids [...] of i64 → [..., hiddenSize] */
  forward(ids: Tensor): Tensor {
    return ops.embedding(this.weight, ids)
  }
  head(): LinearLike {
    return new Linear(this.weight)
  }
  dense(): Tensor {
    return this.weight.alias()
  }
}
