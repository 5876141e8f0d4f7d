// The config.json of published models, as Transformers 4 wrote them: the strict reader has to accept every key of these.

import { describe, expect, it } from 'vitest'
import { readModelConfig } from './config-read.ts'
import { modelParameters } from './hf-names.ts'

const SILU = {
  attention_dropout: 0.0,
  hidden_act: 'silu',
  initializer_range: 0.02,
  use_cache: true,
  torch_dtype: 'bfloat16',
  transformers_version: '4.46.0',
}
const LLAMA = {
  ...SILU,
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  attention_bias: false,
  mlp_bias: false,
  pretraining_tp: 1,
}

// biome-ignore format: one model a line
const PUBLISHED: [name: string, config: object, parameters: number][] = [
  ['TinyLlama 1.1B', { ...LLAMA, bos_token_id: 1, eos_token_id: 2, hidden_size: 2048, intermediate_size: 5632, max_position_embeddings: 2048, num_attention_heads: 32, num_hidden_layers: 22, num_key_value_heads: 4, rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 10000.0, tie_word_embeddings: false, vocab_size: 32000 }, 1_100_048_384],
  ['Llama 3.2 1B', { ...LLAMA, bos_token_id: 128000, eos_token_id: 128001, head_dim: 64, hidden_size: 2048, intermediate_size: 8192, max_position_embeddings: 131072, num_attention_heads: 32, num_hidden_layers: 16, num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_scaling: { factor: 32.0, high_freq_factor: 4.0, low_freq_factor: 1.0, original_max_position_embeddings: 8192, rope_type: 'llama3' }, rope_theta: 500000.0, tie_word_embeddings: true, vocab_size: 128256 }, 1_235_814_400],
  ['SmolLM2 135M', { ...LLAMA, bos_token_id: 0, eos_token_id: 0, hidden_size: 576, intermediate_size: 1536, is_llama_config: true, max_position_embeddings: 8192, num_attention_heads: 9, num_hidden_layers: 30, num_key_value_heads: 3, rms_norm_eps: 1e-5, rope_interleaved: false, rope_scaling: null, rope_theta: 100000, tie_word_embeddings: true, 'transformers.js_config': { kv_cache_dtype: {} }, vocab_size: 49152 }, 134_515_008],
  ['Mistral 7B', { ...SILU, architectures: ['MistralForCausalLM'], model_type: 'mistral', bos_token_id: 1, eos_token_id: 2, hidden_size: 4096, intermediate_size: 14336, max_position_embeddings: 32768, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_theta: 10000.0, sliding_window: 4096, tie_word_embeddings: false, vocab_size: 32000 }, 7_241_732_096],
  ['Qwen 2.5 0.5B', { ...SILU, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', bos_token_id: 151643, eos_token_id: 151643, hidden_size: 896, intermediate_size: 4864, max_position_embeddings: 32768, max_window_layers: 24, num_attention_heads: 14, num_hidden_layers: 24, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1000000.0, sliding_window: 32768, tie_word_embeddings: true, use_mrope: false, use_sliding_window: false, vocab_size: 151936 }, 494_032_768],
  ['Qwen 3 0.6B', { ...SILU, architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3', attention_bias: false, bos_token_id: 151643, eos_token_id: 151645, head_dim: 128, hidden_size: 1024, intermediate_size: 3072, max_position_embeddings: 40960, max_window_layers: 28, num_attention_heads: 16, num_hidden_layers: 28, num_key_value_heads: 8, rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 1000000, sliding_window: null, tie_word_embeddings: true, use_sliding_window: false, vocab_size: 151936 }, 596_049_920],
  ['Gemma 2 2B', { ...SILU, architectures: ['Gemma2ForCausalLM'], model_type: 'gemma2', hidden_act: 'gelu_pytorch_tanh', attention_bias: false, attn_logit_softcapping: 50.0, bos_token_id: 2, cache_implementation: 'hybrid', eos_token_id: [1, 107], final_logit_softcapping: 30.0, head_dim: 256, hidden_activation: 'gelu_pytorch_tanh', hidden_size: 2304, intermediate_size: 9216, max_position_embeddings: 8192, num_attention_heads: 8, num_hidden_layers: 26, num_key_value_heads: 4, pad_token_id: 0, query_pre_attn_scalar: 256, rms_norm_eps: 1e-6, rope_theta: 10000.0, sliding_window: 4096, vocab_size: 256000 }, 2_614_341_888],
  ['Gemma 3 1B', { architectures: ['Gemma3ForCausalLM'], model_type: 'gemma3_text', attention_bias: false, attention_dropout: 0.0, attn_logit_softcapping: null, bos_token_id: 2, cache_implementation: 'hybrid', eos_token_id: [1, 106], final_logit_softcapping: null, head_dim: 256, hidden_activation: 'gelu_pytorch_tanh', hidden_size: 1152, initializer_range: 0.02, intermediate_size: 6912, max_position_embeddings: 32768, num_attention_heads: 4, num_hidden_layers: 26, num_key_value_heads: 1, pad_token_id: 0, query_pre_attn_scalar: 256, rms_norm_eps: 1e-6, rope_local_base_freq: 10000, rope_scaling: null, rope_theta: 1000000, sliding_window: 512, sliding_window_pattern: 6, torch_dtype: 'bfloat16', transformers_version: '4.50.0.dev0', use_cache: true, vocab_size: 262144 }, 999_885_952],
  ['Phi 3 mini', { ...SILU, architectures: ['Phi3ForCausalLM'], model_type: 'phi3', _name_or_path: 'Phi-3-mini-4k-instruct', auto_map: { AutoConfig: 'configuration_phi3.Phi3Config' }, attention_bias: false, bos_token_id: 1, embd_pdrop: 0.0, eos_token_id: 32000, hidden_size: 3072, intermediate_size: 8192, max_position_embeddings: 4096, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, original_max_position_embeddings: 4096, pad_token_id: 32000, resid_pdrop: 0.0, rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 10000.0, sliding_window: 2047, tie_word_embeddings: false, vocab_size: 32064 }, 3_821_079_552],
  ['OLMo 2 7B', { ...SILU, architectures: ['Olmo2ForCausalLM'], model_type: 'olmo2', attention_bias: false, eos_token_id: 100257, hidden_size: 4096, intermediate_size: 11008, max_position_embeddings: 4096, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, pad_token_id: 100277, rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 500000, tie_word_embeddings: false, vocab_size: 100352 }, 7_298_617_344],
  ['SmolLM3 3B', { ...SILU, architectures: ['SmolLM3ForCausalLM'], model_type: 'smollm3', attention_bias: false, bos_token_id: null, eos_token_id: 128012, hidden_size: 2048, intermediate_size: 11008, layer_types: Array(36).fill('full_attention'), max_position_embeddings: 65536, max_window_layers: 28, mlp_bias: false, no_rope_layer_interval: 4, no_rope_layers: Array(9).fill([1, 1, 1, 0]).flat(), num_attention_heads: 16, num_hidden_layers: 36, num_key_value_heads: 4, pad_token_id: 128004, pretraining_tp: 2, rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 5000000.0, sliding_window: null, use_sliding_window: false, vocab_size: 128256 }, 3_075_098_624],
  ['Pythia 1B', { architectures: ['GPTNeoXForCausalLM'], bos_token_id: 0, eos_token_id: 0, hidden_act: 'gelu', hidden_size: 2048, initializer_range: 0.02, intermediate_size: 8192, layer_norm_eps: 1e-5, max_position_embeddings: 2048, model_type: 'gpt_neox', num_attention_heads: 8, num_hidden_layers: 16, rotary_emb_base: 10000, rotary_pct: 0.25, tie_word_embeddings: false, torch_dtype: 'float16', transformers_version: '4.24.0', use_cache: true, use_parallel_residual: true, vocab_size: 50304 }, 1_011_781_632],
  ['GPT-2', { activation_function: 'gelu_new', architectures: ['GPT2LMHeadModel'], attn_pdrop: 0.1, bos_token_id: 50256, embd_pdrop: 0.1, eos_token_id: 50256, initializer_range: 0.02, layer_norm_epsilon: 1e-5, model_type: 'gpt2', n_ctx: 1024, n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, resid_pdrop: 0.1, summary_activation: null, summary_first_dropout: 0.1, summary_proj_to_labels: true, summary_type: 'cls_index', summary_use_proj: true, task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } }, vocab_size: 50257 }, 124_439_808],
]

describe('published models', () => {
  it.each(PUBLISHED)('reads %s with its published number of parameters', (name, json, expected) => {
    const parameters = modelParameters(readModelConfig(json, name))
    expect(parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(expected)
  })
})
