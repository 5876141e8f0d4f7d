// config.json of an encoder → its description, and back. As for decoders nothing is ignored: a key that nobody read and that is not
// known to change nothing is an error that names it.

import { InputError, UnsupportedError } from '../../errors.ts'
import type { RopeConfig } from '../../nn/rope-frequencies.ts'
import type { LayerConfig } from '../config.ts'
import { ConfigFields, type JsonObject, type JsonValue } from '../config-fields.ts'
import { INERT_KEYS, isWithoutEffect } from '../config-inert-keys.ts'
import { MAX_SIZE } from '../config-layers.ts'
import { readDtype, readTokenIds, refuseForeignQuantization } from '../config-read.ts'
import { ACTIVATIONS, type Activation } from '../families.ts'
import { labelKeys, withoutLabelKeys } from '../labels.ts'
import type { EncoderConfig, HeadWish } from './config.ts'
import { ENCODER_FAMILIES, type EncoderFamily, type EncoderType, isEncoderType } from './families.ts'
import { readHead } from './head-config.ts'

const SIZE = { min: 1, max: MAX_SIZE }
const RATE = { min: 0, max: 1 }

/**
 * Reads a parsed config.json of an encoder; `file` is used in messages. The head is the one that `architectures` names, unless `head`
 * says another. Throws {@link UnsupportedError} for what is not implemented, {@link InputError} for wrong types and sizes.
 */
export function readEncoderConfig(json: unknown, file: string, head?: HeadWish): EncoderConfig {
  const fields = new ConfigFields(json, file)
  const modelType = fields.string('model_type') as EncoderType
  if (!isEncoderType(modelType))
    fields.refuse('model_type', `an encoder (${Object.keys(ENCODER_FAMILIES).join(', ')})`, modelType)
  const family = ENCODER_FAMILIES[modelType]
  refuse(fields)
  const hiddenSize = fields.integer(family.keys.hidden, SIZE)
  const padTokenId = readTokenIds(fields, 'pad_token_id')[0] ?? family.padTokenId
  if (padTokenId >= fields.integer('vocab_size', SIZE) && fields.raw('pad_token_id') != null)
    throw new InputError(
      `model config in ${file}: pad_token_id: expected an id below ${fields.integer('vocab_size', SIZE)} (vocab_size), got ${padTokenId}`,
    )
  const activation = readActivation(fields, family.keys.activation)
  const rate = (key: string | null): number =>
    key === null ? 0 : fields.number(key, RATE, modelType === 'modernbert' ? 0 : 0.1)
  const dropout = {
    attention: rate(family.dropout.attention),
    residual: rate(family.dropout.residual),
    embedding: rate(family.dropout.embedding),
  }
  const isRotary = family.positions === 'rotary'
  const config: Omit<EncoderConfig, 'head'> = {
    modelType,
    vocabSize: fields.integer('vocab_size', SIZE),
    hiddenSize,
    embeddingSize: modelType === 'electra' ? fields.integer('embedding_size', SIZE, 128) : hiddenSize,
    maxPositionEmbeddings: fields.integer('max_position_embeddings', SIZE, isRotary ? 8192 : 512),
    hasLearnedPositions: !isRotary,
    positionOffset: family.positions === 'after-padding' ? padTokenId + 1 : 0,
    typeVocabSize:
      family.typeVocabSize === 0
        ? 0
        : fields.integer('type_vocab_size', { min: 0, max: MAX_SIZE }, family.typeVocabSize),
    layers: readLayers(fields, family, hiddenSize, activation),
    norm: {
      kind: 'layer',
      unitOffset: false,
      placement: family.placement,
      eps:
        family.normEps.key === null
          ? family.normEps.fallback
          : fields.number(family.normEps.key, { above: 0 }, family.normEps.fallback),
      ...(isRotary && { hasBias: fields.boolean('norm_bias', false) }),
    },
    isParallelResidual: false,
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', true),
    dropout,
    initializerRange: fields.number('initializer_range', RATE, 0.02),
    bosTokenId: readTokenIds(fields, 'bos_token_id')[0] ?? null,
    eosTokenIds: readTokenIds(fields, 'eos_token_id'),
    padTokenId,
    dtype: readDtype(fields),
    raw: json as JsonObject,
  }
  const whole = { ...config, head: readHead(fields, family, config, activation, head) }
  for (const name of [...INERT_KEYS, ...family.inert]) fields.raw(name)
  const unread = fields.unread().find((key) => !isWithoutEffect(key, fields))
  if (unread !== undefined)
    fields.refuse(
      unread,
      `a key known for model_type "${modelType}"`,
      fields.raw(unread),
      'It may change what the model computes; if you know that it does not, remove it from the file.',
    )
  return whole
}

/** The JSON object to save as config.json. Shapes are those that were read; what is written anew is the head and the type of the weights. */
export function writeEncoderConfig(config: EncoderConfig): JsonObject {
  const { head, raw, dtype, modelType } = config
  const { dtype: _, ...kept } = withoutLabelKeys(raw)
  const { classes } = ENCODER_FAMILIES[modelType]
  const labels = head?.labels ?? []
  return {
    ...kept,
    ...(modelType === 'modernbert' && ropeOfVersion4(config)),
    architectures: [classes[head?.kind ?? 'none']!],
    vocab_size: config.vocabSize,
    pad_token_id: config.padTokenId,
    ...(dtype !== null && { torch_dtype: dtype }),
    ...labelKeys(labels, head?.kind === 'classify' ? head.labelThresholds : undefined),
  }
}

/** Transformers 4 knows ModernBERT's rotation by these keys only; 5 reads both. */
function ropeOfVersion4({ layers }: EncoderConfig): JsonObject {
  const theta = (isGlobal: boolean): number | undefined =>
    layers.find(({ attention }) => (attention?.slidingWindow === null) === isGlobal)?.attention?.rope?.theta
  const [global, local] = [theta(true), theta(false)]
  return {
    ...(global !== undefined && { global_rope_theta: global }),
    ...(local !== undefined && { local_rope_theta: local }),
  }
}

function refuse(fields: ConfigFields): void {
  refuseForeignQuantization(fields)
  const off: Readonly<Record<string, readonly JsonValue[]>> = {
    is_decoder: [false],
    add_cross_attention: [false],
    is_encoder_decoder: [false],
    position_embedding_type: ['absolute', 'rope'],
    mlp_dropout: [0],
  }
  for (const [key, values] of Object.entries(off)) {
    const value = fields.raw(key)
    if (value === null || values.includes(value)) continue
    const expected = values.map((each) => JSON.stringify(each)).join(' or ')
    fields.refuse(key, expected, value, 'Only encoders with attention both ways are supported.')
  }
}

function readActivation(fields: ConfigFields, key: string): Activation {
  const name = fields.string(key, 'gelu')
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name]!
  return fields.refuse(key, `one of ${Object.keys(ACTIVATIONS).join(', ')}`, name)
}

function readLayers(
  fields: ConfigFields,
  { keys, positions }: EncoderFamily,
  hiddenSize: number,
  activation: Activation,
): LayerConfig[] {
  const count = fields.integer(keys.layers, { min: 1, max: 4096 })
  const heads = fields.integer(keys.heads, SIZE)
  if (hiddenSize % heads !== 0) fields.fail(keys.hidden, `a multiple of the ${heads} attention heads`, hiddenSize)
  const headDim = hiddenSize / heads
  const isRotary = positions === 'rotary'
  const attentionBias = isRotary ? fields.boolean('attention_bias', false) : true
  const mlpBias = isRotary ? fields.boolean('mlp_bias', false) : true
  const intermediateSize = fields.integer(keys.intermediate, SIZE)
  const windows: (number | null)[] = isRotary ? readWindows(fields, count) : Array(count).fill(null)
  const ropeOf = isRotary ? readRopes(fields, headDim) : (): null => null
  return windows.map((slidingWindow) => ({
    attention: {
      numAttentionHeads: heads,
      numKeyValueHeads: heads,
      headDim,
      scale: headDim ** -0.5,
      logitSoftcapping: null,
      slidingWindow,
      rope: ropeOf(slidingWindow === null),
      qkNorm: 'none',
      hasQkvBias: attentionBias,
      hasOutputBias: attentionBias,
    },
    mlp: { intermediateSize, activation, isGated: isRotary, hasBias: mlpBias, hasOutputBias: mlpBias },
  }))
}

/** How far each layer sees to either side, null where it sees everything. */
function readWindows(fields: ConfigFields, count: number): (number | null)[] {
  const isType = (entry: JsonValue): entry is string => entry === 'full_attention' || entry === 'sliding_attention'
  const types = fields.list('layer_types', '"full_attention" or "sliding_attention"', isType)
  const every = fields.integer('global_attn_every_n_layers', { min: 1, max: 4096 }, 3)
  const half = Math.floor(fields.integer('local_attention', SIZE, 128) / 2)
  if (types !== null && types.length !== count) fields.fail('layer_types', `${count} entries`, types.length)
  return Array.from({ length: count }, (_, i) =>
    (types === null ? i % every === 0 : types[i] === 'full_attention') ? null : half,
  )
}

function readRopes(fields: ConfigFields, headDim: number): (isGlobal: boolean) => RopeConfig {
  const parameters = fields.child('rope_parameters')
  const thetaOf = (type: string, key: string, fallback: number): number => {
    const old = fields.number(key, { above: 0 }, fallback)
    const own = parameters?.child(type)
    const kind = own?.string('rope_type', 'default')
    if (kind !== undefined && kind !== 'default') own!.fail('rope_type', '"default"', kind)
    return own?.number('rope_theta', { above: 0 }, old) ?? old
  }
  const global: RopeConfig = {
    type: 'default',
    theta: thetaOf('full_attention', 'global_rope_theta', 160_000),
    rotaryDim: headDim,
  }
  const local: RopeConfig = {
    type: 'default',
    theta: thetaOf('sliding_attention', 'local_rope_theta', 10_000),
    rotaryDim: headDim,
  }
  return (isGlobal) => (isGlobal ? global : local)
}
