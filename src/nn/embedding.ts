// Rows of a table by index: token embeddings and GPT-2's learned positions.
import { ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'

/** Rows of a matrix [vocabulary, width], looked up by id. */
export class Embedding extends Layer {
  /** [numEmbeddings, hiddenSize] */
  weight: Tensor

  constructor(weight: Tensor) {
    super()
    this.weight = weight
  }

  /** ids [...] of i64 → [..., hiddenSize] */
  forward(ids: Tensor): Tensor {
    return ops.embedding(this.weight, ids)
  }
}
