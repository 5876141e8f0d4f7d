// How long a text a model takes, and whether it can be cut.

import type { DecoderConfig } from '../model/config.ts'
import { FAMILIES } from '../model/families.ts'
import { ropeLengthClass } from '../nn/rope-frequencies.ts'

/**
 * Tokens that a text may have: `max_position_embeddings`, and `factor` times that for dynamic rope, whose configs give the
 * length that it starts to stretch from.
 */
export function contextLength({ maxPositionEmbeddings, layers }: DecoderConfig): number {
  const factors = layers.map(({ attention }) => (attention?.rope?.type === 'dynamic' ? attention.rope.factor : 1))
  return Math.floor(maxPositionEmbeddings * Math.max(1, ...factors))
}

/** True where all tokens of a text are rotated by its whole length: it cannot be cut. */
export function hasLengthDependentRope(config: DecoderConfig): boolean {
  return config.layers.some(({ attention }) => ['dynamic', 'longrope'].includes(attention?.rope?.type ?? ''))
}

/**
 * True where what was read of a text of `from` tokens has to be read again when it has `to`: Phi-3 rotates a text by other divisors as soon as
 * it is longer than those that it was first trained on. Other models with these ropes keep what they have read, as in Transformers.
 */
export function isReadAgain({ modelType, layers }: DecoderConfig, from: number, to: number): boolean {
  if (!FAMILIES[modelType].hasLongRope) return false
  return layers.some(({ attention }) => {
    const rope = attention?.rope
    return from > 0 && rope?.type === 'longrope' && ropeLengthClass(rope, from) !== ropeLengthClass(rope, to)
  })
}
