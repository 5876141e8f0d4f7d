// Models of published sizes with random weights, made on the device: enough to measure time and memory.
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { type DType, Generator, ops } from '../../src/torch/index.ts'

/** Llama 3's shapes, and one for a CPU. */
export const SHAPES: Readonly<Record<string, Readonly<Record<string, number | boolean>>>> = {
  '22M': {
    vocab_size: 8192,
    hidden_size: 384,
    intermediate_size: 1024,
    num_hidden_layers: 12,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    tie_word_embeddings: true,
  },
  '1B': {
    vocab_size: 128256,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    tie_word_embeddings: true,
  },
  '8B': {
    vocab_size: 128256,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    tie_word_embeddings: false,
  },
}

export function randomModel(shape: string, device: string, dtype: DType): Decoder {
  const sizes = SHAPES[shape]
  if (sizes === undefined) throw new Error(`--shape: expected ${Object.keys(SHAPES).join(' or ')}, got ${shape}`)
  const config = readModelConfig(
    { model_type: 'llama', max_position_embeddings: 1 << 18, rope_theta: 500000, ...sizes },
    shape,
  )
  const generator = new Generator(0, device)
  return new Decoder(config, ({ shape: dimensions }) =>
    (dimensions.length === 1
      ? ops.ones(dimensions, dtype, null, device)
      : ops.normal_(ops.empty(dimensions, dtype, null, device), 0, 0.02, generator)
    ).keep(),
  )
}
