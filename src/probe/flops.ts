// What each branch of a decoder costs: floating-point operations of its forward pass, 2 for each multiply-add, from the shapes alone.
// Matrix products and attention scores only; norms, rotation, softmax and activations are left out (below one percent).
import type { AttentionConfig, DecoderConfig, MlpConfig } from '../model/config.ts'

/** One residual branch: the attention or the MLP of one block. */
export interface BranchFlops {
  /** Its module, such as `model.layers.3.self_attn`. */
  readonly path: string
  /** Index of the block. */
  readonly block: number
  readonly kind: 'attention' | 'mlp'
  /** Forward pass over one sequence. */
  readonly flops: number
}

/** Every branch that the model has, bottom up, with its cost for one sequence of `length` tokens. */
export function branchFlops(config: DecoderConfig, length: number): BranchFlops[] {
  return config.layers.flatMap(({ attention, mlp }, block) => {
    const path = `model.layers.${block}`
    const branches: BranchFlops[] = []
    if (attention !== null) {
      const flops = attentionFlops(attention, config.hiddenSize, length)
      branches.push({ path: `${path}.self_attn`, block, kind: 'attention', flops })
    }
    if (mlp !== null)
      branches.push({ path: `${path}.mlp`, block, kind: 'mlp', flops: mlpFlops(mlp, config.hiddenSize, length) })
    return branches
  })
}

/** Projections of queries, keys, values and output, then q·k and weights·v over the pairs that the mask lets through. */
export function attentionFlops(attention: AttentionConfig, hiddenSize: number, length: number): number {
  const { numAttentionHeads, numKeyValueHeads, headDim, slidingWindow } = attention
  const projected = (2 * numAttentionHeads + 2 * numKeyValueHeads) * headDim // H·E of q and of o, K·E of k and of v
  return 2 * length * hiddenSize * projected + 4 * visiblePairs(length, slidingWindow) * numAttentionHeads * headDim
}

/** Two matrices, three when gated. */
export function mlpFlops({ intermediateSize, isGated }: MlpConfig, hiddenSize: number, length: number): number {
  return 2 * length * hiddenSize * intermediateSize * (isGated ? 3 : 2)
}

/** Pairs (i, j) with 0 ≤ i − j < window. */
function visiblePairs(length: number, window: number | null): number {
  const span = Math.min(length, window ?? length)
  return (span * (span + 1)) / 2 + (length - span) * span
}
