import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { randomBatches } from '../../../test/random-batches.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { writeModelConfig } from '../../model/config-write.ts'
import { Decoder } from '../../model/decoder.ts'
import { Layer } from '../../nn/layer.ts'
import type { LinearLike } from '../../nn/linear.ts'
import { memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import type { Tell, Watch } from '../../work.ts'
import { channelsOf, groupSets } from './groups.ts'
import { IMPORTANCES, type PruneOptions } from './options.ts'
import { prune } from './prune.ts'
import { describeWeights, keepGroups } from './remove-groups.ts'

const scratch = mkdtempSync(join(tmpdir(), 'anneal-prune-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const load = (name: string): Decoder => loadDecoder(`test/fixtures/models/${name}`)
const weights = (model: Decoder): Record<string, number[]> =>
  Object.fromEntries([...model.parameters()].map(([path, tensor]) => [path, tensor.toArray()]))
const logits = (model: Decoder): number[] =>
  noGrad(() => scope(() => model.forward(decoderInput(randomBatches(model, 1)[0]!, model.device)).toArray()))

/** Options that suit the tiny fixtures. */
const small: Omit<PruneOptions, 'ratio'> = { align: 8 }
const run = (model: Decoder, options: PruneOptions, watch?: Watch): ReturnType<typeof prune> =>
  prune(model, randomBatches(model, 2), { ...small, ...options }, watch)

/** Families whose heads can go; OLMo 2 norms its heads together. */
const FAMILIES = ['llama', 'llama-biases', 'qwen2', 'qwen3', 'gpt2', 'gemma2', 'gemma3', 'phi3', 'gpt-neox', 'smollm3']

describe('prune', () => {
  it.each(IMPORTANCES)('is the identity at ratio 0, with %s', async (importance) => {
    const model = load('llama')
    const before = { weights: weights(model), config: model.config }
    const { report } = await run(model, { ratio: 0, importance })
    expect(weights(model)).toEqual(before.weights)
    expect(model.config).toBe(before.config)
    expect(report).toMatchObject({ removed_of_model: 0, removed_of_blocks: 0, compensated: [], is_standard: true })
  })

  it.each([...FAMILIES, 'olmo2'])('gives the logits of the model with zeroed groups, for %s', (name) => {
    const [masked, pruned] = [load(name), load(name)]
    const kinds = name === 'olmo2' ? (['mlp'] as const) : (['mlp', 'heads'] as const)
    const layers = masked.config.layers.length
    const sets = groupSets(pruned, kinds, 0, layers)
    // Other groups in every layer, so that sizes differ.
    const keptOf = (count: number, layer: number): number[] =>
      Array.from({ length: count }, (_, i) => i).filter((i) => i % 3 !== 0 || i === layer)
    for (const [i, set] of groupSets(masked, kinds, 0, layers).entries()) {
      const kept = new Set(keptOf(set.count, set.layer))
      const gone = Array.from({ length: set.count }, (_, group) => group).filter((group) => !kept.has(group))
      for (const member of set.members) {
        const index = Tensor.from(channelsOf(member, gone), undefined, 'i64')
        if (member.side === 'rows' && member.linear.bias !== null)
          ops.indexCopy_(member.linear.bias, 0, index, ops.zeros([index.numel]))
        const { weight } = member.linear
        const shape = member.side === 'rows' ? [index.numel, weight.size(1)] : [weight.size(0), index.numel]
        ops.indexCopy_(weight, member.side === 'rows' ? 0 : 1, index, ops.zeros(shape))
      }
      keepGroups(sets[i]!, [...kept])
    }
    describeWeights(pruned)
    expect(logits(pruned)).toBeAllclose(logits(masked), { absolute: 1e-5, relative: 0 })
    // The description is true: what is saved loads again and says the same.
    const directory = mkdtempSync(join(scratch, name))
    saveDecoder(pruned, directory)
    expect(logits(loadDecoder(directory))).toBeAllclose(logits(pruned), { absolute: 1e-6, relative: 0 })
  })

  it.each([
    ['llama', 'aligned', ['mlp', 'heads'], true],
    ['llama', 'per-layer', ['mlp', 'heads'], false],
    ['llama-biases', 'aligned', ['mlp', 'heads'], true],
    ['qwen2', 'aligned', [], true],
    ['qwen2', 'per-layer', ['mlp', 'heads'], false],
    ['qwen3', 'aligned', ['heads'], true],
    ['gemma2', 'aligned', ['heads'], true],
    ['gemma2', 'per-layer', ['mlp', 'heads'], false],
    ['gpt2', 'per-layer', ['mlp', 'heads'], false],
  ] as const)('loads again with compensation: %s, %s', async (name, layout, compensated, is_standard) => {
    const model = load(name)
    const { report } = await run(model, { ratio: 0.5, importance: 'flap', layout, protectFirst: 0, protectLast: 0 })
    expect(report).toMatchObject({ is_standard })
    expect(report.compensated.sort()).toEqual([...compensated].sort())
    const directory = mkdtempSync(join(scratch, name))
    saveDecoder(model, directory)
    expect(logits(loadDecoder(directory))).toBeAllclose(logits(model), { absolute: 1e-6, relative: 0 })
  })

  it('changes four keys of config.json in the aligned layout', async () => {
    const model = load('llama')
    const before = writeModelConfig(model.config)
    await run(model, { ratio: 0.5 })
    const after = writeModelConfig(model.config)
    const changed = Object.keys(after).filter((key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]))
    expect(changed.sort()).toEqual(['intermediate_size', 'num_attention_heads', 'num_key_value_heads'])
    expect(after).toMatchObject({ intermediate_size: 88, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 16 })
  })

  it('keeps numbers of heads that divide the hidden size in the aligned layout', async () => {
    // GPT-like counts: 64 / (4 heads · 1) leaves 4, 2, 1; neurons make up for the heads.
    const model = load('phi3')
    const { report } = await run(model, { ratio: 0.3 })
    for (const { after } of report.layers) expect(64 % after.num_attention_heads!).toBe(0)
    expect(report.removed_of_blocks).toBeCloseTo(0.3, 1)
  })

  it.each(['taylor-element', 'taylor-mixed', 'flap', 'l2'] as const)(
    'removes the share that was asked for, with %s',
    async (importance) => {
      for (const [ratio, scope] of [
        [0.2, 'local'],
        [0.5, 'global'],
      ] as const) {
        const model = load('llama')
        const layout = { layout: 'per-layer', align: 1, compensate: false } as const
        const { report } = await run(model, { ratio, scope, importance, ...layout })
        const left = [...model.parameters()].reduce((sum, [, { numel }]) => sum + numel, 0)
        expect(report.parameters_after).toBe(left)
        // Half a neuron of each layer, or half a head, of 138,000 parameters.
        expect(Math.abs(report.removed_of_blocks - ratio)).toBeLessThan(0.03)
      }
    },
  )

  it('counts the ratio of blocks, of the model, or of the groups to choose from', async () => {
    const removed = async (
      ratioOf: 'blocks' | 'model' | 'groups',
      targets: PruneOptions['targets'],
    ): Promise<number> => {
      const model = load('llama')
      const { report } = await run(model, { ratio: 0.25, ratioOf, targets: targets!, align: 1, importance: 'l2' })
      return report.parameters_before - report.parameters_after
    }
    const blocks = 3 * (3 * 64 * 176 + 2 * 64 * 64 + 2 * 64 * 32 + 2 * 64)
    const neuron = 3 * 64 * 3
    const near = (value: number, wanted: number): void => expect(Math.abs(value - wanted)).toBeLessThan(neuron)
    near(await removed('blocks', ['mlp']), 0.25 * blocks)
    near(await removed('model', ['mlp']), 0.25 * (blocks + 2 * 320 * 64 + 64))
    near(await removed('groups', ['mlp']), 0.25 * 3 * 3 * 64 * 176)
    near(await removed('blocks', ['mlp', 'heads']), 0.25 * blocks)
  })

  it('leaves the mean output of every compensated matrix as it was on the calibration text', async () => {
    const model = load('qwen2')
    const source = randomBatches(model, 2)
    const paths = [0, 1, 2].flatMap((i) => [`model.layers.${i}.self_attn.o_proj`, `model.layers.${i}.mlp.down_proj`])
    const entering = collectInputs(model, paths, source)
    const before = paths.map((path) => meanOutput(model, path, entering.get(path)!))
    const sets = groupSets(model, ['mlp', 'heads'], 0, 3)
    const rows = new Map(
      sets.map((set) => [set.members.at(-1)!.path, weightColumns(set.members.at(-1)!.linear.weight)]),
    )
    await prune(model, source, { ratio: 0.5, importance: 'flap', layout: 'per-layer', protectFirst: 0, protectLast: 0 })
    for (const [i, path] of paths.entries()) {
      // Which inputs are left follows from the columns, which are all different.
      const left = weightColumns((model.get(path) as LinearLike).dense())
      const index = left.map((column) => rows.get(path)!.indexOf(column))
      expect(index.length).toBeLessThan(rows.get(path)!.length)
      const kept = entering.get(path)!.indexSelect(1, Tensor.from(index, undefined, 'i64'))
      expect(meanOutput(model, path, kept)).toBeAllclose(before[i]!, { absolute: 1e-6 })
    }
  })

  it('leaves protected layers whole', async () => {
    const model = load('smollm3')
    const { report } = await run(model, { ratio: 0.3, layout: 'per-layer', protectFirst: 1, protectLast: 1, align: 1 })
    expect(report.layers.map(({ before, after }) => JSON.stringify(before) === JSON.stringify(after))).toEqual([
      true,
      false,
      false,
      true,
    ])
  })

  it('passes by branches that are missing', async () => {
    const whole = load('llama')
    const layers = whole.config.layers.map((layer, i) => ({
      attention: i === 1 ? null : layer.attention,
      mlp: i === 2 ? null : layer.mlp,
    }))
    const weightAt = new Map(whole.parameters())
    const model = new Decoder({ ...whole.config, layers }, ({ path }) => weightAt.get(path)!)
    const { report } = await run(model, { ratio: 0.3, layout: 'per-layer', importance: 'flap' })
    expect(report.layers[1]!.after.num_attention_heads).toBeNull()
    expect(report.layers[2]!.after.intermediate_size).toBeNull()
    expect(report.removed_of_blocks).toBeCloseTo(0.3, 1)
    const directory = mkdtempSync(join(scratch, 'missing'))
    saveDecoder(model, directory)
    expect(logits(loadDecoder(directory))).toBeAllclose(logits(model), { absolute: 1e-6, relative: 0 })
  })

  it('reaches the same sizes in several rounds, with other groups', async () => {
    const [once, twice] = [load('llama'), load('llama')]
    const options = { ratio: 0.5, importance: 'flap', layout: 'per-layer', align: 1 } as const
    await run(once, options)
    await run(twice, { ...options, steps: 3 })
    expect(twice.config.layers).toEqual(once.config.layers)
    expect(logits(twice)).not.toEqual(logits(once))
  })

  it('gives the same model however many layers share a pass', async () => {
    const [whole, pieces] = [load('llama'), load('llama')]
    const calls: number[] = []
    await run(whole, { ratio: 0.5, importance: 'taylor-mixed' })
    const tell: Tell = (event) => {
      if (event.type === 'progress') calls.push(event.done / event.total!)
    }
    await run(pieces, { ratio: 0.5, importance: 'taylor-mixed', maxGradientBytes: 0 }, { tell })
    expect(weights(pieces)).toEqual(weights(whole))
    expect(calls).toEqual([0, 1, 2, 3, 4, 5, 6].map((done) => done / 6))
  })

  it('leaves no tensor behind', async () => {
    const live = async (importance: PruneOptions['importance']): Promise<number> => {
      const model = scope(() => load('llama'))
      logits(model) // makes the rotary tables, which stay
      const before = memoryStats().liveTensors
      await run(model, { ratio: 0.5, importance: importance!, compensate: false })
      return memoryStats().liveTensors - before
    }
    for (const importance of IMPORTANCES) expect([importance, await live(importance)]).toEqual([importance, 0])
  })

  it.each<[string, string, PruneOptions, RegExp]>([
    ['a ratio of 1', 'llama', { ratio: 1 }, /ratio: expected a share from 0 to below 1, got 1/],
    ['a ratio that is no number', 'llama', { ratio: Number.NaN }, /ratio: expected a share/],
    [
      'more than the groups hold',
      'llama',
      { ratio: 0.9, targets: ['heads'] },
      /ratio: expected below 0\.2\d\d.*got 0\.9/,
    ],
    [
      'an empty MLP',
      'llama',
      { ratio: 0.998, ratioOf: 'groups', targets: ['mlp'], align: 1 },
      /empties the mlp of layer 0/,
    ],
    ['a ratio that rounds to nothing', 'llama', { ratio: 0.01, align: 64 }, /rounds to nothing/],
    ['protection in the aligned layout', 'llama', { ratio: 0.2, protectFirst: 1 }, /protected layers.*per-layer/],
    ['global competition in the aligned layout', 'llama', { ratio: 0.2, scope: 'global' }, /scope.*per-layer/],
    ['heads of OLMo 2', 'olmo2', { ratio: 0.2 }, /prune heads: .*olmo2, which norms all queries together/],
    ['heads of GPT-2 in the aligned layout', 'gpt2', { ratio: 0.2 }, /prune heads: .*head_dim.*per-layer/],
    ['no layer left', 'llama', { ratio: 0.2, layout: 'per-layer', protectFirst: 3 }, /fewer than the model's 3 layers/],
  ])('refuses %s and changes nothing', async (_, name, options, message) => {
    const model = load(name)
    const before = weights(model)
    await expect(run(model, options)).rejects.toThrow(message)
    expect(weights(model)).toEqual(before)
  })

  it('needs data where it looks at data', async () => {
    const without = (options: PruneOptions): ReturnType<typeof prune> => prune(load('llama'), [], options)
    await expect(without({ ratio: 0.5, importance: 'flap' })).rejects.toThrow(/calibration data for flap/)
    await expect(without({ ratio: 0.5, align: 8 })).rejects.toThrow(/calibration data for taylor-element/)
    const { report } = await without({ ratio: 0.5, importance: 'l2', align: 8 })
    expect(report.removed_of_blocks).toBeCloseTo(0.5, 1)
  })

  it.each(['taylor-mixed', 'flap'] as const)(
    'is stopped between two batches, and the model is as it was (%s)',
    async (importance) => {
      const model = scope(() => load('llama'))
      const before = weights(model)
      logits(model) // makes the rotary tables, which stay
      const { liveTensors } = memoryStats()
      const controller = new AbortController()
      const tell: Tell = (event) => {
        if (event.type === 'progress' && event.done === 1) controller.abort(new Error('enough'))
      }
      const options = { ratio: 0.5, importance, layout: 'per-layer' } as const
      await expect(run(model, options, { tell, signal: controller.signal })).rejects.toThrow('enough')
      expect(weights(model)).toEqual(before)
      expect(memoryStats().liveTensors).toBeLessThanOrEqual(liveTensors)
      for (const [, layer] of model.walk()) expect(layer.constructor.name).not.toBe('ObservedLinear')
    },
  )

  it('does not take apart what is not a plain matrix', async () => {
    const model = load('llama')
    model.replace('model.layers.1.mlp.up_proj', new Wrapped(model.get('model.layers.1.mlp.up_proj') as LinearLike))
    await expect(run(model, { ratio: 0.5 })).rejects.toThrow(
      /model\.layers\.1\.mlp\.up_proj: expected a plain matrix, got a Wrapped/,
    )
  })
})

class Wrapped extends Layer implements LinearLike {
  readonly inner: LinearLike
  /** Inputs so far, [tokens, inFeatures]. */
  readonly seen: Tensor[] = []

  constructor(inner: LinearLike) {
    super()
    this.inner = inner
  }
  get inFeatures(): number {
    return this.inner.inFeatures
  }
  get outFeatures(): number {
    return this.inner.outFeatures
  }
  get bias(): Tensor | null {
    return this.inner.bias
  }
  forward(x: Tensor): Tensor {
    this.seen.push(x.reshape(-1, this.inFeatures).clone().keep())
    return this.inner.forward(x)
  }
  dense(): Tensor {
    return this.inner.dense()
  }
}

/** Everything that enters these matrices. */
function collectInputs(
  model: Decoder,
  paths: readonly string[],
  source: ReturnType<typeof randomBatches>,
): Map<string, Tensor> {
  const wrapped = paths.map((path) => [path, new Wrapped(model.get(path) as LinearLike)] as const)
  for (const [path, layer] of wrapped) model.replace(path, layer)
  for (const batch of source) noGrad(() => scope(() => void model.hidden(decoderInput(batch, model.device))))
  for (const [path, { inner }] of wrapped) model.replace(path, inner)
  return new Map(wrapped.map(([path, { seen }]) => [path, ops.cat(seen)]))
}

function meanOutput(model: Decoder, path: string, inputs: Tensor): number[] {
  return noGrad(() => (model.get(path) as LinearLike).forward(inputs).to('f64').mean(0).toArray())
}

/** Each column as text. */
function weightColumns(weight: Tensor): string[] {
  const [rows = 0, columns = 0] = weight.shape
  const values = weight.toArray()
  return Array.from({ length: columns }, (_, j) =>
    Array.from({ length: rows }, (_, i) => values[i * columns + j]).join(),
  )
}
