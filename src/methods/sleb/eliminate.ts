// Removing for good, in memory: a model with fewer layers that shares the tensors that stay.
import { UsageError } from '../../errors.ts'
import { Decoder } from '../../model/decoder.ts'
import { eliminatedConfig } from './eliminated-config.ts'
import type { Unit } from './unit.ts'

/**
 * The model without `removed`. It takes the tensors over: those that went are freed, and `model` is not to be used any more. UsageError
 * where layers have been wrapped (adapters, quantized weights): remove first.
 */
export function eliminate(model: Decoder, removed: readonly Unit[]): Decoder {
  const { config, pathBefore } = eliminatedConfig(model.config, removed)
  const parameters = new Map(model.parameters())
  const smaller = new Decoder(config, ({ path }) => {
    const tensor = parameters.get(pathBefore(path))
    if (tensor === undefined)
      throw new UsageError(
        `${path}: expected a plain weight, got a wrapped layer. Remove blocks before adding adapters`,
      )
    return tensor
  })
  const stays = new Set([...smaller.parameters()].map(([, tensor]) => tensor))
  for (const tensor of parameters.values()) if (!stays.has(tensor)) tensor.free()
  return smaller
}
