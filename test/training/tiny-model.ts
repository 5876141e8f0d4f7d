// What tests of the training loop share: a model of 28 thousand parameters, batches of random tokens, a run of the loop, and a hash of weights.
import { createHash } from 'node:crypto'
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { languageModeling, type Objective } from '../../src/train/objective.ts'
import { type TrainOptions, train } from '../../src/train/train.ts'

export const TINY: Record<string, unknown> = {
  model_type: 'llama',
  vocab_size: 300,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
}

/** GPT-2 with dropout everywhere. */
export const TINY_WITH_DROPOUT: Record<string, unknown> = {
  model_type: 'gpt2',
  vocab_size: 300,
  n_embd: 32,
  n_head: 2,
  n_inner: 64,
  n_layer: 2,
  n_positions: 64,
  attn_pdrop: 0.1,
  embd_pdrop: 0.1,
  resid_pdrop: 0.2,
}

/** A fresh model whose parameters all require a gradient. */
export function tinyModel(config: Record<string, unknown> = TINY, seed = 1): Decoder {
  const decoderConfig = readModelConfig(config, 'model')
  const model = Decoder.fresh(decoderConfig, { seed })
  model.trainable()
  return model
}

/** `count` micro-batches of tokens that follow a simple rule with some noise, so that there is something to learn. */
export function tinyBatches(
  count: number,
  { rows = 2, length = 12, vocabulary = 300 }: { rows?: number; length?: number; vocabulary?: number } = {},
): BatchSource {
  let state = 17
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const batches = Array.from({ length: count }, (): Batch => {
    const inputIds = new Int32Array(rows * length)
    for (let i = 0; i < inputIds.length; i++)
      inputIds[i] = i % length === 0 || random(4) === 0 ? random(vocabulary) : (inputIds[i - 1]! * 2 + 1) % vocabulary
    return { rows, length, inputIds, labels: inputIds.slice() }
  })
  return sourceOf(batches)
}

/** Micro-batches given one by one. */
export function sourceOf(batches: readonly Batch[]): BatchSource {
  return { batchesPerEpoch: batches.length, at: (index) => batches[index % batches.length]! }
}

/** Trains and gives the events; an error fails the test. */
export async function trainTiny(
  model: Decoder,
  batches: BatchSource,
  options: Partial<TrainOptions<Batch>> & { steps: number },
  objective: Objective = languageModeling(),
): Promise<TrainEvent[]> {
  const { events, error } = await eventsOf(train(model, batches, objective, { learningRate: 3e-3, ...options }))
  if (error !== undefined) throw error
  return events
}

/** sha256 over the bytes of all parameters. */
export function hashOf(model: Decoder): string {
  const hash = createHash('sha256')
  for (const [name, parameter] of model.parameters()) {
    const { buffer, byteOffset, byteLength } = parameter.data()
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return hash.digest('hex')
}

/** All events, or the error that ended them. */
export async function eventsOf(
  events: AsyncIterable<TrainEvent>,
): Promise<{ events: TrainEvent[]; error: Error | undefined }> {
  const collected: TrainEvent[] = []
  try {
    for await (const event of events) collected.push(event)
  } catch (error) {
    return { events: collected, error: error as Error }
  }
  return { events: collected, error: undefined }
}

/** The events of one kind. */
export function ofType<Type extends TrainEvent['type']>(
  events: readonly TrainEvent[],
  type: Type,
): Extract<TrainEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<TrainEvent, { type: Type }> => event.type === type)
}
