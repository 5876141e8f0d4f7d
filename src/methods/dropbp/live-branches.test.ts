import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Decoder } from '../../model/decoder.ts'
import { branchFlops } from '../../probe/flops.ts'
import { isGradEnabled } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { train } from '../../train/train.ts'
import { dropbp } from './dropbp.ts'
import { liveBranches } from './live-branches.ts'

const load = (name = 'llama', trained: RegExp = /(?:)/): Decoder => {
  const model = loadDecoder(`test/fixtures/models/${name}`)
  for (const [path, parameter] of model.parameters()) parameter.requiresGrad = trained.test(path)
  return model
}
const live = (model: Decoder): string[] =>
  liveBranches(model, branchFlops(model.config, 16)).map(({ block, kind }) => `${kind} ${block}`)

describe('liveBranches', () => {
  it.each<[string, string, RegExp, string[]]>([
    ['everything', 'llama', /(?:)/, ['attention 0', 'mlp 0', 'attention 1', 'mlp 1', 'attention 2', 'mlp 2']],
    ['the last layer', 'llama', /layers\.2\./, ['attention 2', 'mlp 2']],
    ['an MLP in the middle', 'llama', /layers\.1\.mlp/, ['mlp 1', 'attention 2', 'mlp 2']],
    ['the norm before an MLP', 'llama', /layers\.1\.post_attention_layernorm/, ['mlp 1', 'attention 2', 'mlp 2']],
    [
      'the norm after attention',
      'gemma2',
      /layers\.1\.post_attention_layernorm/,
      ['attention 1', 'mlp 1', 'attention 2', 'mlp 2'],
    ],
    ['an MLP beside attention', 'gpt-neox', /layers\.0\.self_attn/, ['attention 0', 'attention 1', 'mlp 1']],
    ['the embedding', 'llama', /embed/, ['attention 0', 'mlp 0', 'attention 1', 'mlp 1', 'attention 2', 'mlp 2']],
    ['what comes last', 'llama', /model\.norm|lm_head/, []],
  ])('are those at and above %s', (_, name, trained, expected) => {
    const model = load(name, trained)
    const found = live(model)
    const layers = model.config.layers.length
    expect(found).toEqual(expected.filter((branch) => Number(branch.split(' ')[1]) < layers))
    model.free()
  })

  it('are exactly the branches whose output takes part in the backward pass', () => {
    for (const name of ['llama', 'gemma2', 'gpt-neox', 'olmo2', 'gpt2'])
      for (const part of ['layers.1.self_attn', 'layers.1.mlp', 'layers.1.post_attention_layernorm']) {
        const model = load(name, new RegExp(part.replaceAll('.', '\\.')))
        if (![...model.parameters()].some(([, { requiresGrad }]) => requiresGrad)) continue
        const seen: string[] = []
        for (const [block, layer] of model.model.layers.entries())
          for (const branch of [layer.attention, layer.feedForward])
            branch.rules.push((x, next) => {
              const y = next(x)
              if (y?.requiresGrad) seen.push(`${branch.kind} ${block}`)
              return y
            })
        const inputIds = Int32Array.from({ length: 8 }, (_, i) => 3 + i)
        languageModeling().forward(model, { rows: 1, length: 8, inputIds, labels: inputIds })
        expect([name, part, live(model)]).toEqual([name, part, seen])
        model.free()
      }
  })

  it('alone are dropped: the budget is spent where there is something to save', async () => {
    const model = load('smollm3', /layers\.[23]\./) // the last two of four
    const rule = dropbp({ rate: 0.5, allocation: 'uniform', sequenceLength: 16 })(model)
    expect(rule.branches.map(({ path }) => path)).toEqual([
      'model.layers.2.self_attn',
      'model.layers.2.mlp',
      'model.layers.3.self_attn',
      'model.layers.3.mlp',
    ])
    let [dropped, all] = [0, 0]
    for (const { block, kind, flops } of rule.branches) {
      const layer = model.model.layers[block]!
      const branch = kind === 'attention' ? layer.attention : layer.feedForward
      branch.rules.push((x, next) => {
        all += flops
        if (!isGradEnabled()) dropped += flops
        return next(x)
      })
    }
    const inputIds = Int32Array.from({ length: 16 }, (_, i) => 3 + i)
    const source = { batchesPerEpoch: 4, at: () => ({ rows: 1, length: 16, inputIds, labels: inputIds }) }
    const fractions: number[] = []
    for await (const event of train(model, source, languageModeling(), {
      steps: 40,
      learningRate: 1e-4,
      rules: [rule],
    }))
      if (event.type === 'step-done') fractions.push(event.metrics['dropbp/flop_fraction']!)
    expect(dropped / all).toBeCloseTo(fractions.reduce((a, b) => a + b) / 40, 12)
    expect(Math.abs(dropped / all - 0.5)).toBeLessThan(0.1)
    model.free()
  })

  it('are settled before the rule is made, or it says so', async () => {
    const model = load('llama', /layers\.2\./)
    const rule = dropbp({ rate: 0.5 })(model)
    model.trainable()
    const inputIds = Int32Array.from({ length: 8 }, (_, i) => 3 + i)
    const source = { batchesPerEpoch: 1, at: () => ({ rows: 1, length: 8, inputIds, labels: inputIds }) }
    const run = async (): Promise<void> => {
      for await (const _ of train(model, source, languageModeling(), { steps: 1, learningRate: 1e-4, rules: [rule] }));
    }
    await expect(run()).rejects.toThrow('Make the rule after adapters are added and layers are frozen')
    expect(() => dropbp({ rate: 0.5 })(load('llama', /model\.norm/))).toThrow('there is no backward pass to drop')
    model.free()
  })
})
