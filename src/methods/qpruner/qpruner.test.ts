import { describe, expect, it } from 'vitest'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { noGrad, scope } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { layerInformation } from './mutual-information.ts'
import { informationLosses, mutualInformationScore } from './qpruner.ts'

const CONFIG = readModelConfig(
  {
    model_type: 'llama',
    vocab_size: 48,
    hidden_size: 32,
    intermediate_size: 80,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    tie_word_embeddings: true,
    initializer_range: 0.2,
  },
  'config.json',
)
const inputIds = Int32Array.from({ length: 2 * 24 }, (_, i) => (Math.imul(i + 1, 2654435762) >>> 9) % 48)
const CALIBRATION = [{ rows: 2, length: 24, inputIds, labels: inputIds }]

describe('mutualInformationScore', () => {
  it('follows the rule of the paper: more bits where the information is', () => {
    const losses = informationLosses(
      [{ block: 0 }, { block: 1 }, { block: 2 }],
      ['nf2', 'nf3', 'nf4', 'int8'],
      [1, 2, 0.5],
    )
    expect(losses[1]![0]! - losses[1]![2]!).toBeCloseTo(2, 12) // I·log₂(4/2)
    expect(losses[2]![2]! - losses[2]![3]!).toBeCloseTo(0.5, 12)
  })

  it('gives matrices of one block the same losses, from 0 to ln 16 a doubling, and leaves the model as it was', async () => {
    const model = Decoder.fresh(CONFIG, { seed: 1 })
    const logits = (): number[] =>
      noGrad(() => scope(() => model.forward(decoderInput(CALIBRATION[0]!, 'cpu')).toArray()))
    const before = logits()
    const information = await layerInformation(model, CALIBRATION)
    expect(information.length).toBe(3)
    for (const value of information) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(Math.log(16))
    }
    const units = [{ block: 2 }, { block: 2 }]
    const [first, second] = await mutualInformationScore.losses(model, units, ['nf2', 'nf4'], CALIBRATION)
    expect(first).toEqual([-information[2]!, -2 * information[2]!])
    expect(second).toEqual(first)
    expect(logits()).toEqual(before)
    model.free()
  })
})
