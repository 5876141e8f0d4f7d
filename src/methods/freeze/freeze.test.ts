import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ofType, TINY, tinyBatches, tinyModel, trainTiny } from '../../../test/training/tiny-model.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type FreezeOptions, freezeExcept } from './freeze.ts'

let model: Decoder
beforeEach(() => {
  model = tinyModel({ ...TINY, num_hidden_layers: 4 })
})
afterEach(() => model.free())

const trainedBy = (options: FreezeOptions): string[] => {
  freezeExcept(model, options)
  return [...model.parameters()].flatMap(([name, { requiresGrad }]) => (requiresGrad ? [name] : []))
}
const layersOf = (names: readonly string[]): number[] => [
  ...new Set(names.map((name) => Number(/layers\.(\d+)/.exec(name)?.[1] ?? -1))),
]

describe('freezeExcept', () => {
  it('trains the last layers, or the first ones, whole', () => {
    expect(layersOf(trainedBy({}))).toEqual([2, 3])
    expect(layersOf(trainedBy({ layers: 1 }))).toEqual([3])
    expect(layersOf(trainedBy({ layers: -3 }))).toEqual([0, 1, 2])
    // Per block: q, k, v, o, gate, up, down and two norms.
    expect(trainedBy({ layers: 1 })).toHaveLength(9)
  })

  it('is full tuning of the blocks when it trains all of them', () => {
    const all = [...model.parameters()].map(([name]) => name)
    expect(trainedBy({ layers: 99, extraModules: ['embed_tokens', 'norm'] })).toEqual(all)
  })

  it('trains chosen modules, and others outside of the blocks', () => {
    expect(trainedBy({ layers: 1, modules: ['self_attn'] })).toEqual(
      ['q', 'k', 'v', 'o'].map((letter) => `model.layers.3.self_attn.${letter}_proj.weight`),
    )
    expect(trainedBy({ layers: -1, modules: ['q_proj', 'input_layernorm'], extraModules: ['norm'] })).toEqual([
      'model.layers.0.self_attn.q_proj.weight',
      'model.layers.0.input_layernorm.weight',
      'model.norm.weight',
    ])
  })

  it('counts what it trains', () => {
    // q and o 32·32 each, k and v 32·16 each, three matrices 32·64, two norms of 32.
    expect(freezeExcept(model, { layers: 1 })).toEqual({
      pass: 'freeze',
      options: { layers: 1, modules: ['all'], extraModules: [] },
      report: { trainable_parameters: 2 * 1024 + 2 * 512 + 3 * 2048 + 2 * 32 },
    })
  })

  it.each([false, true])(
    'learns with those layers and leaves the others as they were (checkpointing %s)',
    async (on) => {
      model.gradientCheckpointing = on
      const trained = new Set(trainedBy({ layers: 2 }))
      const before = new Map([...model.parameters()].map(([name, tensor]) => [name, tensor.toArray()]))
      const events = await trainTiny(model, tinyBatches(4), { steps: 60, learningRate: 1e-2 })
      const losses = ofType(events, 'step-done').map(({ metrics }) => metrics.loss)
      expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3)
      for (const [name, tensor] of model.parameters()) {
        const isSame = JSON.stringify(tensor.toArray()) === JSON.stringify(before.get(name))
        expect(isSame, name).toBe(!trained.has(name))
      }
    },
  )

  it.each<[FreezeOptions, string]>([
    [{ layers: 0 }, 'layers: expected a whole number other than 0, got 0'],
    [{ layers: 1.5 }, 'layers: expected a whole number other than 0, got 1.5'],
    [
      { modules: ['attn'] },
      'modules: expected one of all, self_attn, q_proj, k_proj, v_proj, o_proj, mlp, gate_proj, up_proj, down_proj, input_layernorm, post_attention_layernorm, got attn',
    ],
    [{ extraModules: ['lm_head'] }, 'extraModules: expected one of embed_tokens, norm, got lm_head'],
  ])('refuses %j and changes nothing', (options, message) => {
    expect(() => freezeExcept(model, options)).toThrow(message)
    expect([...model.parameters()].every(([, { requiresGrad }]) => requiresGrad)).toBe(true)
  })
})
