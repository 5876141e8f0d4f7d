// What a GPU must do as the CPU does; left out where there is none. The families run on it with ANNEAL_TEST_DEVICE=cuda.
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import type { Batch } from '../../src/data/batch.ts'
import type { PairBatch } from '../../src/data/tuning/preferences.ts'
import { Engine } from '../../src/infer/engine.ts'
import { collect, type TokenLogProbs } from '../../src/lm/lm.ts'
import { answerLogProbs, dpo } from '../../src/methods/dpo/dpo.ts'
import { dropbp } from '../../src/methods/dropbp/dropbp.ts'
import { freezeExcept } from '../../src/methods/freeze/freeze.ts'
import { addLora, withoutAdapter } from '../../src/methods/lora/lora.ts'
import { addPrompt, promptTuning } from '../../src/methods/prompt-tuning/prompt-tuning.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { dequantizeModel, quantizeModel } from '../../src/model/quantize-model.ts'
import { QUANT_FORMATS } from '../../src/nn/quant/format.ts'
import { quantizeWeight } from '../../src/nn/quant/quantize-weight.ts'
import { QuantLinear } from '../../src/nn/quant-linear.ts'
import { engineInfo, Generator, memoryStats, noGrad, ops, releaseMemory, scope, Tensor } from '../../src/torch/index.ts'
import { languageModeling, type Objective } from '../../src/train/objective.ts'
import { type TrainOptions, train } from '../../src/train/train.ts'
import { fixtures } from '../decoder-fixtures.ts'

const LLAMA = `${fixtures}/llama`
const DEVICES = ['cpu', 'cuda'] as const

describe.skipIf(engineInfo().cudaDevices === 0)('on a GPU', () => {
  afterAll(releaseMemory)

  const batches = Array.from({ length: 5 }, (_, b): PairBatch => {
    const inputIds = Int32Array.from({ length: 4 * 24 }, (_, i) => 3 + ((i * 37 + b * 101 + i * i) % 120))
    const labels = inputIds.map((id, i) => (i % 24 < 6 ? -100 : id))
    return { rows: 4, length: 24, inputIds, labels, pairs: Int32Array.from([0, 1]) }
  })

  /** Losses of five steps of the tiny Llama. */
  async function losses<B extends Batch>(
    device: string,
    prepare: (model: Decoder) => Objective<B>,
    options: (model: Decoder) => Partial<TrainOptions<B>> = () => ({}),
  ): Promise<number[]> {
    const model = loadDecoder(LLAMA, { device })
    const objective = prepare(model)
    const source = { batchesPerEpoch: batches.length, at: (i: number) => batches[i % batches.length] as B & PairBatch }
    const found: number[] = []
    for await (const event of train<B>(model, source, objective, { steps: 5, learningRate: 2e-3, ...options(model) }))
      if (event.type === 'step-done') found.push(event.metrics.loss, event.metrics.grad_norm)
    model.free()
    return found
  }

  const full = (model: Decoder): Objective => {
    model.trainable()
    return languageModeling()
  }
  const lora =
    (more: object = {}) =>
    (model: Decoder): Objective => {
      addLora(model, { r: 4, ...more })
      return languageModeling()
    }
  const quantized =
    (format: 'nf4' | 'int8' | 'int4') =>
    (model: Decoder): Objective => {
      quantizeModel(model, { format, ...(format === 'nf4' && { doubleQuant: true }) })
      return lora()(model)
    }
  const ways: Record<string, (device: string) => Promise<number[]>> = {
    'all weights': (device) => losses(device, full),
    'gradient checkpointing': (device) =>
      losses(device, (model) => {
        model.gradientCheckpointing = true
        return full(model)
      }),
    'accumulated gradients': (device) => losses(device, full, () => ({ gradientAccumulation: 2 })),
    LoRA: (device) => losses(device, lora()),
    DoRA: (device) => losses(device, lora({ useDora: true })),
    'LoRA on nf4': (device) => losses(device, quantized('nf4')),
    'LoRA on int8': (device) => losses(device, quantized('int8')),
    'LoRA on int4': (device) => losses(device, quantized('int4')),
    'the last layer': (device) =>
      losses(device, (model) => {
        freezeExcept(model, { layers: 1 })
        return languageModeling()
      }),
    'a soft prompt': (device) =>
      losses(device, (model) => {
        addPrompt(model, { numVirtualTokens: 4 })
        return promptTuning()
      }),
    'preferences with LoRA': (device) =>
      losses<PairBatch>(device, (model) => {
        addLora(model, { r: 4 })
        return dpo({ reference: (asked, batch) => withoutAdapter(asked, () => answerLogProbs(asked, batch)) })
      }),
    DropBP: (device) => losses(device, full, (model) => ({ rules: [dropbp({ rate: 0.5, seed: 3 })(model)] })),
  }

  it.each(Object.entries(ways))('trains with %s as the CPU does', async (_, run) => {
    const wanted = await run('cpu')
    expect(wanted.every((value) => Number.isFinite(value))).toBe(true)
    expect(await run('cuda')).toBeAllclose(wanted, { relative: 1e-3, absolute: 1e-5 })
  })

  it('trains in bf16 near to f32', async () => {
    const [exact, rounded] = await Promise.all([losses('cuda', full), losses('cuda', full, () => ({ bf16: true }))])
    expect(rounded).toBeAllclose(exact, { relative: 0.05 })
    expect(rounded).not.toEqual(exact)
  })

  it('trains the same twice, dropout and all', async () => {
    const once = (): Promise<number[]> => losses('cuda', lora({ loraDropout: 0.3 }), () => ({ seed: 5 }))
    expect(await once()).toEqual(await once())
  })

  it.each(QUANT_FORMATS)('makes the same numbers of %s', (format) =>
    scope(() => {
      const weight = ops.normal_(ops.empty([96, 128], 'f32'), 0, 0.02, new Generator(1))
      const x = ops.normal_(ops.empty([7, 128], 'f32'), 0, 1, new Generator(2))
      const [here, there] = DEVICES.map((device) => {
        const stored = quantizeWeight(weight.to(device), { format })
        return [stored.dequantize('f32').toArray(), new QuantLinear(stored, null).forward(x.to(device)).toArray()]
      })
      expect(there![0]!).toBeAllclose(here![0]!, { relative: 1e-6 })
      expect(there![1]!).toBeAllclose(here![1]!, { relative: 1e-4, absolute: 1e-5 })
    }),
  )

  it('quantizes and dequantizes a model where it is', () => {
    const model = loadDecoder(LLAMA, { device: 'cuda' })
    quantizeModel(model, { format: 'int8' })
    dequantizeModel(model)
    for (const [path, tensor] of model.parameters()) expect(tensor.device, path).toBe('cuda:0')
    model.free()
  })

  it('says the same, one by one and together', async () => {
    const prompts = [
      [5, 6, 7, 8],
      [9, 10],
      [11, 12, 13, 14, 15, 16, 17],
    ]
    const [here, there] = await Promise.all(
      DEVICES.map(async (device) => {
        const engine = new Engine({ model: loadDecoder(LLAMA, { device }) })
        const requests = prompts.map((ids) => ({ ids, maxNewTokens: 12, temperature: 0 }))
        const together = await engine.generateAll(requests)
        const alone = await Promise.all(requests.map((request) => collect(engine.generate(request))))
        const scores = await engine.score(prompts, {})
        engine.free()
        return { together, alone, scores }
      }),
    )
    const ids = (list: readonly { tokenIds: readonly number[] }[]): number[][] => list.map((each) => [...each.tokenIds])
    expect(ids(there!.together)).toEqual(ids(here!.together))
    expect(ids(there!.alone)).toEqual(ids(here!.alone))
    const known = (scores: readonly TokenLogProbs[]): number[] => scores.flat().map((value) => value ?? 0)
    expect(known(there!.scores)).toBeAllclose(known(here!.scores), { absolute: 1e-4 })
  })

  it('draws from its own generators, which can be saved', () => {
    const draw = (generator: Generator): number[] =>
      scope(() => ops.normal_(ops.empty([5], 'f32', null, 'cuda'), 0, 1, generator).toArray())
    const generator = new Generator(7, 'cuda')
    const first = draw(generator)
    const state = generator.getState()
    const second = draw(generator)
    expect(second).not.toEqual(first)
    expect(draw(new Generator(7, 'cuda'))).toEqual(first)
    expect(draw(new Generator(8, 'cuda'))).not.toEqual(first)
    generator.setState(state)
    expect(draw(generator)).toEqual(second)
  })

  it('counts memory, frees it, and says what is too much', () => {
    const before = memoryStats().cudaLiveBytes
    const tensor = noGrad(() => ops.zeros([1 << 20], 'f32', null, 'cuda').keep())
    expect(memoryStats().cudaLiveBytes - before).toBe(4 << 20)
    tensor.free()
    expect(memoryStats().cudaLiveBytes).toBe(before)
    expect(memoryStats().cudaPeakBytes).toBeGreaterThanOrEqual(before + (4 << 20))
    expect(() => ops.zeros([1 << 20, 1 << 20], 'f32', null, 'cuda')).toThrow(/^out of memory in .*zeros/)
    expect(
      Tensor.from([1, 2])
        .to('cuda')
        .add(Tensor.from([3, 4]).to('cuda'))
        .toArray(),
    ).toEqual([4, 6])
  })

  it('refuses tensors of two devices with a clear line', () => {
    expect(() =>
      Tensor.from([1])
        .to('cuda')
        .add(Tensor.from([2, 3])),
    ).toThrow(/device/)
  })
})
