// The weight matrices of a model, output head included: found by path, looked at, and put in place. Whatever acts as a matrix may stand
// there: LoRA, pruning and quantization replace one by another, and the model does not know.
import { Embedding } from '../nn/embedding.ts'
import type { Layer } from '../nn/layer.ts'
import { isLinearLike, Linear, type LinearLike } from '../nn/linear.ts'
import type { AnyModel } from './any-model.ts'
import type { Decoder } from './decoder.ts'

/** Path of the output head, also where the head is the embedding. */
export const HEAD = 'lm_head'

/**
 * Every matrix by path: those of the blocks from the bottom up, then the output head of a vocabulary, also where that is the embedding. An
 * encoder's head is none of them.
 */
export function linearsOf(model: AnyModel): Map<string, LinearLike> {
  const found = new Map<string, LinearLike>()
  const visit = (layer: Layer, path: string): void => {
    if (isLinearLike(layer)) found.set(path, layer)
    else for (const [name, child] of layer.children()) visit(child, path === '' ? name : `${path}.${name}`)
  }
  visit(model.model, 'model')
  if ('lm_head' in model && model.config.labels === undefined) found.set(HEAD, model.head)
  return found
}

/** Puts `by` where `linearsOf` found a matrix. A tied model whose head is put in place keeps its embedding. */
export function putLinear(model: AnyModel, path: string, by: LinearLike): void {
  if (path === HEAD && 'lm_head' in model) model.lm_head = by
  else model.replace(path, by)
}

/** Those that are plain weights, neither wrapped nor quantized: what can be cut, rounded or replaced by numbers of its own. */
export function plainLinearsOf(model: AnyModel): Map<string, Linear> {
  const found = new Map<string, Linear>()
  for (const [path, linear] of linearsOf(model)) if (linear instanceof Linear) found.set(path, linear)
  return found
}

/** True for a matrix whose memory is the embedding's: the head of a tied model. */
export function isEmbedding(model: AnyModel, linear: LinearLike): boolean {
  const words = model.model.embed_tokens
  return linear instanceof Linear && words instanceof Embedding && linear.weight === words.weight
}

/** Says in the model's description that its head has values of its own now. */
export function untieHead(model: Decoder): void {
  model.config = { ...model.config, tieWordEmbeddings: false }
}
