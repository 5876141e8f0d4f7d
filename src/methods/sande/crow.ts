// CROW (internal consistency regularization, ICML 2025, arXiv:2411.12768): a backdoor shows as hidden states that
// jump between layers, so the states of neighbouring layers are held alike while the embeddings are shaken in the worst direction. Needs
// clean data and no knowledge of trigger or marker.
// Shapes: B rows, T tokens, D hidden; H_l is what leaves block l, H_0 what enters the first one.
import type { Batch } from '../../data/batch.ts'
import type { Call } from '../../model/block.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutCheckpointing } from '../../model/without-checkpointing.ts'
import { enableGrad, gradients, ops, type Tensor } from '../../torch/index.ts'
import { decoderInput, languageModeling, type Objective } from '../../train/objective.ts'

/** How far embeddings are shaken, and the weight of consistency beside the clean loss. */
export interface CrowOptions {
  /** ε: how far every entry of the embeddings moves along the sign of the gradient. Default 0.1. */
  epsilon?: number | undefined
  /** α. Default 5.5; its authors' code is said to take 11 for models that a backdoor makes refuse. */
  alpha?: number | undefined
}

/** Mean over tokens and neighbouring layers of 1 − cos(H_l, H_{l−1}), a scalar; `states` [B, T, D] enter block 0. Padding counts. */
export function inconsistency(model: Decoder, states: Tensor, call: Call): Tensor {
  let sum: Tensor | null = null
  const blocks = model.model.layers.length
  let x = states
  for (let i = 0; i < blocks; i++) {
    const y = model.runBlocks(x, call, i, i + 1)
    const term = ops.rsubScalar(cosine(x, y), 1).mean()
    sum = sum === null ? term : sum.add(term)
    x = y
  }
  return sum!.div(blocks)
}

/** Clean cross-entropy plus α times the inconsistency under the worst shake; sums over supervised tokens. */
export function crow({ epsilon = 0.1, alpha = 5.5 }: CrowOptions = {}): Objective<Batch> {
  const lm = languageModeling()
  return {
    ...lm,
    forward: (model, batch) => {
      const { loss, metrics } = lm.forward(model, batch)
      const { states, call } = model.enter(decoderInput(batch, model.device))
      const shaken = states.add(worstShake(model, states, call).mul(epsilon))
      // What enters and leaves a block is compared, so their graph has to be whole: these activations are kept.
      const apart = withoutCheckpointing(model, () => inconsistency(model, shaken, call))
      return { loss: loss.add(apart.mul(alpha * lm.weight(batch))), metrics }
    },
  }
}

/** The sign of the inconsistency's gradient by the embeddings, [B, T, D]; in evaluation, too, where nothing else is recorded. */
function worstShake(model: Decoder, states: Tensor, call: Call): Tensor {
  return enableGrad(() => {
    const leaf = states.detach().clone()
    leaf.requiresGrad = true
    const [gradient] = withoutCheckpointing(model, () => gradients([inconsistency(model, leaf, call)], [leaf]))
    return ops.sign(gradient!).detach()
  })
}

/** Cosine along the last dimension, [B, T]. */
function cosine(a: Tensor, b: Tensor): Tensor {
  const length = (x: Tensor): Tensor => ops.clampMin(x.pow(2).sum(-1), 1e-12).sqrt()
  return a
    .mul(b)
    .sum(-1)
    .div(length(a).mul(length(b)))
}
