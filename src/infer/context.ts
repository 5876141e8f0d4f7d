// How long a text a model takes, and whether it can be cut.

import type { DecoderConfig } from '../model/config.ts'

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
