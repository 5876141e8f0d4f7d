// How long a text a model takes, and how many tokens of it are read in one call, so that a long text costs the memory of a
// short one.

import type { DecoderConfig } from '../model/config.ts'

/** Tokens of all rows together whose activations exist at once. */
export const TOKENS_AT_ONCE = 2048
/** Entries of an attention mask, which a chunk after the first one needs: one byte each, and made in JavaScript. */
const MASK_ENTRIES = 1 << 22

/**
 * Tokens that a text may have: `max_position_embeddings`, and `factor` times that for dynamic rope, whose configs give the
 * length that it starts to stretch from.
 */
export function contextLength({ maxPositionEmbeddings, layers }: DecoderConfig): number {
  const factors = layers.map(({ attention }) => (attention?.rope?.type === 'dynamic' ? attention.rope.factor : 1))
  return Math.floor(maxPositionEmbeddings * Math.max(1, ...factors))
}

/** Tokens per row of the next call when `offset` of `length` tokens of `rows` sequences are in the cache. */
export function chunkLength(config: DecoderConfig, rows: number, offset: number, length: number): number {
  const left = length - offset
  if (hasLengthDependentRope(config)) return left
  const byMask = offset === 0 ? left : MASK_ENTRIES / (rows * length)
  return Math.max(1, Math.min(left, Math.floor(Math.min(TOKENS_AT_ONCE / rows, byMask))))
}

/** True where all tokens of a text are rotated by its whole length: it cannot be cut, nor lengthened by padding. */
export function hasLengthDependentRope(config: DecoderConfig): boolean {
  return config.layers.some(({ attention }) => ['dynamic', 'longrope'].includes(attention?.rope?.type ?? ''))
}
