// Rotary position embedding: the inverse frequencies of every published variant, as plain numbers.
// Formulas are those of Transformers' `modeling_rope_utils.py`, computed in float32 where it does, so that angles at
// position 100,000 still agree. This file does not rotate anything: attention multiplies positions by what it returns.

/** What all variants share. `rotaryDim` channels of each head are rotated, the first ones; the rest pass unchanged. */
interface RopeBase {
  readonly theta: number
  readonly rotaryDim: number
}

/** One layer's rotary settings, with every default filled in (Su 2021; variants by name). */
export type RopeConfig =
  | (RopeBase & { readonly type: 'default' })
  | (RopeBase & { readonly type: 'linear'; readonly factor: number })
  | (RopeBase & { readonly type: 'dynamic'; readonly factor: number; readonly maxPositionEmbeddings: number })
  | Llama3Rope
  | YarnRope
  | LongRope

/** Llama 3.1: long wavelengths divided by `factor`, short ones kept, a ramp between. */
export interface Llama3Rope extends RopeBase {
  readonly type: 'llama3'
  readonly factor: number
  readonly lowFreqFactor: number
  readonly highFreqFactor: number
  readonly originalMaxPositionEmbeddings: number
}

/** YaRN (arXiv:2309.00071). `attentionFactor` multiplies cosine and sine. */
export interface YarnRope extends RopeBase {
  readonly type: 'yarn'
  readonly factor: number
  readonly attentionFactor: number
  readonly betaFast: number
  readonly betaSlow: number
  readonly truncate: boolean
  readonly originalMaxPositionEmbeddings: number
}

/** LongRoPE (arXiv:2402.13753), Phi-3's: one divisor per frequency, another set beyond the original length. */
export interface LongRope extends RopeBase {
  readonly type: 'longrope'
  readonly shortFactor: readonly number[]
  readonly longFactor: readonly number[]
  readonly attentionFactor: number
  readonly originalMaxPositionEmbeddings: number
}

/** `cos(position · inverseFrequencies[i]) · attentionFactor` and the same with sine are what attention rotates by. */
export interface RopeFrequencies {
  /** One per rotated pair of channels, `ceil(rotaryDim / 2)` of them; float32. */
  readonly inverseFrequencies: Float32Array
  readonly attentionFactor: number
}

/**
 * The inverse frequencies for a sequence whose largest position is `sequenceLength - 1`. Only `dynamic` and `longrope`
 * depend on the length; equal `ropeLengthClass` means equal frequencies.
 */
export function ropeFrequencies(rope: RopeConfig, sequenceLength = 0): RopeFrequencies {
  switch (rope.type) {
    case 'default':
      return { inverseFrequencies: powers(rope.theta, rope.rotaryDim), attentionFactor: 1 }
    case 'linear':
      return {
        inverseFrequencies: powers(rope.theta, rope.rotaryDim).map((frequency) => frequency / rope.factor),
        attentionFactor: 1,
      }
    case 'dynamic': {
      const stretched = ropeLengthClass(rope, sequenceLength) / rope.maxPositionEmbeddings
      const grown = rope.factor * stretched - (rope.factor - 1)
      const theta = rope.theta * grown ** (rope.rotaryDim / (rope.rotaryDim - 2))
      return { inverseFrequencies: powers(theta, rope.rotaryDim), attentionFactor: 1 }
    }
    case 'llama3':
      return { inverseFrequencies: llama3(rope), attentionFactor: 1 }
    case 'yarn':
      return { inverseFrequencies: yarn(rope), attentionFactor: rope.attentionFactor }
    case 'longrope': {
      const isLong = ropeLengthClass(rope, sequenceLength) > rope.originalMaxPositionEmbeddings
      const divisors = isLong ? rope.longFactor : rope.shortFactor
      return {
        inverseFrequencies: powers(rope.theta, rope.rotaryDim).map((frequency, i) => frequency / divisors[i]!),
        attentionFactor: rope.attentionFactor,
      }
    }
  }
}

/** Sequence lengths with the same class share their frequencies: the key for caching cosine and sine tables. */
export function ropeLengthClass(rope: RopeConfig, sequenceLength: number): number {
  if (rope.type === 'dynamic') return Math.max(sequenceLength, rope.maxPositionEmbeddings)
  if (rope.type !== 'longrope') return 0
  const original = rope.originalMaxPositionEmbeddings
  return sequenceLength > original ? original + 1 : original
}

/** YaRN's attention temperature `0.1 · m · ln(s) + 1` (Eq. 22 of the paper with m = 1), 1 without stretching. */
export function yarnAttentionScale(factor: number, m = 1): number {
  return factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1
}

/** LongRoPE's attention temperature `√(1 + ln(s) / ln(L))`, L being the original length. */
export function longropeAttentionScale(factor: number, originalLength: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalLength))
}

/** `theta^(-2i/dim)`. The exponent is rounded to float32 first, as torch does: it is what fixes the last digits. */
function powers(theta: number, dim: number): Float32Array {
  return Float32Array.from(
    { length: Math.ceil(dim / 2) },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / dim)),
  )
}

function llama3(rope: Llama3Rope): Float32Array {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: length } = rope
  return powers(rope.theta, rope.rotaryDim).map((frequency) => {
    const wavelength = Math.fround((2 * Math.PI) / frequency)
    if (wavelength < length / highFreqFactor) return frequency
    if (wavelength > length / lowFreqFactor) return frequency / factor
    const smooth = (length / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

function yarn(rope: YarnRope): Float32Array {
  const { theta, rotaryDim: dim, factor, truncate } = rope
  // The channel whose wavelength fits `rotations` times into the original length.
  const channelOf = (rotations: number): number =>
    (dim * Math.log(rope.originalMaxPositionEmbeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
  const low = Math.max(truncate ? Math.floor(channelOf(rope.betaFast)) : channelOf(rope.betaFast), 0)
  const lastKept = truncate ? Math.ceil(channelOf(rope.betaSlow)) : channelOf(rope.betaSlow)
  const high = Math.min(lastKept, dim - 1)
  const width = high === low ? 0.001 : high - low
  return powers(theta, dim).map((frequency, i) => {
    const interpolated = Math.min(Math.max((i - low) / width, 0), 1)
    return (frequency / factor) * interpolated + frequency * (1 - interpolated)
  })
}
