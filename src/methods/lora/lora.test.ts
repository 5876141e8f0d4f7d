import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Batch, BatchSource } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Embedding } from '../../nn/embedding.ts'
import type { Linear } from '../../nn/linear.ts'
import { backward, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { crossEntropy, languageModeling } from '../../train/objective.ts'
import { type TrainOptions, train } from '../../train/train.ts'
import { addLora, type LoraOptions, loraLayers, loraPlus, setAdapters, withoutAdapter } from './lora.ts'
import { LoraLinear } from './lora-linear.ts'

const MODELS = join(import.meta.dirname, '../../../test/fixtures/models')
const load = (name = 'llama'): Decoder => loadDecoder(join(MODELS, name))
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 120)
const batch: Batch = { rows: 2, length: 12, inputIds: ids, labels: ids }
const source: BatchSource = { batchesPerEpoch: 1, at: () => batch }

const logits = (model: Decoder): number[] =>
  scope(() => noGrad(() => model.forward({ inputIds: Tensor.from(ids, [2, 12]).to('i64') }).toArray()))
const targets = (model: Decoder): string[] => [...loraLayers(model)].map(([path]) => path)
const ends = (model: Decoder): string[] => [...new Set(targets(model).map((path) => path.split('.').at(-1)!))]

/** Random values in place of the zeros of B. */
function perturb(model: Decoder, seed = 1, name = 'default'): void {
  const generator = new Generator(seed)
  for (const [, { adapters }] of loraLayers(model))
    noGrad(() => ops.normal_(adapters.get(name)!.B.detach(), 0, 0.05, generator))
}

async function losses(model: Decoder, steps: number, options: Partial<TrainOptions<Batch>> = {}): Promise<number[]> {
  const found: number[] = []
  for await (const event of train(model, source, languageModeling(), { steps, learningRate: 1e-2, ...options }))
    if (event.type === 'step-done') found.push(event.metrics.loss)
  return found
}

/** Gradients of one forward and backward pass, by path. */
function gradientsOf(model: Decoder): Map<string, number[]> {
  scope(() => backward(languageModeling().forward(model, batch).loss))
  return new Map(
    [...model.parameters()].flatMap(([path, tensor]) => {
      const gradient = tensor.grad?.toArray()
      tensor.grad = null
      return gradient === undefined ? [] : [[path, gradient]]
    }),
  )
}

describe('addLora', () => {
  it.each([{}, { useDora: true }, { useRslora: true }, { targetModules: ['lm_head', 'all-linear'] }])(
    'changes nothing before training, with %j',
    (options) => {
      const model = load()
      const before = logits(model)
      addLora(model, options)
      // DoRA divides each row by its norm and multiplies by the same number.
      if ('useDora' in options) expect(logits(model)).toBeAllclose(before, { absolute: 1e-5 })
      else expect(logits(model)).toEqual(before)
    },
  )

  it('takes every matrix of the blocks unless told otherwise', () => {
    const model = load()
    addLora(model)
    expect(targets(model)).toHaveLength(7 * model.config.layers.length)
    expect(ends(model)).not.toContain('lm_head')
  })

  it.each<[LoraOptions, string[]]>([
    [{ targetModules: ['q_proj', 'v_proj'] }, ['q_proj', 'v_proj']],
    [
      { targetModules: 'all-linear', excludeModules: ['self_attn.o_proj', 'down_proj'] },
      ['q_proj', 'k_proj', 'v_proj', 'gate_proj', 'up_proj'],
    ],
    [{ targetModules: ['lm_head'] }, ['lm_head']],
    [{ targetModules: '.*\\.(up|down)_proj' }, ['up_proj', 'down_proj']],
    [{ targetModules: 'model\\.layers\\.2\\..*', excludeModules: '.*mlp.*' }, ['q_proj', 'k_proj', 'v_proj', 'o_proj']],
  ])('with %j goes on %j', (options, expected) => {
    const model = load()
    addLora(model, options)
    expect(ends(model)).toEqual(expected)
  })

  it('knows modules by the names of the family that fuses them', () => {
    const model = load('gpt2')
    addLora(model, { targetModules: ['c_attn'] })
    expect(ends(model)).toEqual(['q_proj', 'k_proj', 'v_proj'])
  })

  it('adapts a tied head without touching the embedding', () => {
    const model = load('llama31-tied')
    addLora(model, { targetModules: ['lm_head'] })
    perturb(model)
    const head = model.lm_head as LoraLinear
    expect(head).toBeInstanceOf(LoraLinear)
    expect((head.base_layer as Linear).weight).toBe((model.model.embed_tokens as Embedding).weight)
    expect(head.dense().toArray()).not.toEqual(model.model.embed_tokens.dense().toArray())
    const plain = load('llama31-tied')
    const input = { inputIds: Tensor.from(ids, [2, 12]).to('i64') }
    expect(noGrad(() => model.hidden(input)).toArray()).toEqual(noGrad(() => plain.hidden(input)).toArray())
  })

  it('freezes the model and trains the adapter, in f32', () => {
    const model = loadDecoder(join(MODELS, 'llama'), { dtype: 'bf16' })
    model.trainable()
    const { pass, options, report } = addLora(model, { r: 4, useDora: true, targetModules: ['q_proj'] })
    const trained = [...model.parameters()].filter(([, { requiresGrad }]) => requiresGrad)
    expect(
      trained.every(
        ([path, { dtype }]) => /lora_(A|B|magnitude_vector)\.default\.weight$/.test(path) && dtype === 'f32',
      ),
    ).toBe(true)
    const layers = model.config.layers.length
    expect([pass, report.modules, report.trainable_parameters]).toEqual([
      'dora',
      layers,
      layers * (4 * 64 + 64 * 4 + 64),
    ])
    expect(options).toMatchObject({ r: 4, loraAlpha: 8, useDora: true, adapterName: 'default' })
  })

  it('draws A uniformly up to 1/√in from its seed and leaves B at zero', () => {
    const values = (seed: number): number[] => {
      const model = load()
      addLora(model, { r: 64, seed, targetModules: ['layers.0.mlp.up_proj'] })
      const { A, B } = [...loraLayers(model)][0]![1].adapters.get('default')!
      expect(B.abs().max().item()).toBe(0)
      return A.toArray()
    }
    const first = values(1)
    expect(values(1)).toEqual(first)
    expect(values(2)).not.toEqual(first)
    const largest = Math.max(...first.map(Math.abs))
    expect(largest).toBeLessThan(1 / 8)
    expect(largest).toBeGreaterThan(0.99 / 8)
    expect(Math.sqrt(first.reduce((sum, value) => sum + value ** 2, 0) / first.length)).toBeCloseTo(
      1 / 8 / Math.sqrt(3),
      3,
    )
  })

  it.each<[LoraOptions, RegExp]>([
    [{ r: 0 }, /^r: expected an integer of at least 1, got 0$/],
    [{ r: 1.5 }, /got 1\.5/],
    [{ loraAlpha: 0 }, /^loraAlpha: expected a number above 0/],
    [{ loraDropout: 1 }, /^loraDropout: expected a rate/],
    [{ seed: -1 }, /^seed/],
    [
      { targetModules: ['q_proj', 'query'] },
      /^targetModules: expected names of linear modules \(q_proj, .*lm_head\), got query$/,
    ],
    [{ targetModules: ['embed_tokens'] }, /got embed_tokens$/],
    [{ targetModules: [] }, /expected at least one module/],
    [{ targetModules: '(' }, /regular expression/],
    [{ excludeModules: ['lm_haed'] }, /^excludeModules/],
    [{ targetModules: ['q_proj'], excludeModules: ['q_proj'] }, /at least one module, got none/],
    [{ adapterName: 'a.b' }, /^adapter name: expected a word/],
    [{ adapterName: 'constructor' }, /^adapter name/],
  ])('refuses %j and leaves the model alone', (options, message) => {
    const model = load()
    expect(() => addLora(model, options)).toThrow(UsageError)
    expect(() => addLora(model, options)).toThrow(message)
    expect(targets(model)).toEqual([])
    addLora(model)
    expect(() => addLora(model)).toThrow(/expected a new name/)
  })
})

describe('training with LoRA', () => {
  it.each<LoraOptions>([
    {},
    { useDora: true, loraDropout: 0.1 },
    { targetModules: ['lm_head'] },
    { useRslora: true, targetModules: ['q_proj'] },
  ])('lowers the loss in 20 steps and leaves the base as it was, with %j', async (options) => {
    const model = load()
    const before = logits(model)
    const weights = [...model.parameters()].map(([, tensor]) => [tensor, tensor.toArray()] as const)
    addLora(model, { r: 8, ...options })
    const found = await losses(model, 20)
    expect(found.at(-1)!).toBeLessThan(found[0]! * 0.93)
    for (const [tensor, values] of weights) expect(tensor.toArray()).toEqual(values)
    expect(withoutAdapter(model, () => logits(model))).toEqual(before)
    model.free()
  })

  it('gives the same gradients with gradient checkpointing, dropout included', () => {
    const model = load()
    addLora(model, { loraDropout: 0.3 })
    perturb(model)
    model.generator = new Generator(5)
    const state = model.generator.getState()
    const plain = gradientsOf(model)
    model.generator.setState(state)
    model.gradientCheckpointing = true
    const recomputed = gradientsOf(model)
    expect(plain.size).toBe(2 * targets(model).length)
    expect([...recomputed.keys()].sort()).toEqual([...plain.keys()].sort())
    for (const [path, values] of plain) expect(recomputed.get(path)!).toEqual(values)
    model.generator = null
    for (const [path, values] of gradientsOf(model)) expect(values).not.toEqual(plain.get(path))
  })

  it.each(['llama', 'llama31-tied'])('gives an adapted head of %s the gradients of its logits', (name) => {
    const model = load(name)
    addLora(model, { targetModules: ['lm_head'], r: 3 })
    perturb(model)
    const { A, B } = (model.lm_head as LoraLinear).adapters.get('default')!
    const labels = Tensor.from(ids).to('i64')
    const hidden = noGrad(() => model.hidden({ inputIds: Tensor.from(ids, [2, 12]).to('i64') })).view(24, -1)
    const both = (): number[][] => [A, B].map((tensor) => tensor.grad!.toArray())
    backward(crossEntropy(model, hidden, labels)[0])
    const fused = both()
    A.grad = null
    B.grad = null
    const rows = model.logits(hidden).logSoftmax(-1)
    backward(ops.gather(rows, 1, labels.unsqueeze(1)).sum().neg())
    for (const [i, values] of both().entries())
      expect(fused[i]!).toBeAllclose(values, { absolute: 1e-4, relative: 1e-3 })
  })

  it('leaves no tensor behind after a step', async () => {
    const model = load()
    addLora(model, { loraDropout: 0.1, useDora: true })
    const counts: number[] = []
    for await (const event of train(model, source, languageModeling(), { steps: 6, learningRate: 1e-3 }))
      if (event.type === 'step-done') counts.push(memoryStats().liveTensors)
    // Not more: the collector may free what other tests left.
    expect(Math.max(...counts.slice(2))).toBeLessThanOrEqual(counts[1]!)
  })

  it('multiplies the rate of B with LoRA+', async () => {
    expect(loraPlus(16)('model.layers.0.self_attn.q_proj.lora_B.default.weight')).toBe(16)
    expect(loraPlus(16)('model.layers.0.self_attn.q_proj.lora_A.default.weight')).toBe(1)
    expect(() => loraPlus(0)).toThrow(UsageError)
    // With Adam, the first step moves every entry of B by the rate itself.
    const firstMove = async (ratio: number): Promise<number> => {
      const model = load()
      addLora(model, { targetModules: ['q_proj'] })
      await losses(model, 1, { learningRate: 1e-3, optimizer: { rateOf: loraPlus(ratio) } })
      return [...loraLayers(model)][0]![1].adapters.get('default')!.B.abs().max().item()
    }
    expect(await firstMove(1)).toBeCloseTo(1e-3, 6)
    expect(await firstMove(8)).toBeCloseTo(8e-3, 6)
  })
})

describe('setAdapters', () => {
  it('switches between adapters, sums several, and switches all off', () => {
    const model = load()
    const base = logits(model)
    addLora(model, { adapterName: 'first', targetModules: ['q_proj', 'up_proj'] })
    perturb(model, 1, 'first')
    const first = logits(model)
    addLora(model, { adapterName: 'second', targetModules: ['up_proj', 'lm_head'], seed: 7 })
    const [, onlySecond] = [...loraLayers(model)].find(([path]) => path === 'lm_head')!
    expect(onlySecond.active).toEqual(['second'])
    noGrad(() => ops.normal_(onlySecond.adapters.get('second')!.B.detach(), 0, 0.05, new Generator(2)))
    const second = logits(model)
    setAdapters(model, 'first')
    expect(logits(model)).toEqual(first)
    setAdapters(model, ['first', 'second'])
    const both = logits(model)
    setAdapters(model, [])
    expect(logits(model)).toEqual(base)
    setAdapters(model, 'second')
    expect(logits(model)).toEqual(second)
    expect(new Set([base, first, second, both].map((values) => values.join())).size).toBe(4)
  })

  it('trains the active adapters only, or none', () => {
    const model = load()
    addLora(model, { adapterName: 'first', targetModules: ['q_proj'] })
    addLora(model, { adapterName: 'second', targetModules: ['q_proj'] })
    const trained = (): string[] => [
      ...new Set(
        [...model.parameters()].flatMap(([path, { requiresGrad }]) => (requiresGrad ? path.split('.').at(-2)! : [])),
      ),
    ]
    expect(trained()).toEqual(['second'])
    setAdapters(model, 'first')
    expect(trained()).toEqual(['first'])
    setAdapters(model, ['first', 'second'], { trainable: false })
    expect(trained()).toEqual([])
    expect(() => setAdapters(model, 'third')).toThrow(/expected one of first, second, got third/)
  })
})

describe('withoutAdapter', () => {
  it('is the base bit for bit, and puts the adapters back, also after an error', () => {
    const model = load()
    const base = logits(model)
    addLora(model)
    perturb(model)
    const adapted = logits(model)
    expect(withoutAdapter(model, () => logits(model))).toEqual(base)
    expect(logits(model)).toEqual(adapted)
    expect(() =>
      withoutAdapter(model, () => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(logits(model)).toEqual(adapted)
    expect(adapted).not.toEqual(base)
  })
})
