// A small Llama with weights large enough that every branch matters, for tests of methods that look at blocks.

import type { Batch } from '../src/data/batch.ts'
import type { DecoderConfig } from '../src/model/config.ts'
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder, initialise } from '../src/model/decoder.ts'
import { Generator } from '../src/torch/index.ts'
import { DEVICE } from './device.ts'

export function randomDecoder(seed: number, more: Record<string, unknown> = {}): Decoder {
  const config: DecoderConfig = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: 261,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 5,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      max_position_embeddings: 64,
      initializer_range: 0.3,
      ...more,
    },
    'config.json',
  )
  const take = initialise(config, new Generator(seed))
  return new Decoder(config, (parameter) => take(parameter).to(DEVICE).keep())
}

/** Batches of `rows` windows of random tokens. */
export function randomBatches(seed: number, count: number, length = 12, rows = 1): Batch[] {
  let state = seed + 1
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % 261
  }
  return Array.from({ length: count }, () => {
    const inputIds = Int32Array.from({ length: rows * length }, next)
    return { rows, length, inputIds, labels: inputIds.slice() }
  })
}
