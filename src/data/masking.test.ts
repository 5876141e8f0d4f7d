import { describe, expect, it } from 'vitest'
import type { Batch } from './batch.ts'
import { type MaskingOptions, maskedBatches } from './masking.ts'

const LENGTH = 500
// 0 pads, 1 begins, 2 ends, 3 is the mask; the others are text, odd ones go on with a word.
const row = Array.from({ length: LENGTH }, (_, i) => (i === 0 ? 1 : i === LENGTH - 1 ? 2 : 4 + ((i * 7) % 90)))
const batch: Batch = {
  rows: 2,
  length: LENGTH,
  inputIds: Int32Array.from([...row, ...row.slice(0, 100), ...Array(400).fill(0)]),
  labels: new Int32Array(2 * LENGTH),
  attentionMask: Uint8Array.from([...Array(600).fill(1), ...Array(400).fill(0)]),
}
const source = { batchesPerEpoch: 4, at: () => batch }
const options: MaskingOptions = { maskId: 3, vocabSize: 100, isSpecial: (id) => id < 4 }
const many = (given: Partial<MaskingOptions>, count = 100): Batch[] => {
  const masked = maskedBatches(source, { ...options, ...given })
  return Array.from({ length: count }, (_, i) => masked.at(i))
}
const hidden = ({ labels }: Batch): number[] => [...labels.keys()].filter((i) => labels[i] !== -100)

describe('masking', () => {
  it('hides the shares of the paper', () => {
    const all = many({})
    const places = all.flatMap((each) => hidden(each).map((i) => ({ now: each.inputIds[i]!, was: each.labels[i]! })))
    const count = places.length
    const near = (got: number, share: number, of: number): void => {
      expect(Math.abs(got / of - share)).toBeLessThan((4 * Math.sqrt(share * (1 - share))) / Math.sqrt(of))
    }
    near(count, 0.15, all.length * (LENGTH - 2 + 99))
    near(places.filter(({ now }) => now === 3).length, 0.8, count)
    near(places.filter(({ now, was }) => now !== 3 && now !== was).length, 0.1 * (1 - 1 / 96), count)
    expect(new Set(places.map(({ now }) => now)).size).toBeGreaterThan(60)
  })

  it('asks for what was there, and leaves the rest and what stands around texts alone', () => {
    for (const { inputIds, labels } of many({}, 20)) {
      for (const [i, id] of batch.inputIds.entries()) {
        if (labels[i] === -100) expect(inputIds[i]).toBe(id)
        else expect(labels[i]).toBe(id)
        if (id < 4) expect(labels[i]).toBe(-100)
      }
    }
  })

  it('depends on the seed and the index alone', () => {
    const [first, again, other] = [many({ seed: 7 }, 3), many({ seed: 7 }, 3), many({ seed: 8 }, 3)]
    expect(again).toEqual(first)
    expect(hidden(other[0]!)).not.toEqual(hidden(first[0]!))
    expect(hidden(first[1]!)).not.toEqual(hidden(first[0]!))
  })

  it('hides words whole', () => {
    const continuesWord = (id: number): boolean => id % 2 === 1
    for (const each of many({ continuesWord }, 20)) {
      const isHidden = new Set(hidden(each))
      for (const i of row.keys())
        if (i > 1 && i < LENGTH - 1 && continuesWord(row[i]!)) expect(isHidden.has(i)).toBe(isHidden.has(i - 1))
    }
  })

  it('hides one token where it would hide none', () => {
    for (const each of many({ probability: 0 }, 20)) expect(hidden(each)).toHaveLength(1)
  })

  it('refuses shares that are none', () => {
    expect(() => many({ probability: 1.5 })).toThrow('probability: expected a share from 0 to 1, got 1.5')
    expect(() => many({ maskShare: 0.9, randomShare: 0.2 })).toThrow(/maskShare \+ randomShare: expected a share/)
  })
})
