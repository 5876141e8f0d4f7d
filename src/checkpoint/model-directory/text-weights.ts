// The weights of a model directory that belong to its language model: all of them, or of a wrapper (model/text-part.ts) those of
// the text part under the names that it has by itself.

import { type ModelWeights, openModelWeights } from './model-weights.ts'

/** The text part among the modules of a wrapper, in the spellings of several releases; a head may be beside or inside of it. */
const TEXT_MODULE = /^(?:model\.)?(?:language_model|text_model)\.(?:model\.)?(.+)$/

/** Opens the weights of the model that `config`, which was read from `directory`, describes. */
export function openTextWeights(directory: string, config: { readonly wrapperType?: string }): ModelWeights {
  const weights = openModelWeights(directory)
  if (config.wrapperType === undefined) return weights
  const tensors = [...weights.tensors].flatMap(([name, info]) => {
    const own = textName(name)
    return own === undefined ? [] : [[own, info] as const]
  })
  return { ...weights, tensors: new Map(tensors) }
}

/** `language_model.model.norm.weight` and `model.language_model.norm.weight` → `model.norm.weight`; undefined outside the text part. */
function textName(name: string): string | undefined {
  if (name.startsWith('lm_head.')) return name
  const inside = TEXT_MODULE.exec(name)?.[1]
  if (inside === undefined || inside.startsWith('lm_head.')) return inside
  return `model.${inside}`
}
