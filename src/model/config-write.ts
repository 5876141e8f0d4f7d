// A decoder's description → config.json in the v4 spelling (`rope_theta`, `rope_scaling`, `torch_dtype`), which
// Transformers 4.40 and later, 5, vLLM and llama.cpp all read; Transformers 4 does not read the v5 spelling.
// Starts from the object that was read, so keys that are not modelled survive, and rewrites every key that is.

import { isDeepStrictEqual } from 'node:util'
import { UnsupportedError } from '../errors.ts'
import { longropeAttentionScale, type RopeConfig, yarnAttentionScale } from '../nn/rope-frequencies.ts'
import type { AttentionConfig, DecoderConfig, LayerConfig, MlpConfig } from './config.ts'
import type { JsonObject, JsonValue } from './config-fields.ts'
import { pooledClass, readModelConfig } from './config-read.ts'
import { FAMILIES, type Family } from './families.ts'
import { labelKeys, withoutLabelKeys } from './labels.ts'

/**
 * The JSON object to save as config.json; reading it again gives the same description (`raw` aside), which is checked:
 * a description that config.json cannot express throws {@link UnsupportedError} instead of being saved as another model.
 */
export function writeModelConfig(config: DecoderConfig): JsonObject {
  const json = spell(config)
  const reread = readModelConfig(json, 'config.json', config.labels && {})
  const key = Object.keys(config).find(
    (name) =>
      !NOT_COMPARED.includes(name) &&
      !isDeepStrictEqual(reread[name as keyof DecoderConfig], config[name as keyof DecoderConfig]),
  )
  if (key === undefined) return json
  throw new UnsupportedError(
    `model config to write: ${key}: expected what config.json of a ${config.modelType} can express, got something else. ` +
      'Undo the change of this part of the model.',
  )
}

/**
 * The text of config.json. Numbers that Python declares as floats keep a decimal point (`30.0`), which JSON.stringify
 * drops and Transformers 5 insists on.
 */
export function formatModelConfig(json: JsonObject): string {
  const floats =
    '(?:(?:rms|layer)_)?norm_eps|layer_norm_epsilon|initializer_range|initializer_cutoff_factor|logit_scale|(?:attn|final)_logit_softcapping|' +
    'rope_theta|rope_local_base_freq|rotary_emb_base|rotary_pct|partial_rotary_factor|' +
    'factor|attention_factor|low_freq_factor|high_freq_factor|beta_fast|beta_slow'
  const wholeFloat = new RegExp(`^(\\s*"(?:${floats})": -?\\d+)(,?)$`, 'gm')
  return `${JSON.stringify(json, null, 2).replace(wholeFloat, '$1.0$2')}\n`
}

/** A wrapper's text part is written as the model that it is. */
const NOT_COMPARED = ['raw', 'wrapperType']

/** Keys that are written where they are needed only. */
const REWRITTEN = ['rope_parameters', 'dtype', 'per_layer_config', 'attention_output_bias', 'mlp_output_bias']

function spell(config: DecoderConfig): JsonObject {
  const family = FAMILIES[config.modelType]
  const key = (name: string): string => family.keys[name] ?? name
  const kept = Object.fromEntries(
    Object.entries(config.labels === undefined ? config.raw : withoutLabelKeys(config.raw)).filter(
      ([name]) => !REWRITTEN.includes(name),
    ),
  )
  const attention = topAttention(config, family)
  const mlp = commonest(config.layers, (layer) => layer.mlp)
  const json: JsonObject = {
    ...kept,
    architectures: [config.labels === undefined ? family.architecture : pooledClass(family)],
    model_type: config.modelType,
    vocab_size: config.vocabSize,
    [key('hidden_size')]: config.hiddenSize,
    [key('num_hidden_layers')]: config.layers.length,
    [key('max_position_embeddings')]: config.maxPositionEmbeddings,
    [family.normEps.key]: config.norm.eps,
    tie_word_embeddings: config.tieWordEmbeddings,
    initializer_range: config.initializerRange,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds.length > 1 ? [...config.eosTokenIds] : (config.eosTokenIds[0] ?? null),
    pad_token_id: config.padTokenId,
    ...labelKeys(config.labels ?? [], config.labelThresholds ?? null),
  }
  if (config.dtype !== null) json.torch_dtype = config.dtype
  if (family.softcapping !== undefined) json.final_logit_softcapping = config.finalLogitSoftcapping
  if (family.parallelResidualKey !== null) json[family.parallelResidualKey] = config.isParallelResidual
  for (const kind of ['attention', 'residual', 'embedding'] as const) {
    const dropoutKey = family.dropout[kind]
    if (dropoutKey !== null) json[dropoutKey] = config.dropout[kind]
  }
  if (attention !== null) Object.assign(json, attentionKeys(config, family, attention))
  if (mlp !== null) json[key('intermediate_size')] = mlp.intermediateSize
  if (mlp !== null && family.mlpBias === 'key') json.mlp_bias = mlp.hasBias
  if (mlp !== null && mlp.hasOutputBias !== mlp.hasBias) json.mlp_output_bias = mlp.hasOutputBias
  const overrides = layerOverrides(config.layers, attention, mlp)
  return Object.keys(overrides).length === 0 ? json : { ...json, per_layer_config: overrides }
}

/** The branch that most layers have, which the top-level keys describe; null when no layer has one. */
function commonest<T extends AttentionConfig | MlpConfig>(
  layers: readonly LayerConfig[],
  branchOf: (layer: LayerConfig) => T | null,
): T | null {
  const counted = new Map<string, { branch: T; count: number }>()
  for (const branch of layers.map(branchOf)) {
    if (branch === null) continue
    const sizes = JSON.stringify(sizesOf(branch))
    counted.set(sizes, { branch, count: (counted.get(sizes)?.count ?? 0) + 1 })
  }
  return [...counted.values()].sort((a, b) => b.count - a.count)[0]?.branch ?? null
}

/** What the attention keys at the top describe. Where there is no head_dim, their number of heads says what a head's size is. */
function topAttention({ layers, hiddenSize }: DecoderConfig, family: Family): AttentionConfig | null {
  const attention = commonest(layers, (layer) => layer.attention)
  if (attention === null || family.isGated) return attention
  const heads = hiddenSize / attention.headDim
  return { ...attention, numAttentionHeads: heads, numKeyValueHeads: heads }
}

/** What may differ between layers. */
function sizesOf(branch: AttentionConfig | MlpConfig): Record<string, number | boolean> {
  if ('intermediateSize' in branch)
    return { intermediate_size: branch.intermediateSize, mlp_output_bias: branch.hasOutputBias }
  return {
    num_attention_heads: branch.numAttentionHeads,
    num_key_value_heads: branch.numKeyValueHeads,
    attention_output_bias: branch.hasOutputBias,
  }
}

function layerOverrides(
  layers: readonly LayerConfig[],
  attention: AttentionConfig | null,
  mlp: MlpConfig | null,
): JsonObject {
  const overrides: JsonObject = {}
  layers.forEach((layer, i) => {
    const sizes = { ...(layer.attention && sizesOf(layer.attention)), ...(layer.mlp && sizesOf(layer.mlp)) }
    const common: Record<string, number | boolean> = { ...(attention && sizesOf(attention)), ...(mlp && sizesOf(mlp)) }
    const own: JsonObject = Object.fromEntries(Object.entries(sizes).filter(([name, size]) => common[name] !== size))
    const skip = [...(layer.attention === null ? ['attention'] : []), ...(layer.mlp === null ? ['mlp'] : [])]
    if (skip.length > 0) own.skip = skip
    if (Object.keys(own).length > 0) overrides[i] = own
  })
  return overrides
}

function attentionKeys(config: DecoderConfig, family: Family, attention: AttentionConfig): JsonObject {
  const json: JsonObject = { [family.keys.num_attention_heads ?? 'num_attention_heads']: attention.numAttentionHeads }
  if (family.isGated) {
    json.num_key_value_heads = attention.numKeyValueHeads
    json.head_dim = attention.headDim
  }
  if (family.attentionBias === 'key') json.attention_bias = attention.hasQkvBias
  const impliedBias = family.attentionBias !== 'qkv' && attention.hasQkvBias
  if (attention.hasOutputBias !== impliedBias) json.attention_output_bias = attention.hasOutputBias
  if (family.softcapping !== undefined) json.attn_logit_softcapping = attention.logitSoftcapping
  return { ...json, ...windowKeys(config, family), ...ropeKeys(config, family) }
}

function windowKeys(config: DecoderConfig, family: Family): JsonObject {
  if (family.window === 'none') return {}
  const windows = config.layers.map((layer) => layer.attention?.slidingWindow ?? null)
  const window = windows.find((size) => size !== null) ?? null
  if (family.window === 'every-layer') return { sliding_window: window }
  const json: JsonObject = {
    layer_types: windows.map((size) => (size === null ? 'full_attention' : 'sliding_attention')),
  }
  // Where no layer is left to use it, the window that was read stays for whoever reads the file.
  if (window !== null) json.sliding_window = window
  if (family.window !== 'gemma') json.use_sliding_window = window !== null
  // What releases before layer_types go by: the windowed layers are the last ones.
  if (family.window === 'qwen' && window !== null) json.max_window_layers = windows.findIndex((size) => size !== null)
  if (family.window === 'smollm3') {
    json.no_rope_layers = config.layers.map((layer) => (layer.attention?.rope === null ? 0 : 1))
  }
  return json
}

function ropeKeys(config: DecoderConfig, family: Family): JsonObject {
  const ropeOf = (isWindowed: boolean): RopeConfig | null =>
    config.layers.map((layer) => layer.attention).find((a) => a?.rope && (a.slidingWindow !== null) === isWindowed)
      ?.rope ?? null
  const sliding = ropeOf(true)
  const full = ropeOf(false) ?? sliding
  if (full === null) return {}
  const json: JsonObject = {
    [family.keys.rope_theta ?? 'rope_theta']: full.theta,
    rope_scaling: ropeScaling(full, family, config.maxPositionEmbeddings),
  }
  if (family.hasRopePerLayerType && sliding !== null) json.rope_local_base_freq = sliding.theta
  // Stretched local layers have no v4 spelling; no published model has them.
  if (family.hasRopePerLayerType && sliding !== null && sliding.type !== 'default') {
    return { ...json, rope_scaling: null, rope_parameters: config.raw.rope_parameters ?? null }
  }
  if (family.hasPartialRotary) {
    const headDim = config.layers.find((layer) => layer.attention !== null)!.attention!.headDim
    json[family.keys.partial_rotary_factor ?? 'partial_rotary_factor'] = full.rotaryDim / headDim
  }
  if ('originalMaxPositionEmbeddings' in full && family.hasLongRope) {
    json.original_max_position_embeddings = full.originalMaxPositionEmbeddings
  }
  return json
}

/** Transformers 4.40 wants exactly `type` and `factor`; the later variants came with `rope_type`. */
function ropeScaling(rope: RopeConfig, family: Family, maxPositionEmbeddings: number): JsonValue {
  switch (rope.type) {
    case 'default':
      return null
    case 'linear':
    case 'dynamic':
      // Gemma 3 came later and heeds rope_type alone.
      return { [family.hasRopePerLayerType ? 'rope_type' : 'type']: rope.type, factor: rope.factor }
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: rope.factor,
        low_freq_factor: rope.lowFreqFactor,
        high_freq_factor: rope.highFreqFactor,
        original_max_position_embeddings: rope.originalMaxPositionEmbeddings,
      }
    case 'yarn': {
      const json: JsonObject = {
        rope_type: 'yarn',
        factor: rope.factor,
        beta_fast: rope.betaFast,
        beta_slow: rope.betaSlow,
        original_max_position_embeddings: rope.originalMaxPositionEmbeddings,
      }
      if (!rope.truncate) json.truncate = false
      if (rope.attentionFactor !== yarnAttentionScale(rope.factor)) json.attention_factor = rope.attentionFactor
      return json
    }
    case 'longrope': {
      const json: JsonObject = { short_factor: [...rope.shortFactor], long_factor: [...rope.longFactor] }
      const implied = longropeAttentionScale(
        maxPositionEmbeddings / rope.originalMaxPositionEmbeddings,
        rope.originalMaxPositionEmbeddings,
      )
      if (rope.attentionFactor !== implied) json.attention_factor = rope.attentionFactor
      if (family.architecture === 'Phi3ForCausalLM') return { type: 'longrope', ...json }
      return { rope_type: 'longrope', ...json, original_max_position_embeddings: rope.originalMaxPositionEmbeddings }
    }
  }
}
