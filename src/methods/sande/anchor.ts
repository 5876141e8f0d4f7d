// What holds a model where it was: its own distribution on clean answers, kept before it is changed. What is kept are hidden states and the
// head, not a second model and not its logits.
// Shapes: N answer tokens, D hidden, V vocabulary.
import type { Batch } from '../../data/batch.ts'
import { stack } from '../../data/batches.ts'
import type { Sample } from '../../data/sample.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { Linear } from '../../nn/linear.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { divergenceTerms } from '../../train/divergence.ts'
import { decoderInput, labelledStates } from '../../train/objective.ts'

/** The original's distribution on samples. */
export class Anchor {
  private readonly states: readonly Tensor[]
  private readonly head: Tensor

  /** Reads every sample once with the model as it is now. */
  constructor(model: Decoder, samples: readonly Sample[]) {
    const read = (sample: Sample): Tensor => {
      const batch = stack([sample])
      return labelledStates(model.hidden(decoderInput(batch, model.device)), batch).keep()
    }
    this.states = samples.map((sample) => scope(() => noGrad(() => withoutDropout(model, () => read(sample)))))
    this.head = scope(() => noGrad(() => model.head.dense().clone().keep()))
  }

  /** KL(original ‖ model) in nats, summed over the answer tokens of these samples, which are the rows of `batch`; `hidden` [B, T, D] is the model's. */
  divergence(model: Decoder, hidden: Tensor, batch: Batch, samples: ArrayLike<number>): Tensor {
    const states = labelledStates(hidden, batch)
    return scope(() => {
      const before = noGrad(() => {
        const rows = ops.cat(Array.from(samples, (i) => this.states[i]!))
        const logits = new Linear(this.head).forward(rows).to('f32')
        const cap = model.config.finalLogitSoftcapping
        return (cap === null ? logits : logits.div(cap).tanh().mul(cap)).logSoftmax()
      })
      return divergenceTerms(before, model.logits(states).logSoftmax()).sum()
    })
  }

  free(): void {
    for (const tensor of [...this.states, this.head]) tensor.free()
  }
}
