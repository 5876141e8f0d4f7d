// The estimate against what the engine measures: its exact parts by themselves, and the peak of a step from below and above.
import { afterEach, describe, expect, it } from 'vitest'
import { sourceOf, tinyModel, trainTiny } from '../../../test/training/tiny-model.ts'
import type { Batch } from '../../data/batch.ts'
import { addLora } from '../../methods/lora/lora.ts'
import type { Decoder } from '../../model/decoder.ts'
import { backward, hasOp, memoryStats, resetPeakMemory, scope } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { train } from '../../train/train.ts'
import { describeMemory, estimateMemory, type MemoryQuestion, memoryAdvice, totalOf } from './memory-estimate.ts'

/**
 * How far the estimate may be from what is measured. Whether the buffers are taken depends on the processor's matrix library, so the
 * peak lies between the estimate without them and the whole of it. The estimate counts what fused operators keep; LibTorch 1 has
 * neither fused attention nor a fused optimizer, and holds more at its peak.
 */
const FACTOR = hasOp('aten::scaled_dot_product_attention') ? 1.25 : 2

/** Tensors begin at multiples of 64 bytes, and batches and counters take some too. */
const ROUNDING = 0.03

const LLAMA = {
  model_type: 'llama',
  vocab_size: 2000,
  hidden_size: 96,
  intermediate_size: 256,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 512,
  tie_word_embeddings: false,
}
const GPT2 = {
  model_type: 'gpt2',
  vocab_size: 3000,
  n_embd: 96,
  n_head: 4,
  n_inner: 384,
  n_layer: 3,
  n_positions: 512,
  attn_pdrop: 0,
  embd_pdrop: 0,
  resid_pdrop: 0,
}

let model: Decoder
afterEach(() => model.free())

function batchOf(rows: number, length: number, vocabulary: number): Batch {
  const inputIds = Int32Array.from({ length: rows * length }, (_, i) => (i * 7919) % vocabulary)
  return { rows, length, inputIds, labels: inputIds.slice() }
}

function questionOf(rows: number, length: number): MemoryQuestion {
  const parameters = [...model.parameters()].map(([, parameter]) => parameter)
  const trained = parameters.filter(({ requiresGrad }) => requiresGrad)
  return {
    model: model.config,
    weightBytes: parameters.reduce((sum, { nbytes }) => sum + nbytes, 0),
    trained: trained.reduce((sum, { numel }) => sum + numel, 0),
    trainsHead: [...model.head.parameters()].some(([, { requiresGrad }]) => requiresGrad),
    rows,
    length,
    gradientCheckpointing: model.gradientCheckpointing,
    bf16: false,
  }
}

const cases: [
  string,
  Record<string, unknown>,
  { lora?: boolean; checkpointing?: boolean; rows: number; length: number },
][] = [
  ['full tuning of a Llama', LLAMA, { rows: 8, length: 128 }],
  ['one short sequence', LLAMA, { rows: 1, length: 32 }],
  ['LoRA', LLAMA, { lora: true, rows: 8, length: 128 }],
  ['gradient checkpointing', LLAMA, { checkpointing: true, rows: 8, length: 256 }],
  ['LoRA with gradient checkpointing', LLAMA, { lora: true, checkpointing: true, rows: 16, length: 128 }],
  ['tied embeddings', { ...LLAMA, tie_word_embeddings: true }, { rows: 4, length: 128 }],
  ['a GPT-2', GPT2, { rows: 8, length: 128 }],
]

describe('estimateMemory', () => {
  it.each(cases)(`is within a factor of ${FACTOR} of the peak with %s`, async (_, config, options) => {
    const before = memoryStats().liveBytes
    model = tinyModel(config)
    if (options.lora) addLora(model)
    model.gradientCheckpointing = options.checkpointing ?? false
    const { rows, length } = options
    resetPeakMemory()
    await trainTiny(model, sourceOf([batchOf(rows, length, model.config.vocabSize)]), { steps: 2 })
    const measured = memoryStats().peakBytes - before
    const need = estimateMemory(questionOf(rows, length))
    expect(totalOf(need) / measured).toBeGreaterThan(1 / FACTOR)
    expect((totalOf(need) - need.buffers) / measured).toBeLessThan(FACTOR)
  })

  it.each(cases)('knows weights and optimizer on any processor with %s', async (_, config, options) => {
    const before = memoryStats().liveBytes
    model = tinyModel(config)
    if (options.lora) addLora(model)
    const { weights, optimizer } = estimateMemory(questionOf(options.rows, options.length))
    expect(Math.abs((memoryStats().liveBytes - before) / weights - 1)).toBeLessThan(ROUNDING)
    const batches = sourceOf([batchOf(1, 8, model.config.vocabSize)])
    const after: number[] = []
    for await (const event of train(model, batches, languageModeling(), { steps: 1, learningRate: 1e-3 }))
      if (event.type === 'step-done') after.push(memoryStats().liveBytes - before) // the gradients are gone
    expect(Math.abs(after[0]! / (weights + optimizer) - 1)).toBeLessThan(ROUNDING)
  })

  it.each(cases)('knows what is kept between the passes with %s', (_, config, options) => {
    model = tinyModel(config)
    if (options.lora) addLora(model)
    model.gradientCheckpointing = options.checkpointing ?? false
    const { rows, length } = options
    const { activations } = estimateMemory(questionOf(rows, length))
    const before = memoryStats().liveBytes
    scope(() => {
      const { loss } = languageModeling().forward(model, batchOf(rows, length, model.config.vocabSize))
      // The head's gradient is made with the logits, among which it counts.
      const { vocabSize, hiddenSize } = model.config
      const headGradient = options.lora ? 0 : 4 * vocabSize * hiddenSize
      const kept = memoryStats().liveBytes - before - headGradient
      expect(activations / kept).toBeGreaterThan(1 / FACTOR)
      expect(activations / kept).toBeLessThan(FACTOR)
      backward(loss)
    })
  })

  it('says its parts in one line', () => {
    const need = { weights: 2e6, gradients: 2e6, optimizer: 4e6, activations: 1e6, logits: 5e5, buffers: 5e5 }
    expect(describeMemory(need)).toBe(
      'about 10.0 MB: weights 2.00 MB, gradients 2.00 MB, optimizer 4.00 MB, activations 1.00 MB, logits 500 kB, buffers 500 kB',
    )
  })
})

describe('memoryAdvice', () => {
  it('names keys by what they free, and only those that free something', () => {
    model = tinyModel(LLAMA)
    const long = memoryAdvice(questionOf(8, 512), 2)
    expect(long[0]).toMatch(/^gradient_checkpointing: true frees about [\d.]+ MB$/)
    expect(long.join()).toMatch(/per_device_train_batch_size: 4 with gradient_accumulation_steps: 4 frees about/)
    expect(long.join()).toMatch(/max_length: 256 frees about/)
    const short = memoryAdvice(questionOf(1, 8), 1)
    expect(short[0]).toMatch(/^finetuning: lora frees about/)
    expect(short.join()).not.toContain('per_device_train_batch_size')
  })
})
