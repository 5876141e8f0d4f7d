import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Candidates } from './candidate-groups.ts'
import { closure, verified } from './near-duplicates.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-near-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const spill = join(folder, 'candidates')
/** Room for everything at once, and for hardly anything: some bytes make many parts and batches of one component each. */
const ROOMY = { memoryBytes: 1 << 24, spill }
const NARROW = { memoryBytes: 600, spill }
const KEPT = -1

/** What each document goes for. */
async function removedBy(
  { count }: Candidates,
  remove: (note: (document: number, kept: number) => void) => Promise<unknown>,
): Promise<number[]> {
  const removed = new Array<number>(count).fill(KEPT)
  await remove((document, kept) => {
    expect(removed[document]).toBe(KEPT)
    removed[document] = kept
  })
  expect(existsSync(spill)).toBe(false)
  return removed
}
const closed = (candidates: Candidates, room = ROOMY): Promise<number[]> =>
  removedBy(candidates, (note) => closure(candidates, room, note))
const checked = (
  candidates: Candidates,
  resembles: (document: number, kept: number) => boolean,
  room = ROOMY,
): Promise<number[]> => removedBy(candidates, (note) => verified(candidates, room, resembles, note))

/** Documents with the given keys, one band for each column; 0 is a key of its own. Content hashes are by `order`. */
function candidates(
  keys: readonly (readonly number[])[],
  order: readonly number[] = keys.map((_, i) => i),
): Candidates {
  return {
    count: keys.length,
    bands: keys[0]!.length,
    eachKey: (band, visit) => {
      for (const [i, row] of keys.entries()) visit(i, Uint32Array.of(0, row[band] || 1000 + i, 7), 1)
    },
    has: () => true,
    byContent: (documents) => documents.slice().sort((a, b) => order[a]! - order[b]!),
  }
}

// A chain: 0–1 share a band, 1–2, 2–3; only neighbours resemble each other.
const chain = candidates([
  [1, 0, 0],
  [1, 2, 0],
  [0, 2, 3],
  [0, 0, 3],
])
const isNeighbour = (a: number, b: number): boolean => Math.abs(a - b) === 1

describe('near-duplicates', () => {
  it('joined without looking take a whole chain', async () => {
    expect(await closed(chain)).toEqual([KEPT, 0, 0, 0])
  })

  it('that are verified take direct neighbours of what stays, and no more', async () => {
    // 0 stays, 1 goes for it; 2 resembles only 1, which is gone, so it stays, and 3 goes for it.
    expect(await checked(chain, isNeighbour)).toEqual([KEPT, 0, KEPT, 2])
    expect(await checked(chain, () => false)).toEqual([KEPT, KEPT, KEPT, KEPT])
  })

  it('are not looked for among those without keys, nor among those that are gone', async () => {
    const none: Candidates = {
      ...chain,
      eachKey: (_, visit) => {
        for (let i = 0; i < 4; i++) visit(i, new Uint32Array(2), 0)
      },
    }
    expect(await closed(none)).toEqual([KEPT, KEPT, KEPT, KEPT])
    expect(await closed({ ...chain, has: (document) => document !== 1 })).toEqual([KEPT, KEPT, KEPT, 2])
  })

  it('are the same for any order of the documents, and for any memory', async () => {
    const keys = Array.from({ length: 60 }, (_, i) => [1 + (i % 7), 1 + (i % 11), 1 + ((i * i) % 13)])
    // Three parts that do not hang together.
    const apart = keys.map((row, i) => row.map((key) => key + 100 * (i % 3)))
    const resembles = (a: number, b: number): boolean => (a * b) % 3 === (a + b) % 2
    for (const rows of [keys, apart]) {
      const expected = await checked(candidates(rows), resembles)
      const joined = await closed(candidates(rows))
      expect(await checked(candidates(rows), resembles, NARROW)).toEqual(expected)
      expect(await closed(candidates(rows), NARROW)).toEqual(joined)
      expect(joined.filter((kept) => kept === KEPT).length).toBe(rows === keys ? 1 : 3)
      for (const step of [7, 13, 29]) {
        // Document i of the first is number (i · step) mod 60 of this one.
        const at = rows.map((_, i) => (i * step + 5) % 60)
        const moved = rows.map((_, j) => at.indexOf(j))
        const shuffled = candidates(
          moved.map((i) => rows[i]!),
          moved,
        )
        const again = await checked(shuffled, (a, b) => resembles(moved[a]!, moved[b]!), NARROW)
        const name = (kept: number): number => (kept === KEPT ? KEPT : moved[kept]!)
        expect(at.map((j) => name(again[j]!))).toEqual(expected)
        const joinedAgain = await closed(shuffled)
        expect(at.map((j) => name(joinedAgain[j]!))).toEqual(joined)
      }
    }
  })

  it('never go for something that they do not resemble', async () => {
    const keys = Array.from({ length: 200 }, (_, i) => [1 + (i % 3), 1 + (i % 5)])
    const resembles = (a: number, b: number): boolean => a % 4 === b % 4
    const removed = await checked(candidates(keys), resembles)
    for (const [document, kept] of removed.entries()) {
      if (kept === KEPT) continue
      expect(resembles(document, kept)).toBe(true)
      expect(removed[kept]).toBe(KEPT)
    }
  })
})
