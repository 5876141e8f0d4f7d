// Sizes for fresh models: the keys of a Hugging Face `config.json`, all Llama. `vocab_size` and the special
// tokens come from the tokenizer.

export const PRESET_NAMES = ['tiny', 'small', 'base'] as const

/** The name of a size of fresh models. */
export type PresetName = (typeof PRESET_NAMES)[number]

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  initializer_range: 0.02,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  max_position_embeddings: 2048,
  attention_bias: false,
  mlp_bias: false,
  attention_dropout: 0,
  tie_word_embeddings: true,
  use_cache: true,
}

const presets: Record<PresetName, { summary: string; config: Record<string, unknown> }> = {
  tiny: {
    summary: '6 layers, 128 wide: about 1 million parameters, minutes on a CPU',
    config: {
      ...llama,
      hidden_size: 128,
      intermediate_size: 352,
      num_hidden_layers: 6,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
    },
  },
  small: {
    summary: '12 layers, 384 wide: about 22 million parameters with 8,192 tokens, hours on a CPU',
    config: {
      ...llama,
      hidden_size: 384,
      intermediate_size: 1024,
      num_hidden_layers: 12,
      num_attention_heads: 6,
      num_key_value_heads: 2,
      head_dim: 64,
    },
  },
  base: {
    summary: '30 layers, 576 wide: the shape of SmolLM2-135M, for a GPU',
    config: {
      ...llama,
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      head_dim: 64,
      rope_theta: 100_000,
    },
  },
}

/** The `config.json` keys of a preset, a fresh copy, without `vocab_size`. */
export function presetConfig(name: PresetName): Record<string, unknown> {
  return structuredClone(presets[name].config)
}

/** Whether a word is the name of a preset. */
export function isPreset(name: unknown): name is PresetName {
  return PRESET_NAMES.includes(name as PresetName)
}
