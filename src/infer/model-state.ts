// What decides the numbers that a model gives, to notice that keys and values in a cache are of another one: its weights (by memory and by how
// often they were written), the rules on its branches, and what its layers are set to.
import type { Decoder } from '../model/decoder.ts'

/** Equal, entry by entry, as long as nothing was trained, replaced, removed or switched. */
export function modelState(model: Decoder): readonly unknown[] {
  const state: unknown[] = [model.config]
  for (const [, layer] of model.walk()) if (layer.setting !== '') state.push(layer.setting)
  for (const [path, tensor] of model.parameters()) state.push(path, tensor.storageId, tensor.version)
  for (const { attention, feedForward } of model.model.layers) state.push(...attention.rules, ...feedForward.rules)
  return state
}
