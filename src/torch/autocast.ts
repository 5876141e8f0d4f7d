// Mixed precision: inside `autocast('bf16', …)` matrix products compute in bf16 while parameters, norms and the residual
// stream stay f32, as PyTorch's autocast does. Layers ask `autocastDtype()`; nothing else knows.
import type { DType } from './dtype.ts'

let active: DType | null = null

/** Runs `body` with matrix products in `dtype`; null means as the weights are. */
export function autocast<T>(dtype: DType | null, body: () => T): T {
  const before = active
  active = dtype
  try {
    return body()
  } finally {
    active = before
  }
}

/** The dtype for matrix products now, or null. */
export function autocastDtype(): DType | null {
  return active
}
