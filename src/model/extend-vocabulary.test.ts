import { describe, expect, it } from 'vitest'
import { Generator, ops, Tensor } from '../torch/index.ts'
import { readModelConfig } from './config-read.ts'
import { Decoder } from './decoder.ts'
import { extendVocabulary } from './extend-vocabulary.ts'

const fresh = (tied: boolean): Decoder =>
  Decoder.fresh(
    readModelConfig(
      {
        model_type: 'llama',
        vocab_size: 6,
        hidden_size: 8,
        intermediate_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        tie_word_embeddings: tied,
      },
      'config.json',
    ),
    { seed: 3 },
  )

describe('a larger vocabulary', () => {
  it.each([true, false])('has rows that are the mean of their pieces, tied: %s', (tied) => {
    const model = fresh(tied)
    const matrices = tied ? ['model.embed_tokens.weight'] : ['model.embed_tokens.weight', 'lm_head.weight']
    const before = new Map([...model.parameters()].map(([name, tensor]) => [name, tensor.toArray()]))
    const logits = (ids: number[]): number[] =>
      model.forward({ inputIds: Tensor.from(Int32Array.from(ids), [1, ids.length]).to('i64') }).toArray()
    const old = logits([1, 4, 2]).slice(12, 18)
    extendVocabulary(
      model,
      [
        { id: 6, pieces: [1, 3] },
        { id: 8, pieces: [2, 2, 5] },
      ],
      9,
    )
    expect(model.config.vocabSize).toBe(9)
    const row = (values: number[], id: number): number[] => values.slice(8 * id, 8 * id + 8)
    for (const name of matrices) {
      const [was, now] = [before.get(name)!, new Map(model.parameters()).get(name)!.toArray()]
      expect(now).toHaveLength(9 * 8)
      expect(now.slice(0, 48)).toEqual(was)
      for (let i = 0; i < 8; i++) {
        expect(row(now, 6)[i]).toBeCloseTo((row(was, 1)[i]! + row(was, 3)[i]!) / 2, 6)
        expect(row(now, 8)[i]).toBeCloseTo((2 * row(was, 2)[i]! + row(was, 5)[i]!) / 3, 6)
        const mean = [0, 1, 2, 3, 4, 5].reduce((sum, id) => sum + row(was, id)[i]!, 0) / 6
        expect(row(now, 7)[i]).toBeCloseTo(mean, 6)
      }
    }
    // Old tokens are read and said as before.
    const after = logits([1, 4, 2]).slice(18, 24)
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(old[i]!, 5)
    model.free()
  })

  it('takes the rows of a padded vocabulary before others, and keeps the type of the weights', () => {
    const generator = new Generator(1)
    const model = fresh(true)
    const words = model.model.embed_tokens as unknown as { weight: Tensor }
    words.weight.free()
    words.weight = ops
      .normal_(ops.empty([6, 8], 'f32'), 0, 1, generator)
      .to('bf16')
      .keep()
    extendVocabulary(model, [{ id: 4, pieces: [0] }], 6)
    const values = words.weight.to('f32').toArray()
    expect(values.slice(32, 40)).toEqual(values.slice(0, 8))
    expect([words.weight.dtype, words.weight.shape]).toEqual(['bf16', [6, 8]])
    model.free()
  })

  it('says what is wrong', () => {
    const model = fresh(true)
    expect(() => extendVocabulary(model, [], 5)).toThrow("vocabSize: expected at least the model's 6, got 5")
    expect(() => extendVocabulary(model, [{ id: 9, pieces: [1] }], 9)).toThrow(/rows: expected ids below 9/)
    expect(() => extendVocabulary(model, [{ id: 7, pieces: [6] }], 9)).toThrow(/pieces below 6, got 7 with 6/)
    model.free()
  })
})
