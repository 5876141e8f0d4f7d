// What a probe measures of the model as it stands, on one batch. Sums, not means: batches may differ in tokens, and a sum of terms
// that are not negative can be given up early (race.ts).
import type { Batch } from '../data/batch.ts'
import type { Decoder } from '../model/decoder.ts'
import { withoutDropout } from '../model/without-dropout.ts'
import { noGrad, scope, Tensor } from '../torch/index.ts'
import { divergenceTerms } from '../train/divergence.ts'
import { crossEntropy, decoderInput, labelledStates, shiftLabels } from '../train/objective.ts'
import { gradientNorms, probeGradients } from './gradients.ts'

/** A number that says how good a model is on a batch; lower is better. */
export interface Metric {
  /** Part of what ties a journal to its numbers. */
  readonly name: string
  /**
   * Numbers of batch `index`. `hidden()` gives the hidden states after the last norm, [B, T, D], without dropout, and spares the blocks
   * below the intervention; a metric that runs the model by itself does not call it.
   */
  measure(hidden: () => Tensor, batch: Batch, index: number): number[]
  /** Gives up what it holds. */
  free?(): void
}

/** Next-token cross-entropy in nats, summed over the batch's labels; never below 0, as which certainty may be rounded. */
export function crossEntropyMetric(model: Decoder): Metric {
  return {
    name: 'cross-entropy',
    measure: (hidden, batch) => {
      const states = hidden()
      const labels = Tensor.from(shiftLabels(batch)).to('i64').to(model.device)
      return [Math.max(0, crossEntropy(model, states.view(-1, states.size(-1)), labels)[0].item())]
    },
  }
}

/** Logits in memory at once: 64 MiB in f32. */
const MOST_LOGITS = 1 << 24

/**
 * KL(p ‖ q) in nats, summed over the positions that have a label: p is the model as it is now, q as it stands when measured. Holds the
 * hidden states of all batches; never below 0, which it could be by rounding.
 */
export function divergenceMetric(model: Decoder, batches: readonly Batch[]): Metric {
  const before = noGrad(() =>
    batches.map((batch) =>
      scope(() =>
        labelledStates(
          withoutDropout(model, () => model.hidden(decoderInput(batch, model.device))),
          batch,
        ),
      ).keep(),
    ),
  )
  const logProbs = (states: Tensor): Tensor => model.logits(states).logSoftmax()
  return {
    name: 'divergence',
    measure: (hidden, batch, index) => {
      const [p, q] = [before[index]!, labelledStates(hidden(), batch)]
      const rows = Math.max(1, Math.floor(MOST_LOGITS / model.config.vocabSize))
      let sum = 0
      for (let start = 0; start < p.size(0); start += rows) {
        const count = Math.min(rows, p.size(0) - start)
        sum += scope(() => {
          const [logP, logQ] = [logProbs(p.narrow(0, start, count)), logProbs(q.narrow(0, start, count))]
          return divergenceTerms(logP, logQ).sum().item()
        })
      }
      return [Math.max(0, sum)]
    },
    free: () => {
      for (const states of before) states.free()
    },
  }
}

/** The gradient's norm for each parameter; `loss` and `generator` as for `probeGradients`. */
export function gradientNormMetric(
  parameters: readonly Tensor[],
  generator: Parameters<typeof probeGradients>[1],
  loss: (batch: Batch) => Tensor,
): Metric {
  return {
    name: 'gradient-norms',
    measure: (_hidden, batch) => scope(() => gradientNorms(probeGradients(parameters, generator, () => loss(batch)))),
  }
}
