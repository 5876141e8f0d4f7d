// Keys of config.json that are accepted and not read: some whatever they say, some as long as they switch nothing on. A family's
// own are in `families.ts`.

import { type ConfigFields, isObject, type JsonValue } from './config-fields.ts'

/** What does not change a causal language model's output: labels, caches, versions, generation defaults. */
// biome-ignore format: a list to search, not to read
export const INERT_KEYS: readonly string[] = [
  'transformers_version', 'use_cache', '_name_or_path', 'name_or_path', '_commit_hash', 'auto_map',
  'tokenizer_class', '_attn_implementation', '_attn_implementation_autoset', 'attn_implementation',
  '_flash_attn_2_enabled', 'output_attentions', 'output_hidden_states', 'output_scores', 'return_dict',
  'return_dict_in_generate', 'id2label', 'label2id', 'num_labels', 'problem_type', 'label_thresholds',
  'finetuning_task',
  'task_specific_params', 'classifier_dropout', 'torchscript', 'use_bfloat16', 'tf_legacy_loss',
  'gradient_checkpointing', 'chunk_size_feed_forward', 'is_decoder', 'tie_encoder_decoder',
  'cross_attention_hidden_size', 'decoder_start_token_id', 'prefix', 'sep_token_id', 'cls_token_id',
  'model_max_length', 'cache_implementation', 'unsloth_fixed', 'unsloth_version', 'transformers.js_config',
  'custom_pipelines', 'max_length', 'max_new_tokens', 'min_length', 'do_sample', 'early_stopping', 'num_beams',
  'num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty',
  'length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids',
  'num_return_sequences', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens',
  'begin_suppress_tokens', 'forced_bos_token_id', 'forced_eos_token_id', '_pre_quantization_dtype',
  // pretraining_tp splits the same sums; it and these came over from Llama with the code of others.
  'pretraining_tp', 'max_sequence_length',
  // Of mixtures of experts: without experts they route nothing.
  'output_router_logits', 'router_aux_loss_coef', 'router_jitter_noise', 'norm_topk_prob', 'decoder_sparse_step',
]

/** Features that some families have, by the values that leave them off. */
const OFF: Readonly<Record<string, readonly JsonValue[]>> = {
  use_sliding_window: [false],
  num_experts: [0],
  num_local_experts: [0, 1],
  num_experts_per_tok: [0, 1],
  n_routed_experts: [0],
  use_qk_norm: [false],
  qk_norm: [false],
  use_moe: [false],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  logits_scaling: [1],
  logit_scale: [1],
  scale_attn_weights: [true],
  scale_attn_by_inverse_layer_idx: [false],
}

/** What windows are made of: nothing while `use_sliding_window` is false. */
const WINDOW_KEYS = ['sliding_window', 'max_window_layers']

/** True for a key that no family here reads, with a value that says what is so anyway. */
export function isWithoutEffect(key: string, fields: ConfigFields): boolean {
  const value = fields.raw(key)
  if (Object.hasOwn(OFF, key)) return OFF[key]!.includes(value)
  if (WINDOW_KEYS.includes(key)) return fields.raw('use_sliding_window') === false
  if (key === 'layer_types') return Array.isArray(value) && value.every((type) => type === 'full_attention')
  if (/(?:dropout|_pdrop)$/.test(key)) return value === 0
  // Which biases there are is seen in the weights, which must match: the classes that have no such key ignore it.
  if (key === 'attention_bias' || key === 'mlp_bias') return typeof value === 'boolean'
  if (/(?:^|_)bias$/.test(key)) return value === false
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
}
