// The type that weights are stored in, by its two names: Transformers' in config.json, and ours.
import { UsageError } from '../errors.ts'
import type { DType } from '../torch/dtype.ts'
import type { WeightDtype } from './config.ts'

/** The types that a model is written in. */
export type StoredDType = 'f32' | 'bf16' | 'f16'

const NAMES: Readonly<Record<StoredDType, WeightDtype>> = { f32: 'float32', bf16: 'bfloat16', f16: 'float16' }

/** What weights may be loaded as. */
const FLOATS: ReadonlySet<string> = new Set<DType>(['f32', 'bf16', 'f16', 'f64'])

/** Our name for what config.json says; f32 where it says nothing, and for float64, in which nothing is computed. */
export function storedDtype(dtype: WeightDtype | null): StoredDType {
  return dtype === 'bfloat16' ? 'bf16' : dtype === 'float16' ? 'f16' : 'f32'
}

/** Transformers' name for a type of weights. */
export function weightDtype(dtype: StoredDType): WeightDtype {
  return NAMES[dtype]
}

/** What weights are loaded as. `auto`: f32 on a CPU, where it is the fast type as well as the exact one, else the stored type; `stored`: that. */
export function loadDtype(wish: 'auto' | 'stored' | DType, stored: WeightDtype | null, device: string): DType {
  if (wish === 'stored') return storedDtype(stored)
  if (wish === 'auto') return device === 'cpu' ? 'f32' : storedDtype(stored)
  if (FLOATS.has(wish)) return wish
  throw new UsageError(
    `dtype: expected auto, stored or a type that is computed in (${[...FLOATS].join(', ')}), got '${wish}'. A model in few bits is made by anneal quantize`,
  )
}
