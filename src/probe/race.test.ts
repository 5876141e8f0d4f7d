import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decoder } from '../model/decoder.ts'
import { Count, type Tell } from '../work.ts'
import type { Intervention } from './intervention.ts'
import type { Probe } from './probe.ts'
import { race } from './race.ts'

/** A probe whose cells are all known: no model is run. `read` collects the cells that were asked for. */
function known(table: readonly (readonly number[])[]): { probe: Probe; names: Intervention[]; read: string[] } {
  const read: string[] = []
  const batch = { rows: 1, length: 2, inputIds: new Int32Array(2), labels: new Int32Array(2) }
  return {
    read,
    names: table.map((_, i) => ({ name: String(i), firstBlock: 0, apply: () => () => {} })),
    probe: {
      model: null as unknown as Decoder,
      batches: table[0]!.map(() => batch),
      metric: { name: 'known', measure: () => [] },
      cells: {
        get: (key) => {
          read.push(key)
          const [, i, b] = key.split('/')
          return [table[Number(i)]![Number(b)]!]
        },
        append: () => {},
      },
    },
  }
}

const sumOf = (row: readonly number[]): number =>
  row.reduce((sum, value) => sum + (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value), 0)

/** Few different values make ties, others make rounding. */
const cell = fc.oneof(
  fc.constantFrom(0, 1, 2),
  fc.double({ min: 0, max: 10, noNaN: true }),
  fc.constantFrom(1e-300, 1e300, Number.POSITIVE_INFINITY, Number.NaN),
)
const tables = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
  .chain(([rows, columns]) =>
    fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
  )

describe('race', () => {
  it('finds the winner of the full table, bounded or not, and reads no cell twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        tables,
        fc.option(fc.double({ min: 0, max: 30, noNaN: true }), { nil: undefined }),
        async (table, bound) => {
          const sums = table.map(sumOf)
          const least = Math.min(...sums)
          const expected = least < (bound ?? Number.POSITIVE_INFINITY) ? sums.indexOf(least) : -1
          const { probe, names, read } = known(table)
          const options = bound === undefined ? {} : { bound }
          let cells = 0
          const tell: Tell = (event) => {
            if (event.type === 'progress') cells = event.done
          }
          const count = new Count({ tell }, { label: 'racing', unit: 'cells', total: table.length * table[0]!.length })
          const found = await race({ ...probe, count }, names, options)
          expect(found.winner).toBe(expected)
          if (expected >= 0) expect(found.entries[expected]).toEqual({ sum: least, batches: table[0]!.length })
          expect(new Set(read).size).toBe(read.length)
          for (const [i, { sum, batches }] of found.entries.entries())
            expect(sum).toBe(sumOf(table[i]!.slice(0, batches)))
          expect(cells).toBe(table.length * table[0]!.length)
          const full = await race(known(table).probe, names, { ...options, exhaustive: true })
          expect(full.winner).toBe(expected)
          expect(full.entries.map(({ sum }) => sum)).toEqual(sums)
        },
      ),
      { numRuns: process.env.ANNEAL_LONG ? 20_000 : 500 },
    )
  })

  it('gives up as early as the sums allow', async () => {
    // The leader after one batch is 1 and ends at 6; 0 passes 6 with its third batch, 2 with its second.
    const table = [
      [3, 2, 2, 9, 9],
      [1, 2, 1, 1, 1],
      [4, 3, 9, 9, 9],
    ]
    const { probe, names } = known(table)
    const { winner, entries } = await race(probe, names)
    expect([winner, entries.map(({ batches }) => batches)]).toEqual([1, [3, 5, 2]])
  })

  it('keeps the first among equals', async () => {
    const table = [
      [2, 0],
      [0, 2],
      [1, 1],
    ]
    expect((await race(known(table).probe, known(table).names)).winner).toBe(0)
  })
})
