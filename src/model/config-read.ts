// config.json → one normalised description of a decoder, from both Transformers' v4 and v5 spellings.
// Reading follows the field order of `DecoderConfig`; what differs between families is a row of `families.ts`.
// Nothing is ignored: a key that nobody read and that is not known to be inert is an error that names it.

import { UnsupportedError } from '../errors.ts'
import type { DecoderConfig, DropoutConfig, WeightDtype } from './config.ts'
import { ConfigFields, isNumber, isObject, type JsonObject, type JsonValue, show } from './config-fields.ts'
import { INERT_KEYS, isWithoutEffect } from './config-inert-keys.ts'
import { MAX_SIZE, readLayers, readSoftcapping } from './config-layers.ts'
import { isEncoderType } from './encoder/families.ts'
import { FAMILIES, type Family, type ModelType } from './families.ts'
import { type LabelWish, readLabels, readLabelThresholds } from './labels.ts'
import { textPartOf } from './text-part.ts'

/**
 * Reads a parsed config.json; `file` is used in messages. Throws {@link UnsupportedError} for an architecture, value or
 * key that would change the result and is not implemented, {@link InputError} for wrong types and impossible sizes. With `pooled` the
 * model has a head of labels in the place of the vocabulary's.
 */
export function readModelConfig(json: unknown, file: string, pooled?: LabelWish): DecoderConfig {
  const part = textPartOf(json as JsonValue, file)
  const source = part?.json ?? json
  const fields = new ConfigFields(source, file, part === undefined ? '' : 'text_config')
  const modelType = readModelType(fields)
  const family = FAMILIES[modelType]
  refuseUnsupportedFeatures(fields, family, pooled !== undefined)
  const size = { min: 1, max: MAX_SIZE }
  const hiddenSize = fields.integer(family.keys.hidden_size ?? 'hidden_size', size)
  const maxPositionEmbeddings = fields.integer(
    family.keys.max_position_embeddings ?? 'max_position_embeddings',
    { min: 1, max: 2 ** 31 },
    family.maxPositionEmbeddings,
  )
  const config: DecoderConfig = {
    modelType,
    vocabSize: fields.integer('vocab_size', size),
    hiddenSize,
    maxPositionEmbeddings,
    hasLearnedPositions: family.positions === 'learned',
    embeddingScale: family.isEmbeddingScaled ? Math.sqrt(hiddenSize) : 1,
    layers: readLayers(fields, family, hiddenSize, maxPositionEmbeddings),
    norm: { ...family.norm, eps: fields.number(family.normEps.key, { above: 0 }, family.normEps.fallback) },
    isParallelResidual: family.parallelResidualKey !== null && fields.boolean(family.parallelResidualKey, true),
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', family.tieWordEmbeddings),
    finalLogitSoftcapping: readSoftcapping(fields, 'final_logit_softcapping', family.softcapping?.final),
    dropout: readDropout(fields, family),
    initializerRange: fields.number('initializer_range', { min: 0, max: 1 }, 0.02),
    bosTokenId: readTokenIds(fields, 'bos_token_id')[0] ?? null,
    eosTokenIds: readTokenIds(fields, 'eos_token_id'),
    padTokenId: readTokenIds(fields, 'pad_token_id')[0] ?? null,
    dtype: readDtype(fields),
    raw: source as JsonObject,
    ...(part !== undefined && { wrapperType: part.wrapperType }),
    ...(pooled !== undefined && readHead(fields, pooled)),
  }
  for (const name of [...INERT_KEYS, ...family.inert]) fields.raw(name)
  const unread = fields.unread().find((key) => !isWithoutEffect(key, fields))
  if (unread !== undefined) {
    fields.refuse(
      unread,
      `a key known for model_type "${modelType}"`,
      fields.raw(unread),
      'It may change what the model computes; if you know that it does not, remove it from the file.',
    )
  }
  return config
}

function readModelType(fields: ConfigFields): ModelType {
  const modelType = fields.string('model_type')
  if (Object.hasOwn(FAMILIES, modelType)) return modelType as ModelType
  const text = fields.raw('text_config')
  const hint = isEncoderType(modelType)
    ? 'An encoder reads both ways and continues no text: it is trained with stage: classify or mlm, and used by classify.'
    : isObject(text)
      ? `Its text part is a ${show(text.model_type)}.`
      : ''
  return fields.refuse('model_type', `one of ${Object.keys(FAMILIES).join(', ')}`, modelType, hint)
}

/** Keys that are accepted only while they are off, with what to do otherwise. */
const MUST_BE_OFF: Readonly<Record<string, string>> = {
  is_encoder_decoder: 'Only decoders are supported.',
  add_cross_attention: 'Only decoders are supported.',
  use_bidirectional_attention: 'Only causal attention is supported.',
  rope_interleaved: 'Convert the weights to the half-split layout.',
  use_mrope: 'Only text models are supported.',
  qk_layernorm: 'Only the families that always have it are supported.',
  pruned_heads: 'Save the model with the heads really removed.',
}

function refuseUnsupportedFeatures(fields: ConfigFields, family: Family, isPooled: boolean): void {
  refuseForeignQuantization(fields)
  for (const [key, advice] of Object.entries(MUST_BE_OFF)) {
    const value = fields.raw(key)
    if (value === null || value === false || (isObject(value) && Object.keys(value).length === 0)) continue
    fields.refuse(key, 'it off', value, advice)
  }
  const isText = (entry: JsonValue): entry is string => typeof entry === 'string'
  const architectures = fields.list('architectures', 'class names', isText) ?? []
  const classifier = pooledClass(family)
  const wanted = isPooled ? [family.architecture, classifier] : [family.architecture]
  if (architectures.length > 0 && !architectures.some((name) => wanted.some((each) => sameName(name, each)))) {
    const advice = architectures.includes(classifier)
      ? 'A classifier gives labels and continues no text: it is trained with stage: classify, and used by classify.'
      : 'Only causal language models are supported.'
    fields.refuse('architectures', wanted.join(' or '), architectures, advice)
  }
}

/** Transformers' class of a family's decoder with a pooled head. */
export function pooledClass({ architecture }: Pick<Family, 'architecture'>): string {
  const stem = architecture.replace(/(?:ForCausalLM|LMHeadModel)$/, '')
  return `${stem === 'Gemma3' ? 'Gemma3Text' : stem}ForSequenceClassification`
}

/** Our own section is read where the weights are (checkpoint/model-directory/quantization-config.ts). */
export function refuseForeignQuantization(fields: ConfigFields): void {
  const value = fields.raw('quantization_config')
  const mlx = fields.raw('quantization')
  if (mlx !== null || (isObject(value) && !('quant_method' in value) && 'group_size' in value)) {
    fields.refuse(
      mlx === null ? 'quantization_config' : 'quantization',
      'full-precision weights',
      mlx ?? value,
      'This is the format of MLX for Apple computers. Take the model that it was made from, or make it dense there: mlx_lm.convert --dequantize.',
    )
  }
  if (value === null || (isObject(value) && value.quant_method === 'anneal')) return
  const method = isObject(value) ? (value.quant_method ?? null) : value
  fields.refuse(
    'quantization_config.quant_method',
    '"anneal"',
    method,
    'Load the unquantized weights, and quantize them here.',
  )
}

/** The first converted checkpoints wrote LLaMAForCausalLM. */
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

function readDropout(fields: ConfigFields, family: Family): DropoutConfig {
  const rate = (key: string | null): number =>
    key === null ? 0 : fields.number(key, { min: 0, max: 1 }, family.dropoutDefault)
  const { attention, residual, embedding } = family.dropout
  return { attention: rate(attention), residual: rate(residual), embedding: rate(embedding) }
}

/** One id, a list of ids, null, or -1 for none (the first LLaMA conversions). Ids may lie outside the vocabulary. */
export function readTokenIds(fields: ConfigFields, key: string): number[] {
  const value = fields.raw(key)
  const ids = value === null ? [] : Array.isArray(value) ? value : [value]
  if (!ids.every((id): id is number => isNumber(id) && Number.isSafeInteger(id) && id >= -1)) {
    fields.fail(key, 'a token id or a list of them', value)
  }
  return ids.filter((id) => id !== -1)
}

/** What config.json says that the weights are stored in. */
export function readDtype(fields: ConfigFields): WeightDtype | null {
  // "auto" is an instruction to a loader that got into the file.
  const values = [fields.raw('dtype'), fields.raw('torch_dtype')].filter((value) => value !== null && value !== 'auto')
  const dtypes = ['float32', 'bfloat16', 'float16', 'float64'] as const
  const found = values.map((value) => dtypes.find((dtype) => value === dtype || value === `torch.${dtype}`))
  const wrong = found.indexOf(undefined)
  if (wrong !== -1) fields.fail('dtype', `one of ${dtypes.join(', ')}`, values[wrong])
  return found[0] ?? null
}

function readHead(fields: ConfigFields, wish: LabelWish): Pick<DecoderConfig, 'labels' | 'labelThresholds'> {
  const own = readLabels(fields)
  const labels = wish.labels ?? own
  return { labels, labelThresholds: readLabelThresholds(fields, labels, wish.problemType) }
}
