// What is minimised where a text may have several labels: binary cross-entropy of each label by itself; and what an evaluation tells of it.
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import { bestThreshold, LabelSetCounts, labelsAbove } from '../data/label-set-counts.ts'
import type { LabelSets } from '../data/label-sets.ts'
import { type AnyModel, type Classifier, labelLogits } from '../model/any-model.ts'
import { noGrad, ops, Tensor } from '../torch/index.ts'
import type { Objective } from './objective.ts'

/** What an evaluation calls the threshold that is best for a label on its texts. */
export const THRESHOLD_METRIC = 'threshold_'

/**
 * Binary cross-entropy (nats) of every label of each row, averaged over rows and labels as PyTorch's `BCEWithLogitsLoss`; the row's first position
 * has the id of its labels in `sets`. `positive` by label id is its `pos_weight`: how much a label that is there counts as against one that is not. Its outputs are
 * the logits, [rows, labels]. Adds `accuracy`, the share of labels rightly given or not. An evaluation adds, with labels given from a probability of one half on,
 * `accuracy` (texts all of whose labels are right), `macro_f1` and `micro_f1`, and `threshold_LABEL`, from which a label's F1 on these texts is highest.
 */
export function multiLabelClassification(
  labels: readonly string[],
  sets: LabelSets,
  positive?: ArrayLike<number>,
): Objective<Batch, AnyModel> {
  const size = labels.length
  return {
    weight: (batch) => setsOf(batch).length * size,
    tokens: (batch) => batch.rows * batch.length,
    forward: (model, batch) => {
      const wanted = setsOf(batch)
      const logits = labelLogits(model as Classifier, batch)
      const on = new Float32Array(wanted.length * size)
      for (const [row, set] of wanted.entries()) for (const label of sets.of(set)) on[row * size + label] = 1
      const there = Tensor.from(on, [wanted.length, size]).to(model.device)
      const scale = Tensor.from(
        on.map((value, i) => value * (positive?.[i % size] ?? 1)),
        [wanted.length, size],
      ).to(model.device)
      const missed = ops.logSigmoid(logits).mul(scale)
      const given = ops.logSigmoid(logits.neg()).mul(there.neg().add(1))
      const correct = noGrad(() =>
        ops
          .eq(ops.ge(logits.detach(), ops.zerosLike(there)).to('f32'), there)
          .to('f32')
          .sum(),
      )
      return { loss: missed.add(given).sum().neg(), metrics: { accuracy: correct }, outputs: logits.detach() }
    },
    tally: () => {
      const halves = labels.map(() => 0.5)
      const counts = new LabelSetCounts(size)
      const seen = labels.map(() => [] as { probability: number; isThere: boolean }[])
      return {
        add: (batch, logits) => {
          const all = logits.sigmoid().to('f32').toArray()
          for (const [row, set] of setsOf(batch).entries()) {
            const truth = sets.of(set)
            const probabilities = all.slice(row * size, (row + 1) * size)
            counts.add(truth, labelsAbove(probabilities, halves))
            for (const [label, probability] of probabilities.entries())
              seen[label]!.push({ probability, isThere: truth.includes(label) })
          }
        },
        metrics: () => ({
          accuracy: counts.accuracy,
          macro_f1: counts.macroF1,
          micro_f1: counts.microF1,
          ...Object.fromEntries(
            labels.map((label, id) => [`${THRESHOLD_METRIC}${label}`, bestThreshold(seen[id]!)] as const),
          ),
        }),
      }
    },
  }
}

function setsOf({ labels, rows, length }: Batch): number[] {
  return Array.from({ length: rows }, (_, row) => labels[row * length]!).filter((set) => set !== IGNORE_INDEX)
}
