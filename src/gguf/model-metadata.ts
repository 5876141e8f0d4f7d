// A decoder's description → the metadata of a GGUF file, and what llama.cpp would compute differently → a clear error. Nothing
// is written that llama.cpp ignores in silence: a model whose file would answer otherwise is refused, or its context is cut
// to where both agree, which comes back as a notice. The way back is model-config.ts.

import { UnsupportedError } from '../errors.ts'
import type { AttentionConfig, DecoderConfig } from '../model/config.ts'
import { FAMILIES } from '../model/families.ts'
import { type RopeConfig, ropeFrequencies, yarnAttentionScale } from '../nn/rope-frequencies.ts'
import { type Architecture, architectureOf, hasUnequalLayers, UNEQUAL_LAYERS } from './architectures.ts'
import type { GgufMetadata, GgufValue } from './values.ts'

/** Metadata of the model itself, and what the user should know. */
export interface ModelMetadata {
  readonly architecture: Architecture
  readonly metadata: GgufMetadata
  readonly contextLength: number
  /** `rope_freqs.weight` and the like: divisors of the rotary frequencies. */
  readonly ropeFactors: ReadonlyMap<string, Float32Array>
  readonly notices: readonly string[]
}

/** Describes a model in llama.cpp's words; an UnsupportedError says what llama.cpp cannot do. */
export function modelMetadata(config: DecoderConfig): ModelMetadata {
  const architecture = architectureOf(config)
  const attention = config.layers.find((layer) => layer.attention !== null)?.attention
  if (attention === undefined || attention === null) throw refusal('layers', 'at least one with attention', 'none')
  checkLayers(config, architecture)
  checkFormulas(config, architecture, attention)
  const metadata: GgufMetadata = new Map()
  const put = (key: string, value: GgufValue): unknown => metadata.set(`${architecture.name}.${key}`, value)
  const { context, notices } = contextOf(config, architecture)
  put('context_length', u32(context))
  put('embedding_length', u32(config.hiddenSize))
  put('block_count', u32(config.layers.length))
  const perLayer = (sizes: readonly number[]): GgufValue =>
    architecture === UNEQUAL_LAYERS ? { type: 'array', of: 'i32', value: Int32Array.from(sizes) } : u32(sizes[0]!)
  put('feed_forward_length', perLayer(config.layers.map((layer) => layer.mlp?.intermediateSize ?? 0)))
  put('attention.head_count', perLayer(config.layers.map((layer) => layer.attention?.numAttentionHeads ?? 0)))
  put('attention.head_count_kv', perLayer(config.layers.map((layer) => layer.attention?.numKeyValueHeads ?? 0)))
  put(`attention.layer_norm_${config.norm.kind === 'rms' ? 'rms_' : ''}epsilon`, f32(config.norm.eps))
  if (!config.hasLearnedPositions) {
    put('attention.key_length', u32(attention.headDim))
    put('attention.value_length', u32(attention.headDim))
  }
  put('vocab_size', u32(config.vocabSize))
  if (FAMILIES[config.modelType].parallelResidualKey !== null)
    put('use_parallel_residual', { type: 'bool', value: config.isParallelResidual })
  if (attention.logitSoftcapping !== null) put('attn_logit_softcapping', f32(attention.logitSoftcapping))
  if (config.finalLogitSoftcapping !== null) put('final_logit_softcapping', f32(config.finalLogitSoftcapping))
  const window = config.layers.find((layer) => layer.attention?.slidingWindow)?.attention?.slidingWindow
  if (architecture.fullAttentionEvery !== null && window) put('attention.sliding_window', u32(window))
  const rope = config.layers.find((layer) => layer.attention?.rope && !layer.attention.slidingWindow)?.attention?.rope
  const ropeFactors = putRope(rope ?? attention.rope, config, put)
  return { architecture, metadata, contextLength: context, ropeFactors, notices }
}

const u32 = (value: number): GgufValue => ({ type: 'u32', value })
const f32 = (value: number): GgufValue => ({ type: 'f32', value })

function refusal(what: string, expected: string, got: string, advice = ''): UnsupportedError {
  return new UnsupportedError(
    `export to GGUF: ${what}: expected ${expected}, got ${got}. ${advice || 'llama.cpp cannot compute this model; export it as a Hugging Face directory'}`,
  )
}

function checkLayers(config: DecoderConfig, architecture: Architecture): void {
  if (!hasUnequalLayers(config)) return
  const advice = 'Export it as a Hugging Face directory, or prune with equal sizes'
  if (architecture !== UNEQUAL_LAYERS) {
    throw refusal('per_layer_config', `equal layers in a ${config.modelType} model`, 'unequal ones', advice)
  }
  const half = config.layers.findIndex((layer) => layer.attention !== null && layer.mlp === null)
  if (half >= 0) throw refusal(`per_layer_config.${half}`, 'an MLP beside the attention', 'none', advice)
  if (config.layers[0]!.attention === null) throw refusal('per_layer_config.0', 'attention', 'none', advice)
}

/** What is fixed in llama.cpp's graphs. */
function checkFormulas(config: DecoderConfig, architecture: Architecture, attention: AttentionConfig): void {
  const scaledBy = attentionScalar(
    architecture,
    config.layers.length,
    attention.headDim,
    config.hiddenSize / attention.numAttentionHeads,
  )
  const { activations, fullAttentionEvery, unrotatedEvery, windowTheta } = architecture
  for (const [i, layer] of config.layers.entries()) {
    const own = layer.mlp?.activation
    if (own !== undefined && !activations.includes(own)) throw refusal('hidden_act', activations[0]!, own)
    const scale = layer.attention?.scale
    if (scale !== undefined && Math.abs(scale * Math.sqrt(scaledBy) - 1) > 1e-6) {
      throw refusal(`attention scale of layer ${i}`, `1/√${scaledBy}`, `${scale}`)
    }
    if (layer.attention === null) continue
    if (unrotatedEvery !== undefined && (layer.attention.rope !== null) !== ((i + 1) % unrotatedEvery !== 0)) {
      throw refusal('no_rope_layers', `layers ${unrotatedEvery}n`, 'others')
    }
    const isWindowed = layer.attention.slidingWindow !== null
    if (fullAttentionEvery !== null && isWindowed !== ((i + 1) % fullAttentionEvery !== 0)) {
      throw refusal('layer_types', `full attention in every layer ${fullAttentionEvery}n`, 'another pattern')
    }
    const local = layer.attention.rope
    if (windowTheta !== undefined && isWindowed && (local?.theta !== windowTheta || local.type !== 'default')) {
      throw refusal('rope_local_base_freq', `${windowTheta}`, `${local?.theta}`)
    }
  }
  const { qkv, others } = architecture.biases
  const hasOthers = config.layers.some((layer) => layer.attention?.hasOutputBias || layer.mlp?.hasOutputBias)
  if ((attention.hasQkvBias && !qkv) || (hasOthers && !others)) {
    throw refusal('biases', `${qkv ? 'those of q, k and v only' : 'none'} in a ${config.modelType} model`, 'others')
  }
  if (architecture.hasOwnHead && config.tieWordEmbeddings) throw refusal('tie_word_embeddings', 'false', 'true')
}

/** What the scores are divided by the root of: the size of a head, but in models that llama.cpp tells by their depth. */
export function attentionScalar(
  { scaledByWidthAt }: Architecture,
  numLayers: number,
  headDim: number,
  widthPerHead: number,
): number {
  return numLayers === scaledByWidthAt ? widthPerHead : headDim
}

/** The length up to which llama.cpp, which has no windows in most architectures, sees the same tokens. */
function contextOf(
  config: DecoderConfig,
  { fullAttentionEvery }: Architecture,
): { context: number; notices: string[] } {
  const windows = config.layers.flatMap((layer) => layer.attention?.slidingWindow ?? [])
  const whole = config.maxPositionEmbeddings
  const shortest = Math.min(...windows, whole)
  if (fullAttentionEvery !== null || shortest === whole) return { context: whole, notices: [] }
  const notice = `llama.cpp has no sliding window for this architecture: the context is cut from ${whole} to ${shortest} tokens, where both see the same`
  return { context: shortest, notices: [notice] }
}

/** Writes the rotary settings; returns tensors of divisors where they are more than a number. */
function putRope(
  rope: RopeConfig | null,
  config: DecoderConfig,
  put: (key: string, value: GgufValue) => unknown,
): Map<string, Float32Array> {
  const factors = new Map<string, Float32Array>()
  if (rope === null) return factors
  put('rope.dimension_count', u32(rope.rotaryDim))
  put('rope.freq_base', f32(rope.theta))
  switch (rope.type) {
    case 'default':
      break
    case 'linear':
      put('rope.scaling.type', { type: 'string', value: 'linear' })
      put('rope.scaling.factor', f32(rope.factor))
      break
    case 'llama3': {
      const base = ropeFrequencies({ type: 'default', theta: rope.theta, rotaryDim: rope.rotaryDim })
      const scaled = ropeFrequencies(rope).inverseFrequencies
      factors.set(
        'rope_freqs.weight',
        base.inverseFrequencies.map((frequency, i) => frequency / scaled[i]!),
      )
      break
    }
    case 'yarn':
      if (rope.betaFast !== 32 || rope.betaSlow !== 1 || !rope.truncate) {
        throw refusal('rope_scaling', 'beta_fast 32, beta_slow 1 and truncate', 'other values')
      }
      put('rope.scaling.type', { type: 'string', value: 'yarn' })
      put('rope.scaling.factor', f32(rope.factor))
      put('rope.scaling.original_context_length', u32(rope.originalMaxPositionEmbeddings))
      if (Math.abs(rope.attentionFactor - yarnAttentionScale(rope.factor)) > 1e-6) {
        throw refusal('rope_scaling.attention_factor', `${yarnAttentionScale(rope.factor)}`, `${rope.attentionFactor}`)
      }
      break
    case 'longrope':
      if (!FAMILIES[config.modelType].hasLongRope)
        throw refusal('rope_scaling.rope_type', 'longrope in a phi3 model only', config.modelType)
      put('rope.scaling.type', { type: 'string', value: 'longrope' })
      put('rope.scaling.original_context_length', u32(rope.originalMaxPositionEmbeddings))
      put('rope.scaling.attn_factor', f32(rope.attentionFactor))
      factors.set('rope_factors_long.weight', Float32Array.from(rope.longFactor))
      factors.set('rope_factors_short.weight', Float32Array.from(rope.shortFactor))
      break
    case 'dynamic':
      throw refusal('rope_scaling', 'a kind that llama.cpp has', 'dynamic')
  }
  return factors
}
