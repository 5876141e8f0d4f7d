import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UsageError } from '../errors.ts'
import { memoryStats } from '../torch/index.ts'
import { hiddenStates } from './hidden-states.ts'

const FIXTURES = new URL('../../test/fixtures/', import.meta.url)
interface Golden {
  ids: number[]
  models: Record<string, Record<'last' | 'mean', number[][]>>
}
const golden: Golden = JSON.parse(readFileSync(new URL('infer/hidden-states.json', FIXTURES), 'utf8'))

const farthest = (found: Float32Array, expected: readonly number[]): number =>
  Math.max(...expected.map((value, i) => Math.abs(found[i]! - value)))

describe('hiddenStates', () => {
  it.each(Object.keys(golden.models))('gives those of Transformers, layer by layer: %s', (name) => {
    const model = loadDecoder(new URL(`models/${name}`, FIXTURES).pathname)
    for (const pooling of ['last', 'mean'] as const) {
      const layers = golden.models[name]![pooling]
      expect(layers).toHaveLength(model.model.layers.length + 1)
      for (const [layer, expected] of layers.entries()) {
        const found = hiddenStates(model, golden.ids, { layer, pooling })
        expect(found).toHaveLength(model.config.hiddenSize)
        expect(farthest(found, expected), `${pooling} of layer ${layer}`).toBeLessThan(1e-4)
      }
      // Without a layer, the last one's.
      expect(hiddenStates(model, golden.ids, { pooling })).toEqual(
        hiddenStates(model, golden.ids, { layer: layers.length - 1, pooling }),
      )
    }
    model.free()
  })

  it('gives every token its vector, leaves out what it is told to, and leaves no tensor alive', () => {
    const model = loadDecoder(new URL('models/llama', FIXTURES).pathname)
    const width = model.config.hiddenSize
    hiddenStates(model, golden.ids) // makes the model's tables
    const { liveTensors } = memoryStats()
    const all = hiddenStates(model, golden.ids, { pooling: 'none' })
    expect(all).toHaveLength(golden.ids.length * width)
    expect(all.subarray(-width)).toEqual(hiddenStates(model, golden.ids))
    expect(hiddenStates(model, golden.ids, { pooling: 'none' }, 2)).toEqual(all.subarray(2 * width))
    const unit = hiddenStates(model, golden.ids, { layer: 1, normalize: true })
    expect(Math.hypot(...unit)).toBeCloseTo(1, 6)
    for (const layer of [-1, 99, 0.5]) expect(() => hiddenStates(model, golden.ids, { layer })).toThrow(UsageError)
    expect(() => hiddenStates(model, golden.ids, { pooling: 'first' as never })).toThrow(
      'pooling: expected last, mean or none',
    )
    expect(memoryStats().liveTensors).toBe(liveTensors)
    model.free()
  })
})
