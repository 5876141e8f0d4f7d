import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batches } from './batches.ts'
import { concatenated, type MixOptions, mixVisits } from './mixture.ts'
import type { Dataset, Sample } from './sample.ts'

const visited = (lengths: readonly number[], options: MixOptions, epochs: readonly number[]): number[][] => {
  const { length, order } = mixVisits(lengths, options)
  return epochs.map((epoch) => Array.from({ length }, (_, position) => order(epoch, position)))
}

describe('a mixture', () => {
  it('ends an epoch where the first, or the last, source is read up', () => {
    const probabilities = [3, 1] // shares of 3/4 and 1/4
    const counts = (lengths: number[], strategy: MixOptions['strategy']): readonly number[] =>
      mixVisits(lengths, { strategy, probabilities, seed: 1 }).counts
    // 90 of the first at 3/4 make 120 in all; 100 of the second at 1/4 make 400.
    expect(counts([90, 100], 'interleave_under')).toEqual([90, 30])
    expect(counts([90, 100], 'interleave_over')).toEqual([300, 100])
    expect(counts([90, 100], 'concat')).toEqual([90, 100])
    expect(mixVisits([90, 100], { strategy: 'interleave_under', seed: 1 }).counts).toEqual([90, 90])
    // However small a share is, its source is there.
    expect(mixVisits([10, 10], { strategy: 'interleave_under', probabilities: [1000, 1], seed: 1 }).counts).toEqual([
      10, 1,
    ])
  })

  it('draws no sample of a source again before all of it have come, over the borders of epochs', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('concat', 'interleave_under', 'interleave_over'),
        fc.nat(1000),
        (lengths, strategy, seed) => {
          const probabilities = lengths.map((_, i) => i + 1)
          const epochs = visited(lengths, { strategy, probabilities, seed }, [0, 1, 2, 3]).flat()
          let offset = 0
          for (const length of lengths) {
            const times = new Array<number>(length).fill(0)
            for (const index of epochs) if (index >= offset && index < offset + length) times[index - offset]!++
            expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1)
            offset += length
          }
        },
      ),
    )
  })

  it('mixes within an epoch, in another order in each and under each seed', () => {
    const options: MixOptions = { strategy: 'interleave_over', probabilities: [0.8, 0.2], seed: 3 }
    const [first, second] = visited([400, 100], options, [0, 1]) as [number[], number[]]
    const [other] = visited([400, 100], { ...options, seed: 4 }, [0]) as [number[]]
    expect(first).not.toEqual(second)
    expect(first).not.toEqual(other)
    // A fifth of every tenth of the epoch, give or take what chance does (50 draws: 10 ± 6 standard deviations of 2.8).
    for (let from = 0; from < 500; from += 50) {
      const replayed = first.slice(from, from + 50).filter((index) => index >= 400).length
      expect(Math.abs(replayed - 10)).toBeLessThan(17)
    }
    expect(first.slice(0, 250).filter((index) => index >= 400).length).toBeGreaterThan(20)
  })

  it('gives batches whose place is one number', () => {
    const set = (length: number, name: number): Dataset<Sample> => ({
      length,
      get: (i) => ({ ids: Int32Array.of(name, i), labels: Int32Array.of(name, i) }),
    })
    const visits = mixVisits([6, 4], { strategy: 'interleave_over', probabilities: [0.5, 0.5], seed: 9 })
    const source = batches(concatenated([set(6, 1), set(4, 2)]), { batchSize: 5, visits })
    expect(source.batchesPerEpoch).toBe(3) // 12 rows
    const rows = [0, 1, 2].flatMap((index) => [...source.at(index).inputIds].filter((_, i) => i % 2 === 0))
    expect(rows.filter((name) => name === 1)).toHaveLength(6)
    expect(rows.filter((name) => name === 2)).toHaveLength(6)
    expect(source.at(7)).toEqual(source.at(7))
    expect(source.at(2).rows).toBe(2)
  })

  it('says what is wrong', () => {
    const mix = (lengths: number[], probabilities?: number[]) => () =>
      mixVisits(lengths, { strategy: 'interleave_under', seed: 0, ...(probabilities && { probabilities }) })
    expect(mix([1, 2], [1])).toThrow('probabilities: expected one for each of 2 sources, got 1')
    expect(mix([1, 2], [1, 0])).toThrow('probabilities: expected numbers above 0, got 0')
    expect(mix([1, 0])).toThrow('sources: expected samples in each, got none in source 2')
  })
})
