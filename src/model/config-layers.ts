// config.json → the list of layers: shapes, attention windows, scales, and what single layers override.
// Overrides use Transformers 5's `per_layer_config`: `{"3": {"intermediate_size": 96, "skip": ["attention"]}}`. Two keys are our own:
// `attention_output_bias` and `mlp_output_bias`, at the top or by layer, for a bias on o_proj or down_proj alone.

import type { AttentionConfig, LayerConfig, MlpConfig } from './config.ts'
import { ConfigFields, type JsonValue } from './config-fields.ts'
import { readRopes, readRotatingLayers } from './config-rope.ts'
import { ACTIVATIONS, type Activation, type Family } from './families.ts'

/** Larger than any published width, small enough that a hostile file cannot overflow a product of two. */
export const MAX_SIZE: number = 2 ** 24
const MAX_LAYERS = 4096
const SIZES = { min: 1, max: MAX_SIZE }

/** Reads every layer: shapes, scales, windows, rotations and the overrides of `per_layer_config`. */
export function readLayers(
  fields: ConfigFields,
  family: Family,
  hiddenSize: number,
  maxPositionEmbeddings: number,
): LayerConfig[] {
  const key = (name: string): string => family.keys[name] ?? name
  const count = fields.integer(key('num_hidden_layers'), { min: 1, max: MAX_LAYERS })
  const heads = fields.integer(key('num_attention_heads'), SIZES)
  const isGpt = family.positions === 'learned' || !family.isGated
  const keyValueHeads = isGpt ? heads : readKeyValueHeads(fields, family, heads)
  const headDim = readHeadDim(fields, family, hiddenSize, heads)
  const intermediateSize = fields.integer(
    key('intermediate_size'),
    SIZES,
    family.positions === 'learned' ? 4 * hiddenSize : undefined,
  )
  const mlpBias = family.mlpBias === 'all' || (family.mlpBias === 'key' && fields.boolean('mlp_bias', false))
  const attentionBias = family.attentionBias === 'key' && fields.boolean('attention_bias', family.attentionBiasDefault)
  const hasAttentionBias = family.attentionBias === 'all' || attentionBias
  const attentionOutputBias = fields.boolean('attention_output_bias', hasAttentionBias)
  const mlpOutputBias = fields.boolean('mlp_output_bias', mlpBias)
  const scales = readScales(fields, family, headDim, count)
  const logitSoftcapping = readSoftcapping(fields, 'attn_logit_softcapping', family.softcapping?.attn)
  const windows = readWindows(fields, family, count)
  const ropes = readRopes(fields, family, { headDim, maxPositionEmbeddings, windows })
  const activation = readActivation(fields, family)
  const overrides = readLayerOverrides(fields, count)

  return Array.from({ length: count }, (_, i) => {
    const own = overrides.get(i)
    const numAttentionHeads = own?.integer('num_attention_heads', SIZES, heads) ?? heads
    const numKeyValueHeads = own?.integer('num_key_value_heads', SIZES, keyValueHeads) ?? keyValueHeads
    if (numAttentionHeads % numKeyValueHeads !== 0) {
      const where = own ?? fields
      where.fail('num_key_value_heads', `a divisor of the ${numAttentionHeads} attention heads`, numKeyValueHeads)
    }
    const attention: AttentionConfig = {
      numAttentionHeads,
      numKeyValueHeads,
      headDim,
      scale: scales[i]!,
      logitSoftcapping,
      slidingWindow: windows[i]!,
      rope: ropes[i]!,
      qkNorm: family.qkNorm,
      hasQkvBias: hasAttentionBias || family.attentionBias === 'qkv',
      hasOutputBias: own?.boolean('attention_output_bias', attentionOutputBias) ?? attentionOutputBias,
    }
    const mlp: MlpConfig = {
      intermediateSize: own?.integer('intermediate_size', SIZES, intermediateSize) ?? intermediateSize,
      activation,
      isGated: family.isGated,
      hasBias: mlpBias,
      hasOutputBias: own?.boolean('mlp_output_bias', mlpOutputBias) ?? mlpOutputBias,
    }
    const skip = own?.list('skip', '"attention" or "mlp"', isBranch) ?? []
    const unknown = own?.unread()[0]
    if (own !== undefined && unknown !== undefined) {
      own.refuse(
        unknown,
        'num_attention_heads, num_key_value_heads, intermediate_size, attention_output_bias, mlp_output_bias or skip',
        own.raw(unknown),
        'Nothing else may differ between layers. Remove it.',
      )
    }
    return { attention: skip.includes('attention') ? null : attention, mlp: skip.includes('mlp') ? null : mlp }
  })
}

const isBranch = (entry: JsonValue): entry is 'attention' | 'mlp' => entry === 'attention' || entry === 'mlp'

const isLayerType = (entry: JsonValue): entry is LayerType =>
  entry === 'full_attention' || entry === 'sliding_attention'

type LayerType = 'full_attention' | 'sliding_attention'

/** A soft cap; null when switched off. A family without the key (`fallback` undefined) does not read it. */
export function readSoftcapping(fields: ConfigFields, key: string, fallback: number | null | undefined): number | null {
  if (fallback === undefined) return null
  return fields.isMissing(key) ? fallback : fields.optionalNumber(key, { above: 0 })
}

/** Null means as many as query heads, in all classes; a missing key has the default of its class. */
function readKeyValueHeads(fields: ConfigFields, family: Family, heads: number): number {
  const fallback = fields.isMissing('num_key_value_heads') ? (family.numKeyValueHeads ?? heads) : heads
  return fields.integer('num_key_value_heads', SIZES, fallback)
}

function readHeadDim(fields: ConfigFields, family: Family, hiddenSize: number, heads: number): number {
  const headDim = fields.has('head_dim') ? fields.integer('head_dim', SIZES) : family.headDim
  if (headDim !== null) {
    if (!family.isGated && headDim * heads !== hiddenSize) fields.fail('head_dim', `${hiddenSize / heads}`, headDim)
    return headDim
  }
  if (hiddenSize % heads === 0) return hiddenSize / heads
  return fields.fail(family.keys.hidden_size ?? 'hidden_size', `a multiple of the ${heads} attention heads`, hiddenSize)
}

function readScales(fields: ConfigFields, family: Family, headDim: number, count: number): number[] {
  if (family.queryPreAttnScalar !== null) {
    const scalar = fields.number('query_pre_attn_scalar', { above: 0 }, family.queryPreAttnScalar)
    return Array(count).fill(scalar ** -0.5)
  }
  const scale = headDim ** -0.5
  if (family.positions === 'rotary') return Array(count).fill(scale)
  const base = fields.boolean('scale_attn_weights', true) ? scale : 1
  const isByLayer = fields.boolean('scale_attn_by_inverse_layer_idx', false)
  return Array.from({ length: count }, (_, i) => (isByLayer ? base / (i + 1) : base))
}

function readActivation(fields: ConfigFields, family: Family): Activation {
  const { key, fallback } = family.activation
  const name = fields.string(key, fallback)
  // Gemma 1 was published as "gelu" and trained with the tanh form (transformers#29402).
  if (family.architecture === 'GemmaForCausalLM' && name === 'gelu') return 'gelu_tanh'
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name]!
  return fields.refuse(key, `one of ${Object.keys(ACTIVATIONS).join(', ')}`, name)
}

/** The window of each layer, null where the layer sees everything. */
function readWindows(fields: ConfigFields, family: Family, count: number): (number | null)[] {
  if (family.window === 'none') return Array(count).fill(null)
  const isOn =
    family.window === 'qwen' || family.window === 'smollm3' ? fields.boolean('use_sliding_window', false) : true
  const given = fields.isMissing('sliding_window')
    ? family.slidingWindow
    : fields.optionalInteger('sliding_window', SIZES)
  const window = isOn ? given : null
  if (family.window === 'every-layer') return Array(count).fill(window)

  const types = readLayerTypes(fields, count) ?? defaultLayerTypes(fields, family, count, window)
  if (window === null && types.includes('sliding_attention')) {
    fields.fail(
      'sliding_window',
      'a window, because layer_types has sliding_attention',
      isOn ? null : 'use_sliding_window off',
    )
  }
  return types.map((type) => (type === 'sliding_attention' ? window : null))
}

function readLayerTypes(fields: ConfigFields, count: number): LayerType[] | null {
  // These shape the default of layer_types and mean nothing beside it.
  for (const key of ['max_window_layers', 'sliding_window_pattern', '_sliding_window_pattern']) fields.raw(key)
  const types = fields.list('layer_types', '"full_attention" or "sliding_attention"', isLayerType)
  if (types !== null && types.length !== count) fields.fail('layer_types', `${count} entries`, types.length)
  return types
}

function defaultLayerTypes(fields: ConfigFields, family: Family, count: number, window: number | null): LayerType[] {
  const slides = ((): ((layer: number) => boolean) => {
    if (family.window === 'qwen') {
      const first = fields.integer('max_window_layers', { min: 0, max: MAX_LAYERS }, 28)
      return (layer) => window !== null && layer >= first
    }
    if (family.window === 'smollm3') {
      const rotates = readRotatingLayers(fields, count)
      return (layer) => window !== null && !rotates[layer]
    }
    const pattern = family.hasRopePerLayerType ? fields.integer('sliding_window_pattern', SIZES, 6) : 2
    return (layer) => (layer + 1) % pattern !== 0
  })()
  return Array.from({ length: count }, (_, layer) => (slides(layer) ? 'sliding_attention' : 'full_attention'))
}

function readLayerOverrides(fields: ConfigFields, count: number): Map<number, ConfigFields> {
  const all = fields.child('per_layer_config')
  const overrides = new Map<number, ConfigFields>()
  for (const key of all?.unread() ?? []) {
    const layer = /^\d{1,6}$/.test(key) ? Number(key) : Number.NaN
    if (!(layer < count) || overrides.has(layer)) all!.fail(key, `each layer from 0 to ${count - 1} at most once`, key)
    overrides.set(layer, all!.child(key) ?? new ConfigFields({}, fields.file, all!.name(key)))
  }
  return overrides
}
