// What is measured, compared or shown runs without dropout, and leaves the model's random numbers alone.
import type { Generator } from '../torch/index.ts'

/**
 * Runs `body` as when evaluating: dropout is off and no random number is drawn. What was before is there again when it ends, after an
 * error too; where `body` gives a promise, when that is settled.
 */
export function withoutDropout<T>(model: { generator: Generator | null }, body: () => T): T {
  const { generator } = model
  const restore = (): void => {
    model.generator = generator
  }
  model.generator = null
  let result: T
  try {
    result = body()
  } catch (error) {
    restore()
    throw error
  }
  if (result instanceof Promise) return result.finally(restore) as T
  restore()
  return result
}
