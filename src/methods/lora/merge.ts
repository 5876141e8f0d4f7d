// Adapters into the weights and out again. While merged, the original matrix stays beside the sum, so that unmerging is exact for
// every kind of base: adding and subtracting in place would lose bits, in bf16 all of a small update (PEFT#2105).

import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { NonFiniteError, UsageError } from '../../errors.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { isEmbedding, putLinear, untieHead } from '../../model/linears.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import { type DType, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { loraLayers, mergedError } from './lora.ts'
import type { LoraLinear } from './lora-linear.ts'

/** Computes with the sum of base and active adapters as one matrix each, until `unmerge`. Takes the memory of those matrices again. */
export function merge(model: AnyModel): void {
  const layers = [...loraLayers(model)]
  checkMergeable(layers)
  try {
    for (const [, layer] of layers) layer.merged = mergedLinear(layer).linear
  } catch (error) {
    unmerge(model)
    throw error
  }
}

/** Undoes `merge`: bit for bit what was before. */
export function unmerge(model: AnyModel): void {
  for (const [, layer] of loraLayers(model)) {
    layer.merged?.weight.free()
    layer.merged = null
  }
}

/**
 * Adds the active adapters to the weights for good and removes every adapter: the model is an ordinary one again. A quantized base
 * becomes a dense one in `dtype`; it is never quantized again silently. A tied head that was adapted is no longer tied.
 *
 * `report.lost_to_rounding` is the worst ‖rounding error‖ / ‖update‖ of a module: near 1, the update is below the base's precision.
 */
export function mergeAndUnload(
  model: AnyModel,
  options: { dtype?: DType } = {},
): PassRecord<{ modules: number; lost_to_rounding: number; worst_module: string }> {
  const layers = [...loraLayers(model)]
  checkMergeable(layers)
  let worst = { lost: 0, path: '' }
  for (const [path, layer] of layers) {
    const { linear, lost } = mergedLinear(layer, options.dtype)
    if (lost > worst.lost) worst = { lost, path }
    release(model, path, layer, linear)
  }
  return {
    pass: 'merge',
    options: { ...options },
    report: { modules: layers.length, lost_to_rounding: worst.lost, worst_module: worst.path },
  }
}

/** Removes every adapter, or the one of this name; the base is what it was before the first one. */
export function unload(model: AnyModel, name?: string): void {
  const layers = [...loraLayers(model)]
  if (name === undefined) unmerge(model)
  else if (layers.some(([, { merged }]) => merged !== null)) throw mergedError(`adapter ${name}`)
  for (const [path, layer] of layers) {
    if (name !== undefined) layer.remove(name)
    if (name === undefined || layer.adapters.size === 0) release(model, path, layer, layer.base_layer)
  }
}

/** Before anything is replaced: a model that is half merged could not be told from a whole one. */
function checkMergeable(layers: readonly [string, LoraLinear][]): void {
  if (layers.length === 0) throw new UsageError('merge: expected a model with adapters, got one without')
  if (layers.some(([, { merged }]) => merged !== null)) throw mergedError('merge')
  for (const [path, layer] of layers) {
    for (const name of layer.active) {
      const { A, B, magnitude } = layer.adapters.get(name)!
      const isWhole = (tensor: Tensor | null): boolean =>
        tensor === null || scope(() => ops.allAll(ops.isfinite(tensor)).item()) !== 0
      if ([A, B, magnitude].every(isWhole)) continue
      throw new NonFiniteError(
        `adapter ${name} on ${path}: expected finite numbers, got NaN or infinity. Nothing was merged`,
      )
    }
  }
}

/** The sum as a layer of its own; and ‖rounding error‖ / ‖update‖, 0 where there is no update. */
function mergedLinear(layer: LoraLinear, dtype?: DType): { linear: Linear; lost: number } {
  return noGrad(() =>
    scope(() => {
      const base = layer.base_layer.dense()
      const exact = layer.dense('f32')
      const rounded = exact.to(dtype ?? base.dtype)
      // Without an active adapter the sum is the base's own memory.
      const weight = (rounded.storageId === base.storageId ? rounded.clone() : rounded).keep()
      const update = exact.sub(base).norm().item()
      const lost = update === 0 ? 0 : weight.to('f32').sub(exact).norm().item() / update
      return { linear: new Linear(weight, layer.bias), lost }
    }),
  )
}

/** Puts `by` in place of the adapted module and frees what nothing refers to any more. */
function release(model: AnyModel, path: string, layer: LoraLinear, by: LinearLike): void {
  const base = layer.base_layer
  const isTied = isEmbedding(model, base)
  if (isTied && by === base && 'lm_head' in model) model.lm_head = null
  else putLinear(model, path, by)
  if (isTied && by !== base && 'lm_head' in model) untieHead(model)
  const kept = new Set<Tensor>([...model.parameters()].map(([, tensor]) => tensor))
  for (const [, tensor] of layer.parameters()) if (!kept.has(tensor)) tensor.free()
}
