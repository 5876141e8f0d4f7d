import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../../test/processor-time.ts'
import type { Dataset, Sample } from '../sample.ts'
import { packSamples } from './pack-samples.ts'

/** Sample i is i+1, i+1, …; its first label is masked, as a prompt's would be. */
function dataset(lengths: number[]): Dataset<Sample> {
  return {
    length: lengths.length,
    get: (i) => ({
      ids: new Int32Array(lengths[i]!).fill(i + 1),
      labels: new Int32Array(lengths[i]!).fill(i + 1).fill(-100, 0, 1),
    }),
  }
}

describe('packSamples', () => {
  it('puts the longest first, each into the row where it leaves the least room', () => {
    // 6 → row 0; 5 → row 1; 4 fits exactly beside the 6; 3 beside the 5; 2 there too; 1 nowhere with less room.
    const packed = packSamples(dataset([4, 2, 6, 3, 5, 1]), 10)
    expect(packed.length).toBe(3)
    expect(packed.get(0)).toEqual({
      ids: Int32Array.of(3, 3, 3, 3, 3, 3, 1, 1, 1, 1),
      labels: Int32Array.of(-100, 3, 3, 3, 3, 3, -100, 1, 1, 1),
      starts: Int32Array.of(0, 6),
      members: Int32Array.of(2, 0),
    })
    expect([...packed.get(1).ids]).toEqual([5, 5, 5, 5, 5, 4, 4, 4, 2, 2])
    expect([...packed.get(2).ids]).toEqual([6])
  })

  it('asks nobody for the first token of the next sample', () => {
    const samples = [Int32Array.of(1, 2), Int32Array.of(3, 4)].map((ids) => ({ ids, labels: ids.slice() }))
    const packed = packSamples({ length: 2, get: (i) => samples[i]! }, 4)
    expect([...packed.get(0).labels]).toEqual([-100, 2, -100, 4])
  })

  it('holds every sample once and whole, in rows that fit, few of them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 60 }), (lengths) => {
        const packed = packSamples(dataset(lengths), 70)
        const seen = new Int32Array(lengths.length)
        for (let row = 0; row < packed.length; row++) {
          const { ids, starts } = packed.get(row)
          expect(ids.length).toBeLessThanOrEqual(70)
          for (const [i, start] of starts!.entries()) {
            const piece = ids.subarray(start, starts![i + 1] ?? ids.length)
            expect(new Set(piece).size).toBe(1)
            expect(piece.length).toBe(lengths[piece[0]! - 1])
            seen[piece[0]! - 1]!++
          }
        }
        expect([...seen]).toEqual(lengths.map((length) => (length > 0 ? 1 : 0)))
        // No two rows could be one: else the later row would not have been begun.
        const fills = Array.from({ length: packed.length }, (_, row) => packed.get(row).ids.length).sort(
          (a, b) => a - b,
        )
        if (fills.length > 1) expect(fills[0]! + fills[1]!).toBeGreaterThan(70)
      }),
    )
  })

  it('packs 200,000 samples in a moment and wastes almost nothing', () => {
    const lengths = Array.from({ length: 200_000 }, (_, i) => 1 + ((i * 7919) % 1500))
    const shared = new Int32Array(1500)
    const get = (i: number) => ({ ids: shared.subarray(0, lengths[i]!), labels: shared.subarray(0, lengths[i]!) })
    const spent = startProcessorTime()
    const packed = packSamples({ length: lengths.length, get }, 4096)
    expect(spent()).toBeLessThan(5000)
    const tokens = lengths.reduce((sum, length) => sum + length, 0)
    expect(tokens / (packed.length * 4096)).toBeGreaterThan(0.999)
  })

  it('refuses a sample that cannot fit', () => {
    expect(() => packSamples(dataset([3, 11]), 10)).toThrow(/sample 1: expected at most 10 tokens to pack, got 11/)
  })
})
