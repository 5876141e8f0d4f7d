// Rows of a table by index: token embeddings and GPT-2's learned positions.
import { ops, type Tensor } from '../torch/index.ts'
import { Layer } from './layer.ts'

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
