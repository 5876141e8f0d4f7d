// Samples → micro-batches. `at(index)` is a pure function of the dataset, the seed and the index, so the position in a
// run is one number and nothing has to be skipped or saved to resume.

import { UsageError } from '../errors.ts'
import { type Batch, type BatchSource, IGNORE_INDEX } from './batch.ts'
import { order } from './order.ts'
import type { Dataset, Sample } from './sample.ts'

/** How samples become batches. */
export interface BatchOptions {
  /** Rows of a micro-batch. */
  batchSize: number
  /** Seed of the order. Default 0. */
  seed?: number
  /** Another order in every epoch; else the dataset's own. Default true. */
  shuffle?: boolean
  /** Leaves out the last batch of an epoch when it has fewer rows. Default true. */
  dropLast?: boolean
  /** Fills rows up to the longest. Its label carries no loss and no row looks at it, so any id will do. Default 0. */
  padId?: number
  /** Rounds the length of batches up, which some kernels like. Default 1. */
  padToMultipleOf?: number
}

/** Batches of a dataset, for ever: epoch after epoch. */
export function batches(dataset: Dataset<Sample>, options: BatchOptions): BatchSource {
  const { batchSize, seed = 0, shuffle = true, dropLast = true, padId = 0, padToMultipleOf = 1 } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new UsageError(`batchSize: expected an integer of at least 1, got ${batchSize}`)
  }
  const batchesPerEpoch = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize)
  if (batchesPerEpoch === 0) {
    throw new UsageError(
      `dataset: expected at least one batch of ${batchSize} samples, got ${dataset.length}. ` +
        'Give more data, a smaller batchSize or blockLength, or dropLast: false',
    )
  }
  const shuffled = order(dataset.length, seed)
  return {
    batchesPerEpoch,
    at(index) {
      if (!Number.isSafeInteger(index) || index < 0) {
        throw new UsageError(`batch index: expected an integer from 0, got ${index}`)
      }
      const epoch = Math.floor(index / batchesPerEpoch)
      const first = (index % batchesPerEpoch) * batchSize
      const rows = Math.min(batchSize, dataset.length - first)
      const samples = Array.from({ length: rows }, (_, row) =>
        dataset.get(shuffle ? shuffled(epoch, first + row) : first + row),
      )
      return stack(samples, padId, padToMultipleOf)
    },
  }
}

/** Lays samples under each other, filled on the right to the longest. */
export function stack(samples: readonly Sample[], padId = 0, padToMultipleOf = 1): Batch {
  const rows = samples.length
  const longest = samples.reduce((most, { ids }) => Math.max(most, ids.length), 0)
  const length = Math.ceil(longest / padToMultipleOf) * padToMultipleOf
  const inputIds = new Int32Array(rows * length).fill(padId)
  const labels = new Int32Array(rows * length).fill(IGNORE_INDEX)
  for (const [row, sample] of samples.entries()) {
    inputIds.set(sample.ids, row * length)
    labels.set(sample.labels, row * length)
  }
  const batch = { rows, length, inputIds, labels }
  return samples.some(({ starts }) => starts !== undefined) ? { ...batch, ...segments(samples, length) } : batch
}

/**
 * Numbers the documents of each row and the positions within each. Padding is a document of its own, the row's last,
 * so that every position has at least itself to look at.
 */
function segments(samples: readonly Sample[], length: number): { positionIds: Int32Array; segmentIds: Int32Array } {
  const positionIds = new Int32Array(samples.length * length)
  const segmentIds = new Int32Array(samples.length * length)
  for (const [row, { ids, starts = [0] }] of samples.entries()) {
    const borders = [...starts, ids.length, length]
    for (let segment = 0; segment < borders.length - 1; segment++) {
      for (let at = borders[segment]!; at < borders[segment + 1]!; at++) {
        segmentIds[row * length + at] = segment
        positionIds[row * length + at] = at - borders[segment]!
      }
    }
  }
  return { positionIds, segmentIds }
}
