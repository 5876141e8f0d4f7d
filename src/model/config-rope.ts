// The rotary settings of config.json, read from and written to all the places where they have lived: v4's `rope_theta`
// and `rope_scaling`, v5's `rope_parameters`, and the spellings of single families. The formulas are `nn/rope-frequencies.ts`.

import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../errors.ts'
import { longropeAttentionScale, type RopeConfig, yarnAttentionScale } from '../nn/rope-frequencies.ts'
import { ConfigFields, type JsonValue } from './config-fields.ts'
import type { Family } from './families.ts'

/** What the rotation of a layer depends on besides its own settings. */
export interface RopeContext {
  readonly headDim: number
  readonly maxPositionEmbeddings: number
  /** The window of each layer; windowed layers may have rotary settings of their own (Gemma 3). */
  readonly windows: readonly (number | null)[]
}

/** The rotary settings of every layer, null where a layer does not rotate. */
export function readRopes(fields: ConfigFields, family: Family, context: RopeContext): (RopeConfig | null)[] {
  const count = context.windows.length
  if (family.positions === 'learned') return Array(count).fill(null)
  const { full, sliding } = readSources(fields, family, context)
  const rotates = family.window === 'smollm3' ? readRotatingLayers(fields, count) : Array(count).fill(true)
  return context.windows.map((window, i) => (rotates[i] ? (window === null ? full : sliding) : null))
}

/** SmolLM3's `no_rope_layers`: 1 where the layer rotates (sic), by default all but every fourth. */
export function readRotatingLayers(fields: ConfigFields, count: number): boolean[] {
  const interval = fields.integer('no_rope_layer_interval', { min: 1, max: 4096 }, 4)
  const isFlag = (entry: JsonValue): entry is 0 | 1 => entry === 0 || entry === 1
  const flags = fields.list('no_rope_layers', '0 or 1', isFlag)
  if (flags === null) return Array.from({ length: count }, (_, layer) => (layer + 1) % interval !== 0)
  if (flags.length < count) fields.fail('no_rope_layers', `${count} entries`, flags.length)
  return flags.slice(0, count).map((flag) => flag === 1)
}

interface RopePair {
  readonly full: RopeConfig
  readonly sliding: RopeConfig
}

/** From whichever spelling is there; when both are, they must say the same. */
function readSources(fields: ConfigFields, family: Family, context: RopeContext): RopePair {
  const parameters = fields.child('rope_parameters')
  const old = readOldSpelling(fields, family, context)
  if (parameters === null) return old
  const read = (source: ConfigFields, theta: number): RopeConfig => readRope(source, fields, family, context, theta)
  const { theta, localTheta } = readThetas(fields, family)
  let pair: RopePair
  if (family.hasRopePerLayerType) {
    const empty = (key: string): ConfigFields => new ConfigFields({}, fields.file, parameters.name(key))
    const full = parameters.child('full_attention') ?? empty('full_attention')
    const sliding = parameters.child('sliding_attention') ?? empty('sliding_attention')
    pair = { full: read(full, theta), sliding: read(sliding, localTheta) }
  } else {
    const rope = read(parameters, theta)
    pair = { full: rope, sliding: rope }
  }
  refuseUnread(parameters)
  if (fields.has('rope_scaling') && !isDeepStrictEqual(old, pair)) {
    throw new InputError(
      `model config in ${fields.file}: rope_scaling: expected what rope_parameters says, got another rotation. Remove one.`,
    )
  }
  return pair
}

function readOldSpelling(fields: ConfigFields, family: Family, context: RopeContext): RopePair {
  const empty = new ConfigFields({}, fields.file, 'rope_scaling')
  const scaling = fields.child('rope_scaling') ?? empty
  const { theta, localTheta } = readThetas(fields, family)
  const full = readRope(scaling, fields, family, context, theta)
  return { full, sliding: family.hasRopePerLayerType ? readRope(empty, fields, family, context, localTheta) : full }
}

function readThetas(fields: ConfigFields, family: Family): { theta: number; localTheta: number } {
  return {
    theta: fields.number(family.keys.rope_theta ?? 'rope_theta', THETA, family.ropeTheta),
    localTheta: family.hasRopePerLayerType ? fields.number('rope_local_base_freq', THETA, 10_000) : family.ropeTheta,
  }
}

const THETA = { above: 1 }
const FACTOR = { above: 0 }
const LENGTH = { min: 1, max: 2 ** 31 }

/** Keys that some variant reads: beside a variant that does not, Transformers ignores them too. */
const KNOWN_KEYS = [
  'factor',
  'original_max_position_embeddings',
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'mscale',
  'mscale_all_dim',
  'truncate',
  'short_factor',
  'long_factor',
  'low_freq_factor',
  'high_freq_factor',
  'type',
]

function readRope(
  source: ConfigFields,
  fields: ConfigFields,
  family: Family,
  context: RopeContext,
  theta: number,
): RopeConfig {
  const type = readType(source, family)
  const base = {
    theta: source.number('rope_theta', THETA, theta),
    rotaryDim: readRotaryDim(source, fields, family, context),
  }
  const { maxPositionEmbeddings } = context
  // A top-level value has priority; Phi-3's class looks nowhere else.
  const originalLength = (): number =>
    fields.has('original_max_position_embeddings') || family.hasLongRope
      ? fields.integer('original_max_position_embeddings', LENGTH)
      : source.integer('original_max_position_embeddings', LENGTH, maxPositionEmbeddings)
  // Beside a variant without an original length it says nothing.
  fields.raw('original_max_position_embeddings')
  const rope = ((): RopeConfig => {
    switch (type) {
      case 'default':
        return { type, ...base }
      case 'linear':
        return { type, ...base, factor: source.number('factor', FACTOR) }
      case 'dynamic':
        if (base.rotaryDim < 3) source.fail('rope_type', 'at least 4 rotated channels for dynamic', base.rotaryDim)
        return { type, ...base, factor: source.number('factor', { min: 1 }), maxPositionEmbeddings }
      case 'llama3':
        return {
          type,
          ...base,
          factor: source.number('factor', FACTOR),
          lowFreqFactor: source.number('low_freq_factor', FACTOR),
          highFreqFactor: readHighFreqFactor(source),
          originalMaxPositionEmbeddings: originalLength(),
        }
      case 'yarn': {
        const originalMaxPositionEmbeddings = originalLength()
        const factor = source.number('factor', FACTOR, maxPositionEmbeddings / originalMaxPositionEmbeddings)
        return {
          type,
          ...base,
          factor,
          attentionFactor: readYarnAttentionFactor(source, factor),
          betaFast: source.optionalNumber('beta_fast', { min: 0 }) || 32,
          betaSlow: source.optionalNumber('beta_slow', { min: 0 }) || 1,
          truncate: source.boolean('truncate', true),
          originalMaxPositionEmbeddings,
        }
      }
      case 'longrope': {
        const originalMaxPositionEmbeddings = originalLength()
        const factor = source.number('factor', FACTOR, maxPositionEmbeddings / originalMaxPositionEmbeddings)
        const pairs = Math.ceil(base.rotaryDim / 2)
        return {
          type,
          ...base,
          shortFactor: source.numbers('short_factor', pairs, FACTOR),
          longFactor: source.numbers('long_factor', pairs, FACTOR),
          attentionFactor:
            source.optionalNumber('attention_factor', { min: 0 }) ??
            longropeAttentionScale(factor, originalMaxPositionEmbeddings),
          originalMaxPositionEmbeddings,
        }
      }
    }
  })()
  refuseUnread(source)
  return rope
}

function readType(source: ConfigFields, family: Family): RopeConfig['type'] {
  const name = source.string('rope_type', source.has('type') ? source.string('type') : 'default')
  // Phi-3 was published with both names for what is LongRoPE.
  if (family.hasLongRope && (name === 'su' || name === 'yarn')) return 'longrope'
  const types = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const
  const type = types.find((known) => known === name)
  if (type !== undefined) return type
  return source.refuse('rope_type', `one of ${types.join(', ')}`, name)
}

/** How many channels of a head are rotated. */
function readRotaryDim(source: ConfigFields, fields: ConfigFields, family: Family, { headDim }: RopeContext): number {
  const key = family.keys.partial_rotary_factor ?? 'partial_rotary_factor'
  const share = { above: 0, max: 1 }
  const outer = fields.has(key) ? fields.number(key, share) : family.partialRotaryFactor
  const factor = source.number('partial_rotary_factor', share, outer)
  fields.raw(key)
  if (factor !== 1 && !family.hasPartialRotary) {
    fields.refuse(key, `1 for ${family.architecture}`, factor)
  }
  const rotaryDim = Math.trunc(headDim * factor)
  if (rotaryDim < 2 || 2 * Math.ceil(rotaryDim / 2) > headDim) {
    fields.fail('head_dim', 'an even number of channels to rotate', rotaryDim)
  }
  return rotaryDim
}

function readHighFreqFactor(source: ConfigFields): number {
  const low = source.number('low_freq_factor', FACTOR)
  const high = source.number('high_freq_factor', FACTOR)
  return high > low ? high : source.fail('high_freq_factor', `more than low_freq_factor (${low})`, high)
}

function readYarnAttentionFactor(source: ConfigFields, factor: number): number {
  const given = source.optionalNumber('attention_factor', { min: 0 })
  const mscale = source.optionalNumber('mscale', { min: 0 })
  const mscaleAllDim = source.optionalNumber('mscale_all_dim', { min: 0 })
  if (given !== null) return given
  if (!mscale || !mscaleAllDim) return yarnAttentionScale(factor)
  return yarnAttentionScale(factor, mscale) / yarnAttentionScale(factor, mscaleAllDim)
}

function refuseUnread(source: ConfigFields): void {
  for (const key of KNOWN_KEYS) source.raw(key)
  const unread = source.unread()[0]
  if (unread === undefined) return
  source.refuse(
    unread,
    'a key of a known rotation',
    source.raw(unread),
    'Remove it if it does not change the rotation.',
  )
}
