// Which head stands on an encoder: as `architectures` in config.json says, or as the caller wants.

import type { ConfigFields, JsonValue } from '../config-fields.ts'
import type { Activation } from '../families.ts'
import { readLabels, readLabelThresholds } from '../labels.ts'
import type { EncoderConfig, HeadConfig, HeadWish } from './config.ts'
import type { EncoderFamily, HeadKind } from './families.ts'

const RATE = { min: 0, max: 1 }

/** The head in full; null for the encoder alone. Reads every key of config.json that is a head's. */
export function readHead(
  fields: ConfigFields,
  family: EncoderFamily,
  config: Omit<EncoderConfig, 'head'>,
  activation: Activation,
  wish: HeadWish | undefined,
): HeadConfig | null {
  fields.raw('architectures') // whatever it says, where a head is wished for
  const kind = wish?.kind ?? kindOf(fields, family)
  const isModern = config.modelType === 'modernbert'
  const own = isModern
    ? {
        pooling: fields.string('classifier_pooling', 'cls'),
        hasDenseBias: fields.boolean('classifier_bias', false),
        hasOutBias: fields.boolean('decoder_bias', true),
        activation: fields.string('classifier_activation', 'gelu'),
      }
    : undefined
  if (own !== undefined && own.activation !== 'gelu') fields.fail('classifier_activation', '"gelu"', own.activation)
  if (own !== undefined && !own.hasOutBias) fields.fail('decoder_bias', 'true', false)
  const given = family.dropout.classifier === null ? null : fields.raw(family.dropout.classifier)
  const fallback = family.dropout.classifier === 'seq_classif_dropout' ? 0.2 : config.dropout.residual
  const dropout = given === null ? fallback : fields.number(family.dropout.classifier!, RATE)
  const labels = readLabels(fields)
  if (kind === 'none') return null
  if (family.classes[kind] === undefined)
    fields.refuse('head', `one of ${Object.keys(family.classes).join(', ')} on a ${config.modelType}`, kind)
  const names = wish !== undefined && 'labels' in wish && wish.labels !== undefined ? wish.labels : labels
  const problemType = wish?.kind === 'classify' ? wish.problemType : undefined
  const isPooled = kind === 'classify'
  const hasDense = kind !== 'token' || isModern
  return {
    kind,
    pooling: isPooled ? (own?.pooling === 'mean' ? 'mean' : 'cls') : null,
    denseSize: !hasDense ? 0 : kind === 'mlm' ? config.embeddingSize : config.hiddenSize,
    hasDenseBias: own?.hasDenseBias ?? true,
    activation: headActivation(kind, family, activation, isModern),
    hasNorm: kind === 'mlm' || isModern,
    outputs: kind === 'mlm' ? config.vocabSize : kind === 'rtd' ? 1 : names.length,
    dropout: kind === 'mlm' || kind === 'rtd' ? 0 : dropout,
    dropsFirst: isPooled && family.pooler.dropsFirst,
    labels: kind === 'classify' || kind === 'token' ? names : [],
    labelThresholds: kind === 'classify' ? readLabelThresholds(fields, names, problemType) : null,
  }
}

function kindOf(fields: ConfigFields, { classes, wider }: EncoderFamily): HeadKind | 'none' {
  const isText = (entry: JsonValue): entry is string => typeof entry === 'string'
  const names = fields.list('architectures', 'class names', isText) ?? []
  if (names.length === 0) return 'none'
  for (const name of names) {
    const found = Object.entries(classes).find(([, each]) => each === name)
    if (found !== undefined) return found[0] as HeadKind | 'none'
    if (wider[name] !== undefined) return wider[name]
  }
  return fields.refuse(
    'architectures',
    `one of ${[...Object.values(classes), ...Object.keys(wider)].join(', ')}`,
    names,
  )
}

function headActivation(
  kind: HeadKind,
  family: EncoderFamily,
  activation: Activation,
  isModern: boolean,
): HeadConfig['activation'] {
  if (isModern) return 'gelu'
  if (kind === 'classify') return family.pooler.activation
  if (kind === 'rtd') return activation
  // RoBERTa and ELECTRA have the exact form, whatever the layers have.
  return family.positions === 'after-padding' || family.classes.rtd !== undefined ? 'gelu' : activation
}
