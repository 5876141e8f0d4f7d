// GGUF files whose bytes depend on nothing but this code, so that what llama.cpp once said about them stays true of them:
// test/fixtures/gguf/llama-cpp.json has the hash of each and llama.cpp's answers (scripts/goldens/llama-cpp.ts).

import { readFileSync } from 'node:fs'
import { type AdapterMatrices, exportAdapterGguf } from '../src/gguf/export-adapter.ts'
import { writeModelGguf } from '../src/gguf/export-model.ts'
import type { GgufFormat } from '../src/gguf/tensor-types.ts'
import { tokenizerMetadata } from '../src/gguf/tokenizer-metadata.ts'
import type { GgufMetadata, GgufValue } from '../src/gguf/values.ts'
import { writeGguf } from '../src/gguf/write.ts'
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder } from '../src/model/decoder.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { Tensor } from '../src/torch/index.ts'
import { tinyTokenizer } from './tiny-model.ts'

interface ModelCase {
  readonly name: string
  /** Added to a small Llama's config.json. */
  readonly config: Record<string, unknown>
  readonly format: GgufFormat
}

const WIDE = { hidden_size: 256, intermediate_size: 512, num_attention_heads: 4, num_key_value_heads: 2 }
const GEMMA = { head_dim: 16, query_pre_attn_scalar: 16, sliding_window: 6, initializer_range: 0.25 }
const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 }
const LLAMA3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
}
const GPT = { num_key_value_heads: undefined, rms_norm_eps: undefined, hidden_act: 'gelu' }

/** Every architecture and every format, small. */
export const MODEL_CASES: readonly ModelCase[] = [
  { name: 'llama', config: {}, format: 'f32' },
  { name: 'llama-biases', config: { attention_bias: true, mlp_bias: true }, format: 'f32' },
  { name: 'llama-tied', config: { tie_word_embeddings: true }, format: 'f32' },
  { name: 'llama-linear', config: { rope_scaling: { type: 'linear', factor: 4 } }, format: 'f32' },
  { name: 'llama-yarn', config: { rope_scaling: YARN }, format: 'f32' },
  { name: 'llama-3.1', config: { rope_theta: 500_000, rope_scaling: LLAMA3 }, format: 'f32' },
  { name: 'mistral', config: { model_type: 'mistral', sliding_window: 24 }, format: 'f32' },
  {
    name: 'unequal',
    config: {
      per_layer_config: {
        1: { intermediate_size: 16 },
        2: { skip: ['attention'] },
        3: { num_attention_heads: 2, num_key_value_heads: 1, mlp_output_bias: true },
      },
    },
    format: 'f32',
  },
  { name: 'qwen2', config: { model_type: 'qwen2' }, format: 'f32' },
  { name: 'qwen3', config: { model_type: 'qwen3', head_dim: 12 }, format: 'f32' },
  { name: 'smollm3', config: { model_type: 'smollm3', pad_token_id: null }, format: 'f32' },
  { name: 'olmo2', config: { model_type: 'olmo2' }, format: 'f32' },
  { name: 'phi', config: { model_type: 'phi3', pad_token_id: null }, format: 'f32' },
  {
    name: 'gemma',
    config: { model_type: 'gemma', head_dim: 16, num_key_value_heads: 1, hidden_act: 'gelu_pytorch_tanh' },
    format: 'f32',
  },
  { name: 'gemma2', config: { model_type: 'gemma2', ...GEMMA }, format: 'f32' },
  { name: 'gemma3', config: { model_type: 'gemma3_text', num_hidden_layers: 7, ...GEMMA }, format: 'f32' },
  { name: 'gptneox', config: { model_type: 'gpt_neox', rotary_pct: 0.5, ...GPT }, format: 'f32' },
  { name: 'gpt2', config: { model_type: 'gpt2', n_embd: 32, n_layer: 2, n_head: 4, n_positions: 64 }, format: 'f32' },
  ...(['f16', 'bf16', 'q8_0', 'q6_k', 'q4_k', 'q4_0'] as const).map(
    (format): ModelCase => ({ name: `llama-${format}`, config: { ...WIDE, num_hidden_layers: 2 }, format }),
  ),
]

/** Tokens that every model is asked about. */
export const CASE_IDS: readonly number[] = Array.from({ length: 20 }, (_, i) => (i * 37 + 11) % 261)

/** A model with weights from a linear congruential generator: the same on every machine. */
export function caseModel({ config }: ModelCase): Decoder {
  const json = {
    model_type: 'llama',
    vocab_size: 261,
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    ...config,
  }
  const known = 'n_embd' in config ? { ...config, vocab_size: 261 } : json
  const wide = 'hidden_size' in config
  let state = 1
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) / 2 ** 23 - 1
  }
  const description = readModelConfig(JSON.parse(JSON.stringify(known)), 'config.json')
  return new Decoder(description, ({ path, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1)
    const middle = shape.length === 1 && path.endsWith('.weight') && !description.norm.unitOffset ? 1 : 0
    const width = wide && shape.length > 1 ? 0.125 : 0.375
    return Tensor.from(
      Float32Array.from({ length: count }, () => middle + width * next()),
      shape,
    ).keep()
  })
}

/** Writes the file of a case. */
export function writeModelCase(modelCase: ModelCase, model: Decoder, path: string): string {
  const { name, format } = modelCase
  return writeModelGguf(model, path, { format, tokenizer: tinyTokenizer(), name }).sha256
}

/** A LoRA of rank 3 on some matrices of the first case, with scales of their own. */
export function caseAdapters(): Map<string, AdapterMatrices> {
  const matrix = (rows: number, columns: number): Tensor =>
    Tensor.from(
      Float32Array.from({ length: rows * columns }, (_, i) => (((i * 37 + rows) % 41) - 20) / 64),
      [rows, columns],
    ).keep()
  const adapter = (outputs: number, inputs: number, scale: number): AdapterMatrices => ({
    A: matrix(3, inputs),
    B: matrix(outputs, 3),
    scale,
    isDora: false,
  })
  return new Map([
    ['model.layers.0.self_attn.q_proj', adapter(32, 32, 0.75)],
    ['model.layers.1.self_attn.k_proj', adapter(16, 32, 0.5)],
    ['model.layers.2.mlp.down_proj', adapter(32, 48, 0.75)],
  ])
}

/** Writes the adapter of the first case. */
export function writeAdapterCase(path: string): string {
  const model = caseModel(MODEL_CASES[0]!)
  const { sha256 } = exportAdapterGguf(model.config, caseAdapters(), path)
  model.free()
  return sha256
}

/** Tokenizers of the fixtures that llama.cpp has a counterpart for. */
export const TOKENIZER_CASES = ['gpt2', 'smollm', 'qwen2', 'llama3', 'o200k', 'llama2-legacy'] as const

export function caseTokenizer(name: string): Tokenizer {
  const file = new URL(`./fixtures/text/tokenizer-${name}.json`, import.meta.url)
  return Tokenizer.fromJson((JSON.parse(readFileSync(file, 'utf8')) as { tokenizer: unknown }).tokenizer)
}

/** Writes a file with nothing but the tokenizer. */
export function writeTokenizerCase(name: string, path: string): string {
  const tokenizer = caseTokenizer(name)
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['general.name', { type: 'string', value: name }],
    ...tokenizerMetadata(tokenizer, { vocabSize: tokenizer.vocabSize, eosTokenIds: [], file: name }),
  ])
  return writeGguf(path, metadata, []).sha256
}
