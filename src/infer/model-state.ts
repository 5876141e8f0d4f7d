// What decides the numbers that a model gives, to notice that keys and values in a cache are of another one: its weights (by the tensor, its
// memory and how often that was written), the rules on its branches, and what its layers are set to.
import type { Decoder } from '../model/decoder.ts'
import type { Tensor } from '../torch/index.ts'

/** Memory that was freed is given out again, and a new tensor begins at version 0 there: each tensor has a number of its own. */
const numbers = new WeakMap<Tensor, number>()
let last = 0

function numberOf(tensor: Tensor): number {
  const known = numbers.get(tensor) ?? ++last
  numbers.set(tensor, known)
  return known
}

/** Equal, entry by entry, as long as nothing was trained, replaced, removed or switched. */
export function modelState(model: Decoder): readonly unknown[] {
  const state: unknown[] = [model.config]
  for (const [, layer] of model.walk()) if (layer.setting !== '') state.push(layer.setting)
  for (const [path, tensor] of model.parameters()) state.push(path, numberOf(tensor), tensor.storageId, tensor.version)
  for (const { attention, feedForward } of model.model.layers) state.push(...attention.rules, ...feedForward.rules)
  return state
}
