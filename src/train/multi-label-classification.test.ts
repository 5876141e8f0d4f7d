import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadClassifier } from '../checkpoint/model-directory/classifier-directory.ts'
import type { Batch } from '../data/batch.ts'
import { bestThreshold } from '../data/label-set-counts.ts'
import { LabelSets } from '../data/label-sets.ts'
import { labelLogits } from '../model/any-model.ts'
import { noGrad, scope } from '../torch/index.ts'
import { evaluate } from './evaluate.ts'
import { multiLabelClassification } from './multi-label-classification.ts'

const directory = fileURLToPath(new URL('../../test/fixtures/encoders/bert-classify', import.meta.url))
const labels = ['no', 'perhaps', 'yes']
const length = 6
const sets = new LabelSets()
const batchOf = (...rows: number[][]): Batch => ({
  rows: rows.length,
  length,
  inputIds: Int32Array.from({ length: rows.length * length }, (_, i) => 3 + ((i * 31) % 90)),
  labels: Int32Array.from({ length: rows.length * length }, (_, i) =>
    i % length === 0 ? sets.idOf(rows[i / length]!) : -100,
  ),
})
const wanted = [[0, 2], [1], [2, 1, 0]]

it('is the binary cross-entropy of each label, what is there weighed, as a sum over rows and labels', () => {
  scope(() =>
    noGrad(() => {
      const model = loadClassifier(directory)
      const batch = batchOf(...wanted)
      const logits = labelLogits(model, batch).toArray()
      const lossOf = (positive: number[]): number =>
        logits.reduce((sum, logit, i) => {
          const p = 1 / (1 + Math.exp(-logit))
          return sum - (wanted[Math.floor(i / 3)]!.includes(i % 3) ? positive[i % 3]! * Math.log(p) : Math.log(1 - p))
        }, 0)
      const plain = multiLabelClassification(labels, sets)
      const weighted = multiLabelClassification(labels, sets, [0.5, 2, 3])
      expect(plain.weight(batch)).toBe(9)
      expect(weighted.weight(batch)).toBe(9)
      expect(plain.forward(model, batch).loss.item()).toBeCloseTo(lossOf([1, 1, 1]), 5)
      expect(weighted.forward(model, batch).loss.item()).toBeCloseTo(lossOf([0.5, 2, 3]), 5)
      const right = logits.filter((logit, i) => logit > 0 === wanted[Math.floor(i / 3)]!.includes(i % 3)).length
      expect(plain.forward(model, batch).metrics.accuracy!.item()).toBe(right)
      model.free()
    }),
  )
})

it('tells F1 at one half and the threshold of each label over all batches of an evaluation', async () => {
  const model = loadClassifier(directory)
  const logits = scope(() => noGrad(() => labelLogits(model, batchOf([], [], [])).toArray()))
  const given = [0, 1, 2].map((row) => [0, 1, 2].filter((label) => logits[3 * row + label]! >= 0))
  // The model is right about all rows of the first batch, and about none of the labels of the second.
  const others = given.map((own) => [0, 1, 2].filter((label) => !own.includes(label)))
  const batches = [batchOf(...given), batchOf(...others)]
  const metrics = await evaluate(
    model,
    { batchesPerEpoch: 2, at: (i) => batches[i]! },
    multiLabelClassification(labels, sets),
  )
  expect(metrics.eval_accuracy).toBe(0.5)
  // In both batches together each label is there three times, and given twice as often as in one.
  const f1 = [0, 1, 2].map((label) => {
    const both = given.filter((own) => own.includes(label)).length
    return (2 * both) / (3 + 2 * both)
  })
  expect(metrics.eval_macro_f1).toBeCloseTo((f1[0]! + f1[1]! + f1[2]!) / 3, 10)
  for (const [id, label] of labels.entries()) {
    const seen = [given, others].flatMap((wanted) =>
      wanted.map((own, row) => ({
        probability: 1 / (1 + Math.exp(-logits[3 * row + id]!)),
        isThere: own.includes(id),
      })),
    )
    expect(metrics[`eval_threshold_${label}`]).toBeCloseTo(bestThreshold(seen), 6)
  }
  model.free()
})
