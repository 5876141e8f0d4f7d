// Our side of the comparison on a GPU: `tsx bench/cuda/ours.ts OUT.json [CASE …]` measures every case in one process, with random
// weights made on the device. The same cases in the same order for Transformers and PEFT: peer.py. Times are medians, in ms.
import { writeFileSync } from 'node:fs'
import type { Batch } from '../../src/data/batch.ts'
import { Engine } from '../../src/infer/engine.ts'
import { collect } from '../../src/lm/lm.ts'
import { dropbp } from '../../src/methods/dropbp/dropbp.ts'
import { addLora } from '../../src/methods/lora/lora.ts'
import { eliminate } from '../../src/methods/sleb/eliminate.ts'
import { unitsOf } from '../../src/methods/sleb/unit.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { quantizeModel } from '../../src/model/quantize-model.ts'
import type { QuantFormat } from '../../src/nn/quant/format.ts'
import {
  type DType,
  engineInfo,
  Generator,
  memoryStats,
  noGrad,
  ops,
  releaseMemory,
  resetPeakMemory,
  scope,
  synchronize,
  Tensor,
} from '../../src/torch/index.ts'
import { languageModeling } from '../../src/train/objective.ts'
import type { Rule } from '../../src/train/rule.ts'
import { train } from '../../src/train/train.ts'
import { tensorBytes } from '../quantize.ts'

/** Llama 3.2 1B and Llama 3.1 8B. */
const SHAPES = {
  '1B': { hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, tie_word_embeddings: true },
  '8B': { hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, tie_word_embeddings: false },
} as const
type Shape = keyof typeof SHAPES
const VOCAB = 128256

function build(shape: Shape, dtype: DType): Decoder {
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: VOCAB,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      max_position_embeddings: 65536,
      rope_theta: 500000,
      ...SHAPES[shape],
    },
    shape,
  )
  const generator = new Generator(0, 'cuda')
  return new Decoder(config, ({ shape: sizes }) => {
    const tensor = ops.empty(sizes, dtype, null, 'cuda')
    return (sizes.length === 1 ? ops.fill_(tensor, 1) : ops.normal_(tensor, 0, 0.02, generator)).keep()
  })
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!
const gib = (bytes: number): number => Math.round((bytes / 2 ** 30) * 1000) / 1000
const idsOf = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => (i * 7919 + 13) % VOCAB)

/** Median of all steps but the first three, which warm up, and the most memory that a step takes. */
async function steps(
  model: Decoder,
  rows: number,
  length: number,
  { count = 8, bf16 = true, rules = [] }: { count?: number; bf16?: boolean; rules?: Rule[] } = {},
): Promise<Record<string, unknown>> {
  const inputIds = idsOf(rows * length)
  const batch: Batch = { rows, length, inputIds, labels: inputIds }
  const source = { batchesPerEpoch: 1, at: () => batch }
  const times: number[] = []
  const losses: number[] = []
  const options = { steps: count + 3, learningRate: 1e-5, bf16, rules }
  for await (const event of train(model, source, languageModeling(), options)) {
    if (event.type !== 'step-done') continue
    losses.push(event.metrics.loss)
    times.push(event.seconds * 1000)
    if (times.length === 2) resetPeakMemory()
  }
  const ms = median(times.slice(3))
  const peak = gib(memoryStats().cudaPeakBytes)
  return { rows, length, ms, tokens_per_second: (1000 * rows * length) / ms, peak_gib: peak, first_loss: losses[0] }
}

/** 64 greedy tokens behind a prompt of 128, for `rows` texts at once; the prompt's pass counts. */
async function decode(model: Decoder, rows: number): Promise<Record<string, unknown>> {
  const engine = new Engine({ model, batchSize: rows })
  const request = { ids: [...idsOf(128)], maxNewTokens: 64, temperature: 0 }
  const run = (): Promise<unknown> =>
    rows === 1 ? collect(engine.generate(request)) : engine.generateAll(Array.from({ length: rows }, () => request))
  await run()
  const times: number[] = []
  for (let i = 0; i < 3; i++) {
    const begun = performance.now()
    await run()
    times.push(performance.now() - begun)
  }
  const ms = median(times)
  return { rows, ms, tokens_per_second: (64_000 * rows) / ms, weights_gib: gib(tensorBytes(model)) }
}

/** Reading 2,048 tokens. */
function prefill(model: Decoder): number {
  const ids = Tensor.from(idsOf(2048), [1, 2048]).to('i64').to('cuda')
  const times = Array.from({ length: 6 }, () => {
    synchronize()
    const begun = performance.now()
    noGrad(() => scope(() => model.hidden({ inputIds: ids })))
    synchronize()
    return performance.now() - begun
  })
  return median(times.slice(1))
}

/** Runs `body` on a fresh model and frees it. */
async function on<T>(shape: Shape, dtype: DType, body: (model: Decoder) => Promise<T>): Promise<T> {
  const model = build(shape, dtype)
  try {
    return await body(model)
  } finally {
    model.free()
    releaseMemory()
  }
}

const withDropbp = (rate: number) => (model: Decoder) => [dropbp({ rate, seed: 1, allocation: 'uniform' })(model)]
const everything = (model: Decoder): Decoder => model.trainable()

const CASES: Record<string, () => Promise<unknown>> = {
  'full-1B': () => on('1B', 'f32', (model) => steps(everything(model), 4, 1024)),
  'lora-8B': () =>
    on('8B', 'bf16', (model) => {
      addLora(model, { r: 16 })
      return steps(model, 1, 2048)
    }),
  'qlora-8B': () =>
    on('8B', 'bf16', async (model) => {
      quantizeModel(model, { format: 'nf4', doubleQuant: true })
      releaseMemory()
      addLora(model, { r: 16 })
      return { weights_gib: gib(tensorBytes(model)), ...(await steps(model, 1, 2048)) }
    }),
  'decode-1B': () => on('1B', 'bf16', async (model) => [await decode(model, 1), await decode(model, 16)]),
  'decode-8B': () => on('8B', 'bf16', async (model) => [await decode(model, 1), await decode(model, 16)]),
  'dropbp-1B': async () => {
    const rows: unknown[] = []
    for (const rate of [0, 0.5, 0.75, 0.875])
      for (const length of [2048, 8192])
        rows.push(
          await on('1B', 'f32', async (model) => {
            everything(model)
            const rules = rate === 0 ? [] : withDropbp(rate)(model)
            return { rate, ...(await steps(model, 1, length, { count: 5, rules })) }
          }),
        )
    return rows
  },
  'sleb-8B': () =>
    on('8B', 'bf16', async (model) => {
      const before = { blocks: 32, prefill_ms: prefill(model), ...(await decode(model, 1)) }
      const middle = unitsOf(model.config, 'block', { first: 0, last: 0 }).slice(12, 18)
      const smaller = eliminate(model, middle)
      const after = { blocks: 26, prefill_ms: prefill(smaller), ...(await decode(smaller, 1)) }
      smaller.free()
      return [before, after]
    }),
  'quantized-8B': async () => {
    const rows: unknown[] = []
    for (const format of ['int8', 'int4', 'nf4'] as QuantFormat[])
      rows.push(
        await on('8B', 'bf16', async (model) => {
          quantizeModel(model, { format })
          releaseMemory()
          return { format, prefill_ms: prefill(model), ...(await decode(model, 1)) }
        }),
      )
    return rows
  },
}

const [out = 'ours.json', ...wanted] = process.argv.slice(2)
const results: Record<string, unknown> = { engine: engineInfo().version }
for (const name of wanted.length > 0 ? wanted : Object.keys(CASES)) {
  const begun = performance.now()
  try {
    const run = CASES[name]
    if (run === undefined) throw new Error(`expected one of ${Object.keys(CASES).join(', ')}`)
    results[name] = await run()
  } catch (error) {
    results[name] = { error: (error as Error).message }
    process.exitCode = 1 // the other cases are measured all the same
  }
  console.log(name, JSON.stringify(results[name]), `${((performance.now() - begun) / 1000).toFixed(1)} s`)
  writeFileSync(out, `${JSON.stringify(results, null, 2)}\n`)
}
