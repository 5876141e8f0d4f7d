import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { UsageError } from '../errors.ts'
import {
  type Choice,
  type ChoiceTable,
  exactAssignment,
  fewestBytes,
  greedyAssignment,
  totalOf,
} from './budget-assignment.ts'

const table = (...units: [bytes: number, loss: number][][]): ChoiceTable =>
  units.map((choices) => choices.map(([bytes, loss]) => ({ bytes, loss })))

const tables = fc.array(
  fc.array(fc.record({ bytes: fc.nat(20), loss: fc.integer({ min: -5, max: 30 }) }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 6 },
)

function bruteForce(choices: ChoiceTable, budget: number): number {
  let totals: Choice[] = [{ bytes: 0, loss: 0 }]
  for (const unit of choices)
    totals = totals.flatMap((sum) => unit.map((one) => ({ bytes: sum.bytes + one.bytes, loss: sum.loss + one.loss })))
  return Math.min(...totals.filter(({ bytes }) => bytes <= budget).map(({ loss }) => loss))
}

describe('exactAssignment', () => {
  it('finds what greedy misses', () => {
    // Per byte, unit 0's step saves 3 and unit 1's 2.5; after the first, the second no longer fits.
    const choices = table(
      [
        [0, 9],
        [1, 6],
      ],
      [
        [0, 9],
        [2, 4],
      ],
    )
    expect(exactAssignment(choices, 2)).toEqual([0, 1])
    expect(greedyAssignment(choices, 2)).toEqual([1, 0])
    expect(exactAssignment(choices, 3)).toEqual([1, 1])
  })

  it('equals brute force', () => {
    fc.assert(
      fc.property(tables, fc.nat(60), (choices, extra) => {
        const budget = fewestBytes(choices) + extra
        const { bytes, loss } = totalOf(choices, exactAssignment(choices, budget))
        expect(bytes).toBeLessThanOrEqual(budget)
        expect(loss).toBe(bruteForce(choices, budget))
      }),
      { numRuns: 300 },
    )
  })

  it('stays within the budget, and near the best, when totals are merged', () => {
    fc.assert(
      fc.property(tables, fc.nat(60), (choices, extra) => {
        const budget = fewestBytes(choices) + extra
        const { bytes, loss } = totalOf(choices, exactAssignment(choices, budget, 4))
        expect(bytes).toBeLessThanOrEqual(budget)
        expect(loss).toBeGreaterThanOrEqual(bruteForce(choices, budget))
      }),
    )
  })

  it('takes hundreds of matrices of a few sizes in no time', () => {
    const choices = Array.from({ length: 224 }, (_, unit) =>
      [2, 3, 4, 8].map((bits) => ({ bytes: bits * [16, 16, 43][unit % 3]!, loss: (1 + (unit % 7)) * 4 ** -bits })),
    )
    const budget = 4 * choices.reduce((sum, unit) => sum + unit[0]!.bytes / 2, 0)
    const spent = startProcessorTime()
    const best = totalOf(choices, exactAssignment(choices, budget))
    expect(spent()).toBeLessThan(3000)
    expect(best.bytes).toBeLessThanOrEqual(budget)
    expect(best.loss).toBeLessThanOrEqual(totalOf(choices, greedyAssignment(choices, budget)).loss)
  })

  it('says the least budget', () => {
    expect(() =>
      exactAssignment(
        table(
          [[3, 1]],
          [
            [4, 1],
            [5, 0],
          ],
        ),
        6,
      ),
    ).toThrow(UsageError)
    expect(() =>
      greedyAssignment(
        table(
          [[3, 1]],
          [
            [4, 1],
            [5, 0],
          ],
        ),
        6,
      ),
    ).toThrow('budget: expected at least 7 bytes, got 6')
    expect(() => exactAssignment(table([[3, 1]]), Number.NaN)).toThrow(UsageError)
  })
})

describe('greedyAssignment', () => {
  it('takes the best rate first, also over a step in between', () => {
    // From option 0 to 2: 8 saved for 2 bytes, better than 1 for 1 first.
    expect(
      greedyAssignment(
        table([
          [1, 10],
          [2, 9],
          [3, 2],
        ]),
        3,
      ),
    ).toEqual([2])
  })

  it('never leaves the budget and never ends above its start', () => {
    fc.assert(
      fc.property(tables, fc.nat(60), (choices, extra) => {
        const budget = fewestBytes(choices) + extra
        const { bytes, loss } = totalOf(choices, greedyAssignment(choices, budget))
        expect(bytes).toBeLessThanOrEqual(budget)
        expect(loss).toBeGreaterThanOrEqual(bruteForce(choices, budget))
        const small = choices.map((unit) =>
          unit.reduce((a, b) => (b.bytes < a.bytes || (b.bytes === a.bytes && b.loss < a.loss) ? b : a)),
        )
        expect(loss).toBeLessThanOrEqual(small.reduce((sum, one) => sum + one.loss, 0))
      }),
    )
  })
})
