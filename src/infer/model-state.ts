// What decides the numbers that a model gives, to notice that keys and values in a cache are of another one: its weights (by the tensor, its
// memory and how often that was written), the rules on its branches, and what its layers are set to.
import type { Decoder } from '../model/decoder.ts'
import { Layer } from '../nn/layer.ts'
import { Tensor } from '../torch/index.ts'

/** Memory that was freed is given out again, and a new tensor begins at version 0 there: each tensor has a number of its own. */
const numbers = new WeakMap<object, number>()
let last = 0

/** The number of a tensor, which no other one has. */
export function numberOf(tensor: object): number {
  const known = numbers.get(tensor) ?? ++last
  numbers.set(tensor, known)
  return known
}

/**
 * Equal, entry by entry, as long as nothing was trained, replaced, removed or switched. Asked for at each text: names and paths cost more than
 * the rest. `baseOf`: what counts at a layer's place, where adapters are told apart by themselves.
 */
export function modelState(model: Decoder, baseOf: (layer: Layer) => Layer = (layer) => layer): readonly unknown[] {
  const state: unknown[] = [model.config]
  visit(model, state, baseOf)
  for (const { attention, feedForward } of model.model.layers) state.push(...attention.rules, ...feedForward.rules)
  return state
}

function visit(place: Layer, state: unknown[], baseOf: (layer: Layer) => Layer): void {
  const layer = baseOf(place)
  const { setting } = layer
  if (setting !== '') state.push(setting)
  for (const value of Object.values(layer))
    if (value instanceof Tensor) state.push(numberOf(value), value.storageId, value.version)
    else if (value instanceof Layer) visit(value, state, baseOf)
    else if (Array.isArray(value)) for (const item of value) if (item instanceof Layer) visit(item, state, baseOf)
}
