// The rotary settings in the metadata of a GGUF file → those of config.json. Some of them are stored as tensors of divisors, from
// which the settings have to be found again.

import { UnsupportedError } from '../errors.ts'
import type { JsonObject } from '../model/config-fields.ts'
import { FAMILIES, type ModelType } from '../model/families.ts'
import { ropeFrequencies } from '../nn/rope-frequencies.ts'
import { dequantize } from './dequantize.ts'
import { integerAt, numberAt, stringAt } from './metadata-fields.ts'
import { type GgufHeader, readTensorBytes } from './read.ts'

/** The shortest decimal that is the same f32: 1e-5, not 0.000009999999747378752. */
export function decimal(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** The rotary keys of config.json; an UnsupportedError for a rotation that the file does not say enough of. */
export function ropeKeys(
  header: GgufHeader,
  modelType: ModelType,
  key: (name: string) => string,
  headDim: number,
): JsonObject {
  const family = FAMILIES[modelType]
  const theta = ropeTheta(header, key)
  const rotaryDim = integerAt(header, key('rope.dimension_count')) ?? headDim
  const partial = family.hasPartialRotary && {
    [family.keys.partial_rotary_factor ?? 'partial_rotary_factor']: rotaryDim / headDim,
  }
  const scaling = ropeScaling(header, modelType, key, headDim)
  return {
    [family.keys.rope_theta ?? 'rope_theta']: theta,
    ...partial,
    ...(scaling !== null && { rope_scaling: scaling }),
  }
}

function ropeScaling(
  header: GgufHeader,
  modelType: ModelType,
  key: (name: string) => string,
  headDim: number,
): JsonObject | null {
  const divisors = tensorValues(header, 'rope_freqs.weight')
  if (divisors !== undefined)
    return llama3Scaling(header, divisors, { theta: ropeTheta(header, key), rotaryDim: headDim })
  // As llama.cpp does: a factor without a type is linear, and so is the one key that there was at first.
  const type = stringAt(header, key('rope.scaling.type')) ?? 'linear'
  const factor = numberAt(header, key('rope.scaling.factor')) ?? numberAt(header, key('rope.scale_linear'))
  const long = tensorValues(header, 'rope_factors_long.weight')
  const short = tensorValues(header, 'rope_factors_short.weight')
  if (FAMILIES[modelType].hasLongRope && long !== undefined && short !== undefined) {
    return { type: 'longrope', long_factor: long.map(decimal), short_factor: short.map(decimal) }
  }
  if (type === 'none' || (type === 'linear' && (factor ?? 1) === 1)) return null
  if (type === 'linear')
    return { [FAMILIES[modelType].hasRopePerLayerType ? 'rope_type' : 'type']: 'linear', factor: decimal(factor!) }
  const original = integerAt(header, key('rope.scaling.original_context_length'))
  if (type === 'yarn' && factor !== undefined && original !== undefined) {
    return { rope_type: 'yarn', factor: decimal(factor), original_max_position_embeddings: original }
  }
  throw new UnsupportedError(
    `${header.file}:${key('rope.scaling.type')}: expected none, linear or yarn, got ${type}. Load the Hugging Face directory`,
  )
}

const ropeTheta = (header: GgufHeader, key: (name: string) => string): number =>
  decimal(numberAt(header, key('rope.freq_base')) ?? 10_000)

function tensorValues(header: GgufHeader, name: string): number[] | undefined {
  const tensor = header.tensors.get(name)
  return tensor && Array.from(dequantize(tensor.type, readTensorBytes(header, tensor), `${header.file}:${name}`))
}

/** The file has the divisors of Llama 3.1's frequencies, not what they were made from: likely settings are tried. */
function llama3Scaling(
  header: GgufHeader,
  divisors: readonly number[],
  base: { theta: number; rotaryDim: number },
): JsonObject {
  const factor = decimal(divisors.reduce((largest, divisor) => Math.max(largest, divisor), 0))
  const plain = ropeFrequencies({ type: 'default', ...base }).inverseFrequencies
  // Every published model has 8192; smaller and larger powers of two are tried, too.
  for (
    let originalMaxPositionEmbeddings = 16;
    originalMaxPositionEmbeddings <= 1 << 20;
    originalMaxPositionEmbeddings *= 2
  ) {
    const settings = { factor, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings }
    const scaled = ropeFrequencies({ type: 'llama3', ...base, ...settings }).inverseFrequencies
    const isSame = divisors.every((divisor, i) => Math.abs(plain[i]! / scaled[i]! / divisor - 1) < 1e-4)
    if (!isSame || divisors.length !== plain.length) continue
    return {
      rope_type: 'llama3',
      factor,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: originalMaxPositionEmbeddings,
    }
  }
  throw new UnsupportedError(
    `${header.file}:rope_freqs.weight: expected divisors as in Llama 3.1 (low_freq_factor 1, high_freq_factor 4), got others. Load the Hugging Face directory`,
  )
}
