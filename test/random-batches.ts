// Batches of pseudo-random ids for tests that need text of any kind: batch `index` is the same in every run.
import type { Batch } from '../src/data/batch.ts'
import type { Decoder } from '../src/model/decoder.ts'

/** `count` batches of two rows of 16 ids that `model` knows. */
export function randomBatches(model: Decoder, count: number): Batch[] {
  return Array.from({ length: count }, (_, index) => {
    let state = 1 + index
    const next = (): number => {
      state = Math.imul(state, 1664525) + 1013904223
      return (state >>> 8) % model.config.vocabSize
    }
    const inputIds = Int32Array.from({ length: 32 }, next)
    return { rows: 2, length: 16, inputIds, labels: inputIds }
  })
}
