// Samples → micro-batches. `at(index)` is a pure function of the dataset, the seed and the index, so the position in a
// run is one number and nothing has to be skipped or saved to resume.

import { UsageError } from '../errors.ts'
import { type Batch, type BatchSource, IGNORE_INDEX } from './batch.ts'
import { type Order, order } from './order.ts'
import type { Dataset, Sample } from './sample.ts'

/** How samples become batches. */
export interface BatchOptions {
  /** Rows of a micro-batch. */
  batchSize: number
  /** Seed of the order. Default 0. */
  seed?: number
  /** Another order in every epoch; else the dataset's own. Default true. */
  shuffle?: boolean
  /** What an epoch visits, where that is not every sample once: a mixture (`mixVisits`). It has its own order. */
  visits?: { readonly length: number; readonly order: Order }
  /** Leaves out the last batch of an epoch when it has fewer rows. Default false: a step is normalised by its own tokens. */
  dropLast?: boolean
  /** Fills rows up to the longest. Its label carries no loss and no row looks at it, so any id will do. Default 0. */
  padId?: number
  /** Rounds the length of batches up, which some kernels like. Default 1. */
  padToMultipleOf?: number
}

/** Batches of a dataset, for ever: epoch after epoch. */
export function batches(dataset: Dataset<Sample>, options: BatchOptions): BatchSource {
  const { batchSize, seed = 0, shuffle = true, dropLast = false, padId = 0, padToMultipleOf = 1 } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new UsageError(`batchSize: expected an integer of at least 1, got ${batchSize}`)
  }
  const { length, order: visit } = options.visits ?? {
    length: dataset.length,
    order: shuffle ? order(dataset.length, seed) : (_: number, position: number) => position,
  }
  const batchesPerEpoch = dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize)
  if (batchesPerEpoch === 0) {
    throw new UsageError(
      `dataset: expected at least one batch of ${batchSize} samples, got ${dataset.length}. ` +
        `Give more data${dataset.length === 0 ? '' : ', a smaller batchSize or blockLength, or dropLast: false'}`,
    )
  }
  return {
    batchesPerEpoch,
    at(index) {
      if (!Number.isSafeInteger(index) || index < 0) {
        throw new UsageError(`batch index: expected an integer from 0, got ${index}`)
      }
      const epoch = Math.floor(index / batchesPerEpoch)
      const first = (index % batchesPerEpoch) * batchSize
      const rows = Math.min(batchSize, length - first)
      const indices = Array.from({ length: rows }, (_, row) => visit(epoch, first + row))
      const samples = indices.map((index) => dataset.get(index))
      return { ...stack(samples, padId, padToMultipleOf), samples: ownersOf(samples, indices, padToMultipleOf) }
    },
  }
}

/** Lays samples under each other, filled on the right to the longest. */
export function stack(samples: readonly Sample[], padId = 0, padToMultipleOf = 1): Batch {
  const rows = samples.length
  const length = lengthOf(samples, padToMultipleOf)
  const inputIds = new Int32Array(rows * length).fill(padId)
  const labels = new Int32Array(rows * length).fill(IGNORE_INDEX)
  const attentionMask = new Uint8Array(rows * length)
  for (const [row, sample] of samples.entries()) {
    inputIds.set(sample.ids, row * length)
    labels.set(sample.labels, row * length)
    attentionMask.fill(1, row * length, row * length + sample.ids.length)
  }
  return {
    rows,
    length,
    inputIds,
    labels,
    ...(samples.some(({ ids }) => ids.length < length) && { attentionMask }),
    ...(samples.some(({ starts }) => starts !== undefined) && segments(samples, length)),
  }
}

/** Whose each position of the stacked samples is, as `Batch.samples` says it; `indices` are the samples' own, one a row. */
export function ownersOf(samples: readonly Sample[], indices: ArrayLike<number>, padToMultipleOf = 1): Int32Array {
  const length = lengthOf(samples, padToMultipleOf)
  const owners = new Int32Array(samples.length * length).fill(-1)
  for (const [row, { ids, starts, members }] of samples.entries()) {
    const borders = members === undefined ? [0, ids.length] : [...starts!, ids.length]
    for (let part = 0; part < borders.length - 1; part++)
      owners.fill(members?.[part] ?? indices[row]!, row * length + borders[part]!, row * length + borders[part + 1]!)
  }
  return owners
}

function lengthOf(samples: readonly Sample[], padToMultipleOf: number): number {
  const longest = samples.reduce((most, { ids }) => Math.max(most, ids.length), 0)
  return Math.ceil(longest / padToMultipleOf) * padToMultipleOf
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
