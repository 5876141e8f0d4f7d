// The rows of a head of a model that was trained here for a moment, in which two tokens never came up.
import { afterEach, describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../../test/tiny-model.ts'
import { TINY, tinyBatches, tinyModel, trainTiny } from '../../../test/training/tiny-model.ts'
import { addLora } from '../../methods/lora/lora.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Linear } from '../../nn/linear.ts'
import { noGrad } from '../../torch/index.ts'
import { untrainedTokens, warningOfUntrainedStops } from './untrained-stops.ts'

let model: Decoder
afterEach(() => model.free())

const head = (): Linear => model.head as Linear

const warningOf = (ids: readonly number[]): string | undefined => warningOfUntrainedStops(model, ids, tinyTokenizer())

describe('untrainedTokens', () => {
  it('finds rows that are far too small, and rows that are another one over again', () => {
    model = tinyModel({ ...TINY, tie_word_embeddings: false })
    noGrad(() => {
      const { weight } = head()
      weight.select(0, 3).mul_(0.01)
      weight.select(0, 7).copy_(weight.select(0, 8).mul(1.5))
      weight.select(0, 9).mul_(0)
    })
    expect(untrainedTokens(model, [1, 2, 3, 4, 7, 8, 9])).toEqual([3, 7, 8, 9])
  })

  it.each([
    ['tied', true],
    ['untied', false],
  ])('finds the tokens that never came up in training, and no other (%s)', async (_, tied) => {
    model = tinyModel({ ...TINY, tie_word_embeddings: tied })
    // Tokens from 290 on never come up.
    await trainTiny(model, tinyBatches(60, { rows: 8, length: 32, vocabulary: 290 }), {
      steps: 400,
      learningRate: 1e-2,
    })
    const found = untrainedTokens(
      model,
      Array.from({ length: 300 }, (_, id) => id),
    )
    expect(found).toEqual([290, 291, 292, 293, 294, 295, 296, 297, 298, 299])
  })
})

describe('warningOfUntrainedStops', () => {
  it('names the token when the head stays as it is, and is silent where it is trained or adapted', () => {
    model = tinyModel({ ...TINY, tie_word_embeddings: false })
    noGrad(() => head().weight.select(0, 4).mul_(0.01))
    expect(warningOf([4])).toBeUndefined()
    addLora(model)
    expect(warningOf([4])).toContain('<|im_end|>, which the base seems never to have learnt')
    expect(warningOf([2])).toBeUndefined()
    model.free()
    model = tinyModel({ ...TINY, tie_word_embeddings: false })
    noGrad(() => head().weight.select(0, 4).mul_(0.01))
    addLora(model, { targetModules: ['q_proj', 'lm_head'] })
    expect(warningOf([4])).toBeUndefined()
  })
})
