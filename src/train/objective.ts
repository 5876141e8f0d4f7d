// What is minimised. An objective says how many units a batch is averaged over before anything runs, so that a step's loss is the mean
// over all supervised tokens of all its micro-batches, and accumulation equals one large batch (transformers#34191).
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import type { Decoder } from '../model/decoder.ts'
import type { Trainable } from '../model/trainable.ts'
import { autocastDtype, ops, Tensor } from '../torch/index.ts'

/** On batches of type `B`, for models of type `M`. */
export interface Objective<B = Batch, M extends Trainable = Decoder> {
  /** Units (supervised tokens, pairs) that the loss is a sum over. */
  weight(batch: B): number
  /** Loss summed over the units (scalar), and further sums over the same units. */
  forward(model: M, batch: B): ObjectiveResult
  /** Tokens in the batch, padding included; for rates. */
  tokens(batch: B): number
  /** Begins to count what an evaluation tells beside means, such as F1. */
  tally?(): Tally<B>
}

/** What `forward` gives. */
export interface ObjectiveResult {
  loss: Tensor
  metrics: Record<string, Tensor>
  /** What the model answered, without a graph: for a tally, or whoever records it. */
  outputs?: Tensor
}

/** Keeps count over all batches of an evaluation. */
export interface Tally<B = Batch> {
  add(batch: B, outputs: Tensor): void
  metrics(): Record<string, number>
}

/** Hidden states after the last norm, [B, T, D], that an objective judges a batch by. */
export type ReadStates = (model: Decoder, batch: Batch) => Tensor

/**
 * Next-token cross-entropy (nats) over labels that are not −100; adds `mean_token_accuracy`. `read` gives the states where they are not the
 * model's own, such as states that were changed between two blocks.
 */
export function languageModeling(
  read: ReadStates = (model, batch) => model.hidden(decoderInput(batch, model.device)),
): Objective<Batch> {
  // A batch is weighed before it runs, and needs the same labels for both.
  const known = new WeakMap<Batch, Int32Array>()
  const labelsOf = (batch: Batch): Int32Array => {
    const labels = known.get(batch) ?? shiftLabels(batch)
    known.set(batch, labels)
    return labels
  }
  return {
    weight: (batch) => labelsOf(batch).reduce((count, label) => count + (label === IGNORE_INDEX ? 0 : 1), 0),
    tokens: (batch) => batch.rows * batch.length,
    forward: (model, batch) => {
      const labels = Tensor.from(labelsOf(batch), [batch.rows * batch.length])
        .to('i64')
        .to(model.device)
      const hidden = read(model, batch)
      const [loss, correct] = crossEntropy(model, hidden.view(-1, hidden.size(-1)), labels)
      return { loss, metrics: { mean_token_accuracy: correct } }
    },
  }
}

/** The batch as the model takes it. */
export function decoderInput(batch: Batch, device: string): Parameters<Decoder['hidden']>[0] {
  return {
    inputIds: Tensor.from(batch.inputIds, [batch.rows, batch.length]).to('i64').to(device),
    ...(batch.positionIds && { positionIds: batch.positionIds }),
    ...(batch.segmentIds && { segmentIds: batch.segmentIds }),
  }
}

/** The label that each position predicts: the next one of its row and document; −100 at their ends. */
export function shiftLabels({ labels, rows, length, segmentIds }: Batch): Int32Array {
  const shifted = new Int32Array(rows * length).fill(IGNORE_INDEX)
  for (let row = 0; row < rows; row++) {
    for (let i = row * length; i < (row + 1) * length - 1; i++) {
      if (segmentIds === undefined || segmentIds[i] === segmentIds[i + 1]) shifted[i] = labels[i + 1]!
    }
  }
  return shifted
}

/** Rows of hidden states [B, T, D] at the positions that predict a label, [N, D]. */
export function labelledStates(states: Tensor, batch: Batch): Tensor {
  const positions = [...shiftLabels(batch).entries()].filter(([, label]) => label !== IGNORE_INDEX).map(([i]) => i)
  return states.view(-1, states.size(-1)).indexSelect(0, Tensor.from(positions, undefined, 'i64').to(states.device))
}

/** Summed cross-entropy of hidden states [N, D] against labels [N], and how many argmaxes are right; no [N, V] logits are kept. */
export function crossEntropy(model: Decoder, hidden: Tensor, labels: Tensor): [Tensor, Tensor] {
  return ops.linearCrossEntropy(...headInput(model, hidden), labels, 0, model.config.finalLogitSoftcapping ?? 0)
}

/** Log-probability of each label [N] given hidden states [N, D], 0 where the label is −100; no [N, V] logits are kept. */
export function labelLogProbs(model: Decoder, hidden: Tensor, labels: Tensor): Tensor {
  return ops.linearLogProbs(...headInput(model, hidden), labels, 0, model.config.finalLogitSoftcapping ?? 0)
}

/** Hidden states and the head's matrix in the dtype of matrix products. */
function headInput(model: Decoder, hidden: Tensor): [Tensor, Tensor] {
  const head = model.head
  const weight = head.dense()
  const dtype = autocastDtype() ?? hidden.dtype
  return [hidden.to(dtype), weight.to(dtype)]
}
