// What is minimised where texts get labels: cross-entropy, each label with its weight; and what an evaluation tells of it.
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import { LabelCounts } from '../data/label-counts.ts'
import { type AnyModel, type Classifier, labelLogits } from '../model/any-model.ts'
import { noGrad, ops, Tensor } from '../torch/index.ts'
import type { Objective } from './objective.ts'

/**
 * Cross-entropy (nats) of the label of each row, which stands at the row's first position; with `weights` by label id it is their weighted
 * mean, as PyTorch's. Its outputs are the logits, [rows, labels]. Adds `accuracy`, weighted alike; an evaluation adds `accuracy`, `macro_f1` and `mcc`, which no weight touches.
 */
export function classification(labels: number, weights?: ArrayLike<number>): Objective<Batch, AnyModel> {
  const weightOf = (label: number): number => weights?.[label] ?? 1
  return {
    weight: (batch) => labelsOf(batch).reduce((sum, label) => sum + weightOf(label), 0),
    tokens: (batch) => batch.rows * batch.length,
    forward: (model, batch) => {
      const wanted = labelsOf(batch)
      const logits = labelLogits(model as Classifier, batch)
      const index = Tensor.from(Int32Array.from(wanted), [wanted.length]).to('i64').to(model.device)
      const scale = Tensor.from(Float32Array.from(wanted, weightOf), [wanted.length]).to(model.device)
      const losses = ops.gather(logits.logSoftmax(-1), 1, index.unsqueeze(1)).squeeze(1).neg()
      const given = noGrad(() => logits.detach().argmax(-1))
      const correct = noGrad(() => ops.eq(given, index).to('f32').mul(scale).sum())
      return { loss: losses.mul(scale).sum(), metrics: { accuracy: correct }, outputs: logits.detach() }
    },
    tally: () => {
      const counts = new LabelCounts(labels)
      return {
        add: (batch, logits) => {
          const chosen = logits.argmax(-1).to('f32').toArray()
          for (const [row, label] of labelsOf(batch).entries()) counts.add(label, chosen[row]!)
        },
        metrics: () => ({ accuracy: counts.accuracy, macro_f1: counts.macroF1, mcc: counts.mcc }),
      }
    },
  }
}

function labelsOf({ labels, rows, length }: Batch): number[] {
  return Array.from({ length: rows }, (_, row) => labels[row * length]!).filter((label) => label !== IGNORE_INDEX)
}
