import { describe, expect, it } from 'vitest'
import { codebookValues } from './codebook.ts'

describe('codebookValues', () => {
  it('is the published NF4', () => {
    // QLoRA, appendix E, as bitsandbytes' functional.py has it.
    expect(codebookValues('nf4')).toBeAllclose(
      [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
        0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
      ],
      { absolute: 2e-7, relative: 0 },
    )
  })

  it('has an exact 0, both ends, and one value more above 0 than below', () => {
    for (const [kind, size] of [
      ['nf4', 16],
      ['nf3', 8],
      ['nf2', 4],
    ] as const) {
      const values = codebookValues(kind)
      expect(values).toHaveLength(size)
      expect([values[0], values[size / 2 - 1], values.at(-1)]).toEqual([-1, 0, 1])
      expect(values.every((value, i) => i === 0 || value > values[i - 1]!)).toBe(true)
    }
  })

  it('has for scales seven decades of 1, 2, 4, … 64 values on each side, 0 and 1', () => {
    const values = codebookValues('scales')
    expect(new Set(values).size).toBe(256)
    const within = (low: number, high: number): number => values.filter((value) => value > low && value < high).length
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => within(10 ** (i - 7), 10 ** (i - 6) * 0.99999))).toEqual([
      1, 2, 4, 8, 16, 32, 64,
    ])
    expect(values.filter((value) => value < 0)).toHaveLength(127)
    // The one value of the lowest decade is in the middle of 1e-7 and 1e-6.
    expect(values[128]).toBeCloseTo(5.5e-7, 12)
  })
})
