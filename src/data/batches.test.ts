import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batches, stack } from './batches.ts'
import { packSamples } from './packing/pack-samples.ts'
import type { Dataset, Sample } from './sample.ts'

/** Sample i has tokens i, i, …: `lengths[i]` of them. */
function dataset(lengths: number[]): Dataset<Sample> {
  return {
    length: lengths.length,
    get: (i) => ({ ids: new Int32Array(lengths[i]!).fill(i), labels: new Int32Array(lengths[i]!).fill(i) }),
  }
}

const firstTokens = (batch: { rows: number; length: number; inputIds: Int32Array }) =>
  Array.from({ length: batch.rows }, (_, row) => batch.inputIds[row * batch.length]!)

describe('batches', () => {
  it('stacks samples and pads them on the right', () => {
    const { at, batchesPerEpoch } = batches(dataset([2, 3, 1]), {
      batchSize: 2,
      shuffle: false,
      padId: 9,
    })
    expect(batchesPerEpoch).toBe(2)
    expect(at(0)).toEqual({
      rows: 2,
      length: 3,
      inputIds: Int32Array.of(0, 0, 9, 1, 1, 1),
      labels: Int32Array.of(0, 0, -100, 1, 1, 1),
      attentionMask: Uint8Array.of(1, 1, 0, 1, 1, 1),
      samples: Int32Array.of(0, 0, -1, 1, 1, 1),
    })
    expect(at(1)).toEqual({
      rows: 1,
      length: 1,
      inputIds: Int32Array.of(2),
      labels: Int32Array.of(2),
      samples: Int32Array.of(2),
    })
    expect(at(2)).toEqual(at(0))
  })

  it('visits every sample once an epoch, in another order each time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        (size, batchSize, dropLast) => {
          fc.pre(!dropLast || size >= batchSize)
          const source = batches(dataset(Array(size).fill(2)), { batchSize, seed: 3, dropLast })
          for (const epoch of [0, 1, 5]) {
            const first = epoch * source.batchesPerEpoch
            const seen = Array.from({ length: source.batchesPerEpoch }, (_, i) =>
              firstTokens(source.at(first + i)),
            ).flat()
            expect(new Set(seen).size).toBe(seen.length)
            expect(seen.length).toBe(dropLast ? size - (size % batchSize) : size)
          }
        },
      ),
    )
    const source = batches(dataset(Array(100).fill(2)), { batchSize: 100 })
    expect(firstTokens(source.at(0))).not.toEqual(firstTokens(source.at(1)))
  })

  it('says whose each position is, in whatever order and through packing', () => {
    // Sample i is made of tokens i, so that the owner of a position can be read off its token.
    const lengths = Array.from({ length: 50 }, (_, i) => 1 + ((i * 7) % 11))
    for (const data of [dataset(lengths), packSamples(dataset(lengths), 16)]) {
      const source = batches(data, { batchSize: 4, seed: 5, padId: -1, padToMultipleOf: 8 })
      const seen = new Set<number>()
      for (let i = 0; i < source.batchesPerEpoch; i++) {
        const { samples, inputIds } = source.at(i)
        expect(samples).toEqual(inputIds)
        for (const sample of samples!) seen.add(sample)
      }
      expect(seen.size).toBe(50 + 1) // and padding
    }
  })

  it('gives batch k the same after a restart as in a run never stopped', () => {
    const lengths = Array.from({ length: 97 }, (_, i) => 1 + ((i * 31) % 17))
    const options = { batchSize: 4, seed: 11 }
    const whole = batches(dataset(lengths), options)
    const run = Array.from({ length: 100 }, (_, k) => whole.at(k))
    for (const k of [0, 1, 23, 24, 25, 47, 48, 99]) expect(batches(dataset(lengths), options).at(k)).toEqual(run[k])
  })

  it('rounds the length up when asked', () => {
    const { at } = batches(dataset([3, 5]), { batchSize: 2, padToMultipleOf: 4 })
    expect(at(0).length).toBe(8)
  })

  it('refuses what would never give a batch', () => {
    expect(() => batches(dataset([1, 1]), { batchSize: 3, dropLast: true })).toThrow(
      /at least one batch of 3 samples, got 2.*dropLast/,
    )
    expect(() => batches(dataset([]), { batchSize: 1 })).toThrow(/got 0/)
    expect(() => batches(dataset([1]), { batchSize: 0 })).toThrow(/batchSize/)
    expect(() => batches(dataset([1]), { batchSize: 1 }).at(-1)).toThrow(/batch index/)
  })
})

describe('stack', () => {
  it('numbers documents and positions where samples have starts, padding apart', () => {
    const packed = {
      ids: Int32Array.of(1, 2, 3, 4, 5),
      labels: Int32Array.of(1, 2, 3, 4, 5),
      starts: Int32Array.of(0, 2),
    }
    const single = { ids: Int32Array.of(6, 7), labels: Int32Array.of(6, 7) }
    const batch = stack([packed, single])
    expect([...batch.segmentIds!]).toEqual([0, 0, 1, 1, 1, 0, 0, 1, 1, 1])
    expect([...batch.positionIds!]).toEqual([0, 1, 0, 1, 2, 0, 1, 0, 1, 2])
    expect(stack([single])).not.toHaveProperty('segmentIds')
  })
})
