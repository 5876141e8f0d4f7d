// What sets the decoder families apart, one row each: everything that config.json leaves to the model's class.
// Values are those of Transformers' `configuration_*.py` and `modeling_*.py`. Reading config.json is `config-read.ts`.

/** `model_type` of every decoder that Anneal runs. */
export type ModelType =
  | 'llama'
  | 'mistral'
  | 'qwen2'
  | 'qwen3'
  | 'gemma'
  | 'gemma2'
  | 'gemma3_text'
  | 'phi3'
  | 'olmo2'
  | 'smollm3'
  | 'gpt_neox'
  | 'gpt2'

/** Where a block normalises: before each branch, after it, both, or after it is added (`sum`, as BERT does). */
export type NormPlacement = 'pre' | 'post' | 'both' | 'sum'

/** Which biases a family's linears have; `key` means that config.json says (`attention_bias`, `mlp_bias`). */
export type BiasRule = 'none' | 'qkv' | 'all' | 'key'

/** How a family decides which layers see only a window of the past. */
export type WindowRule = 'none' | 'every-layer' | 'qwen' | 'gemma' | 'smollm3'

/** One family's fixed traits and the defaults of its configuration class. */
export interface Family {
  readonly architecture: string
  readonly norm: { readonly kind: 'rms' | 'layer'; readonly unitOffset: boolean; readonly placement: NormPlacement }
  readonly normEps: { readonly key: string; readonly fallback: number }
  readonly qkNorm: 'none' | 'head' | 'full'
  readonly activation: { readonly key: string; readonly fallback: string }
  readonly isGated: boolean
  readonly attentionBias: BiasRule
  readonly attentionBiasDefault: boolean
  readonly mlpBias: BiasRule
  readonly tieWordEmbeddings: boolean
  /** The key that says whether attention and MLP read the same input, by default true; null where they never do. */
  readonly parallelResidualKey: string | null
  readonly window: WindowRule
  readonly slidingWindow: number | null
  readonly numKeyValueHeads: number | null
  readonly headDim: number | null
  readonly maxPositionEmbeddings: number
  readonly positions: 'rotary' | 'learned'
  readonly ropeTheta: number
  /** True where `partial_rotary_factor` is read; elsewhere a value other than 1 is refused. */
  readonly hasPartialRotary: boolean
  readonly partialRotaryFactor: number
  /** True where LongRoPE is the class's own: published as `su` and `yarn`, too, with the original length at the top of config.json. */
  readonly hasLongRope: boolean
  /** True where `rope_parameters` has one entry per kind of layer. */
  readonly hasRopePerLayerType: boolean
  readonly isEmbeddingScaled: boolean
  /** `query_pre_attn_scalar` where the class has it, else null. */
  readonly queryPreAttnScalar: number | null
  /** `attn_logit_softcapping`, `final_logit_softcapping`; undefined where the class has none. */
  readonly softcapping: { readonly attn: number | null; readonly final: number | null } | undefined
  readonly dropout: Readonly<Record<'attention' | 'residual' | 'embedding', string | null>>
  readonly dropoutDefault: number
  /** Spellings of this family that differ from the usual ones. */
  readonly keys: Readonly<Record<string, string>>
  /** Keys of this family that do not change what a causal language model computes. */
  readonly inert: readonly string[]
}

const LLAMA: Family = {
  architecture: 'LlamaForCausalLM',
  norm: { kind: 'rms', unitOffset: false, placement: 'pre' },
  normEps: { key: 'rms_norm_eps', fallback: 1e-6 },
  qkNorm: 'none',
  activation: { key: 'hidden_act', fallback: 'silu' },
  isGated: true,
  attentionBias: 'key',
  attentionBiasDefault: false,
  mlpBias: 'key',
  tieWordEmbeddings: false,
  parallelResidualKey: null,
  window: 'none',
  slidingWindow: null,
  numKeyValueHeads: null,
  headDim: null,
  maxPositionEmbeddings: 2048,
  positions: 'rotary',
  ropeTheta: 10_000,
  hasPartialRotary: false,
  partialRotaryFactor: 1,
  hasLongRope: false,
  hasRopePerLayerType: false,
  isEmbeddingScaled: false,
  queryPreAttnScalar: null,
  softcapping: undefined,
  dropout: { attention: 'attention_dropout', residual: null, embedding: null },
  dropoutDefault: 0,
  keys: {},
  // pretraining_tp splits the same sums; the rest are remnants of conversion scripts.
  inert: ['pretraining_tp', 'max_sequence_length', 'is_llama_config'],
}

const QWEN2: Family = {
  ...LLAMA,
  architecture: 'Qwen2ForCausalLM',
  attentionBias: 'qkv',
  mlpBias: 'none',
  window: 'qwen',
  slidingWindow: 4096,
  numKeyValueHeads: 32,
  maxPositionEmbeddings: 32_768,
  inert: [],
}

const GEMMA: Family = {
  ...LLAMA,
  architecture: 'GemmaForCausalLM',
  norm: { kind: 'rms', unitOffset: true, placement: 'pre' },
  activation: { key: 'hidden_act', fallback: 'gelu_pytorch_tanh' },
  mlpBias: 'none',
  tieWordEmbeddings: true,
  numKeyValueHeads: 16,
  headDim: 256,
  maxPositionEmbeddings: 8192,
  isEmbeddingScaled: true,
  // Gemma 1 was published with both spellings, and both mean the tanh form (transformers#29402).
  inert: ['hidden_activation'],
}

const GEMMA2: Family = {
  ...GEMMA,
  architecture: 'Gemma2ForCausalLM',
  norm: { kind: 'rms', unitOffset: true, placement: 'both' },
  activation: { key: 'hidden_activation', fallback: 'gelu_pytorch_tanh' },
  window: 'gemma',
  slidingWindow: 4096,
  numKeyValueHeads: 4,
  queryPreAttnScalar: 256,
  softcapping: { attn: 50, final: 30 },
  // The class reads hidden_activation alone.
  inert: ['hidden_act', 'sliding_window_size'],
}

/** Every family by its `model_type`. */
export const FAMILIES: Readonly<Record<ModelType, Family>> = {
  llama: LLAMA,
  mistral: {
    ...LLAMA,
    architecture: 'MistralForCausalLM',
    attentionBias: 'none',
    mlpBias: 'none',
    window: 'every-layer',
    slidingWindow: 4096,
    numKeyValueHeads: 8,
    maxPositionEmbeddings: 131_072,
    inert: [],
  },
  qwen2: QWEN2,
  qwen3: { ...QWEN2, architecture: 'Qwen3ForCausalLM', attentionBias: 'key', qkNorm: 'head', headDim: 128 },
  gemma: GEMMA,
  gemma2: GEMMA2,
  gemma3_text: {
    ...GEMMA2,
    architecture: 'Gemma3ForCausalLM',
    qkNorm: 'head',
    maxPositionEmbeddings: 131_072,
    ropeTheta: 1_000_000,
    hasRopePerLayerType: true,
    softcapping: { attn: null, final: null },
  },
  phi3: {
    ...LLAMA,
    architecture: 'Phi3ForCausalLM',
    normEps: { key: 'rms_norm_eps', fallback: 1e-5 },
    attentionBias: 'none',
    mlpBias: 'none',
    window: 'every-layer',
    maxPositionEmbeddings: 4096,
    hasPartialRotary: true,
    hasLongRope: true,
    dropout: { attention: 'attention_dropout', residual: 'resid_pdrop', embedding: 'embd_pdrop' },
    // The class has no biases at all, whatever these published keys say.
    inert: ['attention_bias', 'mlp_bias', 'lm_head_bias', 'full_attn_mod', 'interpolate_factor'],
  },
  olmo2: {
    ...LLAMA,
    architecture: 'Olmo2ForCausalLM',
    norm: { kind: 'rms', unitOffset: false, placement: 'post' },
    normEps: { key: 'rms_norm_eps', fallback: 1e-5 },
    qkNorm: 'full',
    mlpBias: 'none',
    inert: [],
  },
  smollm3: {
    ...LLAMA,
    architecture: 'SmolLM3ForCausalLM',
    tieWordEmbeddings: true,
    window: 'smollm3',
    numKeyValueHeads: 4,
    maxPositionEmbeddings: 32_768,
    ropeTheta: 2_000_000,
    inert: ['pretraining_tp', 'max_window_layers'],
  },
  gpt_neox: {
    ...LLAMA,
    architecture: 'GPTNeoXForCausalLM',
    norm: { kind: 'layer', unitOffset: false, placement: 'pre' },
    normEps: { key: 'layer_norm_eps', fallback: 1e-5 },
    activation: { key: 'hidden_act', fallback: 'gelu' },
    isGated: false,
    attentionBiasDefault: true,
    mlpBias: 'all',
    parallelResidualKey: 'use_parallel_residual',
    hasPartialRotary: true,
    partialRotaryFactor: 0.25,
    dropout: { attention: 'attention_dropout', residual: 'hidden_dropout', embedding: 'hidden_dropout' },
    keys: { rope_theta: 'rotary_emb_base', partial_rotary_factor: 'rotary_pct' },
    inert: ['classifier_dropout'],
  },
  gpt2: {
    ...LLAMA,
    architecture: 'GPT2LMHeadModel',
    norm: { kind: 'layer', unitOffset: false, placement: 'pre' },
    normEps: { key: 'layer_norm_epsilon', fallback: 1e-5 },
    activation: { key: 'activation_function', fallback: 'gelu_new' },
    isGated: false,
    attentionBias: 'all',
    mlpBias: 'all',
    tieWordEmbeddings: true,
    maxPositionEmbeddings: 1024,
    positions: 'learned',
    dropout: { attention: 'attn_pdrop', residual: 'resid_pdrop', embedding: 'embd_pdrop' },
    dropoutDefault: 0.1,
    keys: {
      hidden_size: 'n_embd',
      num_hidden_layers: 'n_layer',
      num_attention_heads: 'n_head',
      intermediate_size: 'n_inner',
      max_position_embeddings: 'n_positions',
    },
    // reorder_and_upcast_attn changes the rounding in half precision, not the formula. n_ctx repeats n_positions.
    inert: [
      'n_ctx',
      'reorder_and_upcast_attn',
      'summary_type',
      'summary_use_proj',
      'summary_activation',
      'summary_proj_to_labels',
      'summary_first_dropout',
      'attention_dropout',
    ],
  },
}

/** Activations by their name in config.json; names of one formula share an entry. */
export const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_python_tanh: 'gelu_tanh',
  relu: 'relu',
}

/** The non-linearity of the MLP: `gelu` is the exact (erf) form. */
export type Activation = 'silu' | 'gelu' | 'gelu_tanh' | 'relu'
