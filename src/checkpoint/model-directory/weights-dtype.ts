// What the weights of a model directory are stored in. config.json says it too, and is often wrong: whoever converts the weights
// forgets it, and what goes by it doubles a model or rounds it.

import { InputError } from '../../errors.ts'
import type { WeightDtype } from '../../model/config.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import type { SafetensorsDtype } from '../safetensors/safetensors.ts'
import { openTextWeights } from './text-weights.ts'

const NAMES: Partial<Record<SafetensorsDtype, WeightDtype>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
}

/** The type that most bytes of the matrices have; undefined without readable weights, and for quantized ones. */
export function weightsDtype(directory: string, config: ModelConfig): WeightDtype | undefined {
  if ((config.raw.quantization_config ?? null) !== null) return undefined
  const sizes = new Map<WeightDtype, number>()
  try {
    for (const { dtype, shape, begin, end } of openTextWeights(directory, config).tensors.values()) {
      const name = NAMES[dtype]
      if (name !== undefined && shape.length > 1) sizes.set(name, (sizes.get(name) ?? 0) + end - begin)
    }
  } catch (error) {
    // Said with its reason by whoever reads the weights.
    if (error instanceof InputError) return undefined
    throw error
  }
  return [...sizes].sort(([, a], [, b]) => b - a)[0]?.[0]
}
