// Metadata by which llama.cpp computes otherwise than the same architecture does here, or that it does not take: such a file is refused,
// for without a word it would give other text than there.
// Source: llama.cpp's `llama_model::load_hparams`; each was tried with it (n_rot and value_length it refuses, too).

import { UnsupportedError } from '../errors.ts'
import { FAMILIES, type ModelType } from '../model/families.ts'
import { booleanAt, integerAt, numberAt } from './metadata-fields.ts'
import type { GgufHeader } from './read.ts'

/** Throws an UnsupportedError for the first of them. */
export function refuseMetadata(
  header: GgufHeader,
  modelType: ModelType,
  key: (name: string) => string,
  headDim: number,
): void {
  const { positions, hasPartialRotary, hasLongRope } = FAMILIES[modelType]
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw new UnsupportedError(
      `${header.file}:${key(name)}: expected ${expected}, got ${String(got)}. Load the Hugging Face directory, if this kind of model runs there`,
    )
  }
  if (booleanAt(header, key('attention.causal')) === false)
    refuse('attention.causal', 'true for a model that writes', false)
  const valueDim = integerAt(header, key('attention.value_length')) ?? headDim
  if (valueDim !== headDim) refuse('attention.value_length', `${headDim} as for keys`, valueDim)
  const rotaryDim = integerAt(header, key('rope.dimension_count')) ?? headDim
  if (positions === 'rotary' && !hasPartialRotary && rotaryDim !== headDim)
    refuse('rope.dimension_count', `${headDim}, all of a head`, rotaryDim)
  // LongRoPE's follows from the two lengths of the context.
  const attention = numberAt(header, key('rope.scaling.attn_factor')) ?? 1
  if (positions === 'rotary' && !hasLongRope && attention !== 1) refuse('rope.scaling.attn_factor', '1', attention)
}

/** Throws an UnsupportedError for one of several files that a model was split into. */
export function refusePart(header: GgufHeader): void {
  const parts = integerAt(header, 'split.count') ?? 1
  if (parts <= 1) return
  throw new UnsupportedError(
    `${header.file}:split.count: expected a model in one file, got part ${(integerAt(header, 'split.no') ?? 0) + 1} of ${parts}. Join them with \`llama-gguf-split --merge\``,
  )
}
