// The seam before the blocks: what a model reads before or in place of ids. A sequence stays a plain list of ids that can be padded,
// packed and cached; ids below 0 are not in the vocabulary, and the layer in this slot says what they stand for (soft prompts do).
import type { Tensor } from '../torch/index.ts'
import type { EmbeddingLike } from './embedding.ts'
import { Layer } from './layer.ts'

/** Gives ids their embeddings, with those that the vocabulary does not have. */
export abstract class InputLayer extends Layer {
  /** ids [B, T] of i64 → [B, T, D]. `words` are the model's own; what is returned is multiplied by `scale` afterwards, as they are. */
  abstract embed(ids: Tensor, words: EmbeddingLike, scale: number): Tensor
}
