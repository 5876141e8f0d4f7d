import { describe, expect, it } from 'vitest'
import { randomBatches } from '../../../test/random-batches.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { noGrad, scope } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { Count } from '../../work.ts'
import { featureStatistics } from './feature-statistics.ts'
import { channelsOf, groupSets } from './groups.ts'
import { keepGroups } from './remove-groups.ts'

describe('featureStatistics', () => {
  it('gives the mean of every feature and its mean squared distance from it, not from 0', async () => {
    const model = loadDecoder('test/fixtures/models/llama')
    const batches = randomBatches(model, 2)
    const path = 'model.layers.0.self_attn.q_proj'
    const count = new Count(undefined, { label: 'scoring', unit: 'batches', total: 2 })
    const { mean, variance } = (await featureStatistics(model, [path], batches, count)).get(path)!
    const rows = batches.flatMap((batch) =>
      noGrad(() =>
        scope(() => {
          const { states } = model.enter(decoderInput(batch, 'cpu'))
          const flat = model.model.layers[0]!.input_layernorm!.forward(states).view(-1, 64).toArray()
          return Array.from({ length: flat.length / 64 }, (_, i) => flat.slice(64 * i, 64 * (i + 1)))
        }),
      ),
    )
    const means = rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length)
    expect(Math.max(...means.map(Math.abs))).toBeGreaterThan(0.1) // so that the two differ
    expect(mean.toArray()).toBeAllclose(means, { absolute: 1e-9 })
    expect(variance.toArray()).toBeAllclose(
      means.map((m, j) => rows.reduce((sum, row) => sum + (row[j]! - m) ** 2, 0) / rows.length),
      { absolute: 1e-9 },
    )
    for (const tensor of [mean, variance]) tensor.free()
    model.free()
  })
})

describe('groupSets', () => {
  it.each(['llama', 'llama-biases', 'gpt2'])('count what goes with a group, biases of rows included, in %s', (name) => {
    const model = loadDecoder(`test/fixtures/models/${name}`)
    const parameters = (): number => [...model.parameters()].reduce((sum, [, { numel }]) => sum + numel, 0)
    for (const set of groupSets(model, ['mlp', 'heads'], 0, 1)) {
      const before = parameters()
      keepGroups(
        set,
        Array.from({ length: set.count - 1 }, (_, i) => i + 1),
      )
      expect([set.kind, before - parameters()]).toEqual([set.kind, set.cost])
      expect(channelsOf(set.members[0]!, [1])[0]).toBe(set.members[0]!.channels)
    }
    model.free()
  })
})
