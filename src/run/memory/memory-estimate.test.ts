// The estimate against the peak that the engine measures in a step.
import { afterEach, describe, expect, it } from 'vitest'
import { sourceOf, tinyModel, trainTiny } from '../../../test/training/tiny-model.ts'
import type { Batch } from '../../data/batch.ts'
import { addLora } from '../../methods/lora/lora.ts'
import type { Decoder } from '../../model/decoder.ts'
import { hasOp, memoryStats, resetPeakMemory } from '../../torch/index.ts'
import { describeMemory, estimateMemory, type MemoryQuestion, memoryAdvice, totalOf } from './memory-estimate.ts'

/**
 * How far the estimate may be from what is measured, either way. It counts what fused operators keep; LibTorch 1 has neither fused
 * attention nor a fused optimizer, and holds more at its peak.
 */
const FACTOR = hasOp('aten::scaled_dot_product_attention') ? 1.25 : 2

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
    const estimate = totalOf(estimateMemory(questionOf(rows, length)))
    if (process.env.ANNEAL_SHOW)
      console.log(
        _,
        (estimate / measured).toFixed(3),
        describeMemory(estimateMemory(questionOf(rows, length))),
        measured,
      )
    expect(estimate / measured).toBeGreaterThan(1 / FACTOR)
    expect(estimate / measured).toBeLessThan(FACTOR)
  })

  it('says its parts in one line', () => {
    const need = { weights: 2e6, gradients: 2e6, optimizer: 4e6, activations: 1.5e6, logits: 5e5 }
    expect(describeMemory(need)).toBe(
      'about 10.0 MB: weights 2.00 MB, gradients 2.00 MB, optimizer 4.00 MB, activations 1.50 MB, logits 500 kB',
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
