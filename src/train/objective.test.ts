import { describe, expect, it } from 'vitest'
import { TINY, tinyBatches, tinyModel } from '../../test/training/tiny-model.ts'
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import { backward, noGrad, scope } from '../torch/index.ts'
import { decoderInput, languageModeling, shiftLabels } from './objective.ts'

const X = IGNORE_INDEX

describe('shiftLabels', () => {
  it('asks each position for the next token of its row, and the last for nothing', () => {
    const batch = {
      rows: 2,
      length: 3,
      inputIds: Int32Array.of(1, 2, 3, 4, 5, 6),
      labels: Int32Array.of(1, 2, 3, 4, 5, 6),
    }
    expect([...shiftLabels(batch)]).toEqual([2, 3, X, 5, 6, X])
  })

  it('keeps what is not supervised out', () => {
    const batch = { rows: 1, length: 4, inputIds: Int32Array.of(1, 2, 3, 4), labels: Int32Array.of(X, X, 3, 4) }
    expect([...shiftLabels(batch)]).toEqual([X, 3, 4, X])
  })

  it('asks no token for the next document of its row', () => {
    const ids = Int32Array.of(1, 2, 3, 4, 5)
    const batch = { rows: 1, length: 5, inputIds: ids, labels: ids, segmentIds: Int32Array.of(0, 0, 1, 1, 2) }
    expect([...shiftLabels(batch)]).toEqual([2, X, 4, X, X])
  })
})

describe('languageModeling', () => {
  const objective = languageModeling()
  const [batch] = [tinyBatches(1).at(0)]

  it('weighs a batch by its supervised tokens and counts all of them', () => {
    const labels = batch.labels.slice().fill(X, 0, 5)
    expect(objective.weight({ ...batch, labels })).toBe(2 * 11 - 4) // the first label of a row is nobody's next token
    expect(objective.tokens(batch)).toBe(24)
  })

  it('sums −log softmax of the logits over the labels, and counts right guesses', () => {
    const model = tinyModel()
    const { loss, metrics } = objective.forward(model, batch)
    const logits = noGrad(() => model.forward(decoderInput(batch, 'cpu')).view(-1, 300))
    const rows = logits.logSoftmax().toArray()
    const guesses = logits.argmax(-1).toArray()
    let [expected, right] = [0, 0]
    for (const [position, label] of shiftLabels(batch).entries()) {
      if (label === X) continue
      expected -= rows[position * 300 + label]!
      if (guesses[position] === label) right++
    }
    expect(loss).toBeAllclose(expected)
    expect(metrics.mean_token_accuracy!.item()).toBe(right)
    expect(expected / objective.weight(batch)).toBeCloseTo(Math.log(300), 1)
  })

  it('has a loss of 0 and no gradient where nothing is supervised', () => {
    const model = tinyModel()
    const labels = new Int32Array(24).fill(X)
    scope(() => {
      const { loss } = objective.forward(model, { ...batch, labels })
      expect(loss.item()).toBe(0)
      backward(loss)
    })
    for (const [, parameter] of model.parameters())
      expect(parameter.grad?.toArray().every((value) => value === 0) ?? true).toBe(true)
  })

  it('gives packed documents the loss that they have alone', () => {
    const model = tinyModel({ ...TINY, num_attention_heads: 4, head_dim: 8 })
    const documents = [
      [5, 6, 7, 8],
      [9, 10, 11],
      [12, 13, 14, 15, 16],
    ]
    const ids = Int32Array.from(documents.flat())
    const packed: Batch = {
      rows: 1,
      length: ids.length,
      inputIds: ids,
      labels: ids,
      segmentIds: Int32Array.from(documents.flatMap((document, i) => document.map(() => i))),
      positionIds: Int32Array.from(documents.flatMap((document) => document.map((_, i) => i))),
    }
    const alone = documents.map((document): Batch => {
      const inputIds = Int32Array.from(document)
      return { rows: 1, length: document.length, inputIds, labels: inputIds }
    })
    const lossOf = (batches: Batch[]): number =>
      noGrad(() => batches.reduce((sum, one) => sum + objective.forward(model, one).loss.item(), 0))
    expect(objective.weight(packed)).toBe(3 + 2 + 4)
    expect(lossOf([packed])).toBeCloseTo(lossOf(alone), 4)
  })

  it('caps the logits of a model that does', () => {
    const config = { ...TINY, model_type: 'gemma2', final_logit_softcapping: 0.5, query_pre_attn_scalar: 16 }
    const model = tinyModel(config)
    // A large head, so that the cap matters.
    noGrad(() => model.model.embed_tokens.dense().mul_(20))
    const { loss } = objective.forward(model, batch)
    const logits = noGrad(() => model.forward(decoderInput(batch, 'cpu')).view(-1, 300))
    expect(logits.abs().max().item()).toBeLessThanOrEqual(0.5)
    const rows = logits.logSoftmax().toArray()
    let expected = 0
    for (const [position, label] of shiftLabels(batch).entries())
      if (label !== X) expected -= rows[position * 300 + label]!
    expect(loss).toBeAllclose(expected)
  })
})
