// What is measured, compared or shown runs without dropout, and leaves the model's random numbers alone.
import type { Generator } from '../torch/index.ts'

/** Runs `body` as when evaluating: dropout is off and no random number is drawn. What was before is there again, after an error too. */
export function withoutDropout<T>(model: { generator: Generator | null }, body: () => T): T {
  const { generator } = model
  model.generator = null
  try {
    return body()
  } finally {
    model.generator = generator
  }
}
