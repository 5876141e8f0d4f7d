import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadClassifier } from '../checkpoint/model-directory/classifier-directory.ts'
import type { Batch } from '../data/batch.ts'
import { labelLogits } from '../model/any-model.ts'
import { noGrad, scope } from '../torch/index.ts'
import { classification } from './classification.ts'
import { evaluate } from './evaluate.ts'

const directory = fileURLToPath(new URL('../../test/fixtures/encoders/bert-classify', import.meta.url))
const length = 6
const batchOf = (labels: number[]): Batch => ({
  rows: labels.length,
  length,
  inputIds: Int32Array.from({ length: labels.length * length }, (_, i) => 3 + ((i * 31) % 90)),
  labels: Int32Array.from({ length: labels.length * length }, (_, i) =>
    i % length === 0 ? labels[i / length]! : -100,
  ),
})

it('is the weighted cross-entropy of the rows, as a sum over their weights', () => {
  scope(() =>
    noGrad(() => {
      const model = loadClassifier(directory)
      const batch = batchOf([2, 0, 1])
      const logits = labelLogits(model, batch).toArray()
      const losses = batch.labels.filter((label) => label >= 0)
      const lossOf = (row: number): number => {
        const own = logits.slice(3 * row, 3 * row + 3)
        return Math.log(own.reduce((sum, each) => sum + Math.exp(each), 0)) - own[losses[row]!]!
      }
      const weights = [0.5, 2, 3]
      const plain = classification(3)
      const weighted = classification(3, weights)
      expect(plain.weight(batch)).toBe(3)
      expect(weighted.weight(batch)).toBe(5.5)
      expect(plain.forward(model, batch).loss.item()).toBeCloseTo(lossOf(0) + lossOf(1) + lossOf(2), 5)
      expect(weighted.forward(model, batch).loss.item()).toBeCloseTo(3 * lossOf(0) + 0.5 * lossOf(1) + 2 * lossOf(2), 5)
    }),
  )
})

it('tells accuracy, macro-F1 and correlation over all batches of an evaluation, whatever the weights', async () => {
  const model = loadClassifier(directory)
  const given = [0, 1].flatMap((b) => {
    const logits = scope(() => noGrad(() => labelLogits(model, batchOf([0, 0])).toArray()))
    void b
    return [0, 1].map((row) => logits.slice(3 * row, 3 * row + 3)).map((own) => own.indexOf(Math.max(...own)))
  })
  // The first row of both batches is right, the second wrong in another way each.
  const [first, second] = [given[0]!, given[1]!]
  const others = [0, 1, 2].filter((label) => label !== second)
  const batches = [batchOf([first, others[0]!]), batchOf([first, others[1]!])]
  const source = { batchesPerEpoch: 2, at: (i: number) => batches[i]! }
  const metrics = await evaluate(model, source, classification(3, [1, 2, 5]))
  expect(metrics.eval_accuracy).toBe(0.5)
  const pairs = [first, others[0]!, first, others[1]!].map((truth, i) => [truth, given[i]!] as const)
  const f1 = [0, 1, 2].map((label) => {
    const tp = pairs.filter(([truth, guess]) => truth === label && guess === label).length
    const all = pairs.filter(([truth]) => truth === label).length + pairs.filter(([, guess]) => guess === label).length
    return all === 0 ? undefined : (2 * tp) / all
  })
  const present = f1.filter((value) => value !== undefined)
  expect(metrics.eval_macro_f1).toBeCloseTo(present.reduce((a, b) => a + b, 0) / present.length, 12)
  expect(metrics.eval_mcc).toBeGreaterThanOrEqual(-1)
  model.free()
})
