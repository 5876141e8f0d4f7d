// How much memory a run will need, by what it is for, from the shapes alone: said before the run starts, and asked again for what
// to change where it does not fit. The parts are those that are there at once when a backward pass begins.

import type { DecoderConfig, LayerConfig } from '../../model/config.ts'
import { amount } from '../../report/amounts.ts'

/** What decides the memory of a training step. */
export interface MemoryQuestion {
  model: Pick<DecoderConfig, 'layers' | 'hiddenSize' | 'vocabSize'>
  /** Bytes of all weights, adapters included. */
  weightBytes: number
  /** Numbers that are trained. */
  trained: number
  /** True when the output head's matrix, or the embedding that it is, is trained. */
  trainsHead: boolean
  /** Sequences and tokens of the longest micro-batch. */
  rows: number
  length: number
  gradientCheckpointing: boolean
  bf16: boolean
}

/** Bytes. */
export interface MemoryNeed {
  weights: number
  gradients: number
  optimizer: number
  activations: number
  logits: number
  /** Copies that the matrix library of some processors lays out for the head's gradient; others take none. */
  buffers: number
}

const F32 = 4
/** As in native/cross-entropy.cc: logits are made for so many numbers at a time, and for 128 tokens at least. */
const LOGITS_AT_ONCE = 6 << 20
const FEWEST_ROWS_AT_ONCE = 128

/** The parts of the memory. Activations are those that the backward pass of this engine's operators keeps. */
export function estimateMemory(question: MemoryQuestion): MemoryNeed {
  const { model, weightBytes, trained, trainsHead, rows, length, gradientCheckpointing, bf16 } = question
  const tokens = rows * length
  const width = bf16 ? 2 : F32
  const perLayer = model.layers.map((layer) => numbersKept(layer, model.hiddenSize, length))
  const atOnce = Math.min(tokens, Math.max(FEWEST_ROWS_AT_ONCE, Math.floor(LOGITS_AT_ONCE / model.vocabSize)))
  const logits = F32 * model.vocabSize * (trainsHead ? atOnce + model.hiddenSize : atOnce)
  // For the gradient of the head's matrix, logitsᵀ · states: some libraries lay the logits out a second time, others read them as they are.
  const buffers = trainsHead ? F32 * model.vocabSize * atOnce : 0
  const ofBlocks = gradientCheckpointing
    ? // One block is computed again at a time, when the logits are gone.
      tokens * width * model.layers.length * model.hiddenSize +
      Math.max(0, tokens * width * Math.max(0, ...perLayer) - logits - buffers)
    : tokens * width * perLayer.reduce((sum, numbers) => sum + numbers, 0)
  return {
    weights: weightBytes,
    gradients: trained * F32,
    optimizer: 2 * trained * F32,
    // The last states, and their gradient when it starts.
    activations: ofBlocks + 2 * tokens * model.hiddenSize * F32,
    logits,
    buffers,
  }
}

/** Numbers per token that one block leaves for its backward pass. */
function numbersKept({ attention, mlp }: LayerConfig, hiddenSize: number, length: number): number {
  let numbers = 0
  if (attention !== null) {
    const { numAttentionHeads, numKeyValueHeads, headDim, logitSoftcapping } = attention
    // Branch input and its norm; queries, keys, values; what comes out, for the scores and for the projection.
    numbers += 2 * hiddenSize + (3 * numAttentionHeads + 2 * numKeyValueHeads) * headDim
    // Without a fused kernel the scores are kept: raw, capped, and as probabilities.
    if (logitSoftcapping !== null) numbers += 3 * numAttentionHeads * length
  }
  if (mlp !== null) numbers += 2 * hiddenSize + (mlp.isGated ? 3 : 2) * mlp.intermediateSize
  return numbers
}

/** All parts together. */
export function totalOf(need: MemoryNeed): number {
  return Object.values(need).reduce((sum: number, bytes: number) => sum + bytes, 0)
}

/** `about 1.25 GB: weights 540 MB, gradients …`. */
export function describeMemory(need: MemoryNeed): string {
  const parts = Object.entries(need).flatMap(([name, bytes]) => (bytes > 0 ? `${name} ${amount(bytes, 'bytes')}` : []))
  return `about ${amount(totalOf(need), 'bytes')}: ${parts.join(', ')}`
}

/** What would free memory, and how much, the most first. `accumulation` is that of the run, and keeps the step the same. */
export function memoryAdvice(question: MemoryQuestion, accumulation: number): string[] {
  const now = totalOf(estimateMemory(question))
  const { rows, length, trained, weightBytes } = question
  const half = Math.ceil(rows / 2)
  const options: [string, Partial<MemoryQuestion>][] = []
  if (!question.gradientCheckpointing) options.push(['gradient_checkpointing: true', { gradientCheckpointing: true }])
  if (rows > 1)
    options.push([
      `per_device_train_batch_size: ${half} with gradient_accumulation_steps: ${Math.ceil((accumulation * rows) / half)}`,
      { rows: half },
    ])
  if (length > 1) options.push([`max_length: ${Math.ceil(length / 2)}`, { length: Math.ceil(length / 2) }])
  // An adapter of rank 8 is one or two percent of the model.
  if (trained * F32 > weightBytes / 2) options.push(['finetuning: lora', { trained: trained / 50, trainsHead: false }])
  return options
    .map(([knob, change]) => ({ knob, frees: now - totalOf(estimateMemory({ ...question, ...change })) }))
    .filter(({ frees }) => frees > 0)
    .sort((a, b) => b.frees - a.frees)
    .map(({ knob, frees }) => `${knob} frees about ${amount(frees, 'bytes')}`)
}
