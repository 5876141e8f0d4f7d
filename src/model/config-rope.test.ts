import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ropeFrequencies } from '../nn/rope-frequencies.ts'
import { readModelConfig } from './config-read.ts'

interface Golden {
  cases: {
    name: string
    config: Record<string, unknown>
    expected: { length: number; inverse_frequencies: number[]; attention_factor: number }[]
  }[]
}

const golden = JSON.parse(readFileSync('test/fixtures/rope-frequencies.json', 'utf8')) as Golden
const llama = {
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 64,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 128,
}
const ropeOf = (settings: object) =>
  readModelConfig({ ...llama, ...settings }, 'config.json').layers[0]!.attention!.rope

describe('rotary settings', () => {
  it.each(golden.cases)('give the frequencies of Transformers for $name', ({ config, expected }) => {
    const rope = readModelConfig(config, 'config.json').layers[0]!.attention!.rope!
    for (const { length, inverse_frequencies, attention_factor } of expected) {
      const { inverseFrequencies, attentionFactor } = ropeFrequencies(rope, length)
      expect(inverseFrequencies).toHaveLength(inverse_frequencies.length)
      const errors = inverse_frequencies.map((value, i) => Math.abs(inverseFrequencies[i]! / value - 1))
      expect(Math.max(...errors)).toBeLessThan(1e-6)
      expect(attentionFactor).toBeCloseTo(attention_factor, 12)
    }
  })

  it('are the same from rope_scaling with either name of the type', () => {
    const old = ropeOf({ rope_theta: 500, rope_scaling: { type: 'linear', factor: 2 } })
    expect(old).toEqual({ type: 'linear', theta: 500, factor: 2, rotaryDim: 16 })
    expect(ropeOf({ rope_theta: 500, rope_scaling: { rope_type: 'linear', factor: 2 } })).toEqual(old)
    expect(ropeOf({ rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 500 } })).toEqual(old)
  })

  it('may be there in both spellings only when they agree', () => {
    const rope_parameters = { rope_type: 'linear', factor: 2, rope_theta: 500 }
    expect(ropeOf({ rope_parameters, rope_theta: 500, rope_scaling: { type: 'linear', factor: 2 } })).toMatchObject({
      factor: 2,
    })
    expect(() => ropeOf({ rope_parameters, rope_theta: 500, rope_scaling: { type: 'linear', factor: 4 } })).toThrow(
      /rope_scaling/,
    )
  })

  it('are shared by the layers that rotate alike', () => {
    const config = readModelConfig(llama, 'config.json')
    expect(config.layers[0]!.attention!.rope).toBe(config.layers[1]!.attention!.rope)
  })

  it.each([
    [
      'an unknown variant',
      { rope_scaling: { rope_type: 'mrope' } },
      /rope_scaling\.rope_type: expected one of .*got "mrope"/,
    ],
    [
      'an unknown key',
      { rope_scaling: { type: 'linear', factor: 2, mrope_section: [1] } },
      /rope_scaling\.mrope_section/,
    ],
    [
      'a missing factor',
      { rope_scaling: { type: 'linear' } },
      /rope_scaling\.factor: expected a number above 0, got nothing/,
    ],
    ['a factor of text', { rope_scaling: { type: 'linear', factor: '2' } }, /rope_scaling\.factor.*got "2"/],
    [
      'factors of the wrong length',
      { rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } },
      /8 entries, got 1/,
    ],
    [
      'swapped llama3 bounds',
      { rope_scaling: { rope_type: 'llama3', factor: 2, low_freq_factor: 4, high_freq_factor: 1 } },
      /high_freq_factor/,
    ],
    ['a partly rotated llama', { partial_rotary_factor: 0.5 }, /partial_rotary_factor: expected 1/],
    ['a theta of zero', { rope_theta: 0 }, /rope_theta: expected a number above 1, got 0/],
    ['an odd head', { head_dim: 15 }, /head_dim/],
    ['rotations that are no object', { rope_parameters: [1] }, /rope_parameters: expected an object/],
  ])('refuse %s', (_, settings, message) => {
    expect(() => ropeOf(settings)).toThrow(message)
  })
})
