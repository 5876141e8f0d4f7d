// Keys of generation_config.json that change the text in Transformers and are not followed here: nobody shall take the engine's text
// for what the makers of the model meant without a word.

/** Values besides null, an empty list and an empty object with which a key changes nothing. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  bad_words_ids: [],
  begin_suppress_tokens: [],
  constraints: [],
  diversity_penalty: [0],
  dola_layers: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  exponential_decay_length_penalty: [],
  force_words_ids: [],
  forced_bos_token_id: [],
  forced_decoder_ids: [],
  forced_eos_token_id: [],
  guidance_scale: [1],
  max_length: [20], // what Transformers wrote where nothing was set
  max_time: [],
  min_length: [0],
  min_new_tokens: [0],
  no_repeat_ngram_size: [0],
  num_beam_groups: [1],
  num_beams: [1],
  penalty_alpha: [0],
  remove_invalid_values: [false],
  renormalize_logits: [false],
  sequence_bias: [],
  token_healing: [false],
  top_h: [],
  typical_p: [1],
  watermarking_config: [],
}

/** The keys of a parsed generation_config.json that are not followed although their values would count, with those: `num_beams 4`. */
export function unfollowedKeys(json: object): string[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const neutral = Object.hasOwn(NEUTRAL, key) ? NEUTRAL[key] : undefined
    const isEmpty = value === null || (typeof value === 'object' && Object.keys(value).length === 0)
    if (neutral === undefined || isEmpty || neutral.includes(value)) return []
    // As in Transformers, the number of new tokens counts before that of all.
    if (key === 'max_length' && 'max_new_tokens' in json && json.max_new_tokens !== null) return []
    return [typeof value === 'object' ? key : `${key} ${String(value)}`]
  })
}

/** A line for people about them; undefined where there are none. */
export function noticeOfUnfollowed(keys: readonly string[] = []): string | undefined {
  if (keys.length === 0) return undefined
  return `generation_config.json asks for what is not done here, so the text may differ from Transformers': ${keys.join(', ')}`
}
