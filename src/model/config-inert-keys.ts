// Keys of config.json that are accepted and not read, for every family; a family's own are in `families.ts`.

/** What does not change a causal language model's output: labels, caches, versions, generation defaults. */
// biome-ignore format: a list to search, not to read
export const INERT_KEYS: readonly string[] = [
  'transformers_version', 'use_cache', '_name_or_path', 'name_or_path', '_commit_hash', 'auto_map',
  'tokenizer_class', '_attn_implementation', '_attn_implementation_autoset', 'attn_implementation',
  '_flash_attn_2_enabled', 'output_attentions', 'output_hidden_states', 'output_scores', 'return_dict',
  'return_dict_in_generate', 'id2label', 'label2id', 'num_labels', 'problem_type', 'finetuning_task',
  'task_specific_params', 'classifier_dropout', 'torchscript', 'use_bfloat16', 'tf_legacy_loss',
  'gradient_checkpointing', 'chunk_size_feed_forward', 'is_decoder', 'tie_encoder_decoder',
  'cross_attention_hidden_size', 'decoder_start_token_id', 'prefix', 'sep_token_id', 'cls_token_id',
  'model_max_length', 'cache_implementation', 'unsloth_fixed', 'unsloth_version', 'transformers.js_config',
  'custom_pipelines', 'max_length', 'max_new_tokens', 'min_length', 'do_sample', 'early_stopping', 'num_beams',
  'num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty',
  'length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids',
  'num_return_sequences', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens',
  'begin_suppress_tokens', 'forced_bos_token_id', 'forced_eos_token_id',
]
