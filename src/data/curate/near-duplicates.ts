// Which documents go as near-duplicates of which. Two presets: `datatrove` joins whatever shares a band, and everything joined to
// that; `verified` compares each candidate with what has been kept and takes it out only for a neighbour that it really resembles.
// Joining without looking wiped out whole sources elsewhere: a chain of small resemblances ends far from where it began.

import { turn, type Watch } from '../../work.ts'
import { type Candidates, candidateBatches, type Room } from './candidate-groups.ts'

/** Documents that are compared before others have their turn. */
const TURN = 1024

/** Hears of a document that goes, and of the one that it goes for. */
export type Removal = (document: number, kept: number) => void

/** Documents that stay in one group of one key and are compared at most: beyond, boilerplate would cost the square of its number. */
const MOST_COMPARED = 200

/** Clusters by transitive closure; of each the document with the smallest content hash stays. */
export async function closure(candidates: Candidates, room: Room, remove: Removal, watch: Watch = {}): Promise<void> {
  for await (const { documents, componentOf, compared } of candidateBatches(candidates, room, watch)) {
    const kept = new Map<number, number>()
    for (let i = 0; i < documents.length; i++) {
      const component = componentOf(i)
      const first = kept.get(component)
      if (first === undefined) kept.set(component, documents[i]!)
      else remove(documents[i]!, first)
    }
    compared(documents.length)
  }
}

/** Numbers that grow. */
class Growing {
  length = 0
  array = new Uint32Array(1024)

  push(value: number): number {
    if (this.length === this.array.length) {
      const longer = new Uint32Array(2 * this.array.length)
      longer.set(this.array)
      this.array = longer
    }
    this.array[this.length] = value
    return this.length++
  }
}

/**
 * Each document, by its content hash from the smallest on, goes if `resembles` says so of one that stays already and shares a band with
 * it; the first such is what it goes for. Returns how many comparisons were left out because too many share a band.
 */
export async function verified(
  candidates: Candidates,
  room: Room,
  resembles: (document: number, kept: number) => boolean,
  remove: Removal,
  watch: Watch = {},
): Promise<number> {
  let unchecked = 0
  for await (const { documents, numGroups, eachGroup, compared } of candidateBatches(candidates, room, watch)) {
    // Kept documents of each group, the latest first: 1 + an entry, whose document (by its place) and predecessor stand in two lists.
    const latest = new Uint32Array(numGroups)
    const sizes = new Uint32Array(numGroups)
    const kept = new Growing()
    const before = new Growing()
    for (let i = 0; i < documents.length; i++) {
      if (i % TURN === 0 && i > 0) {
        compared(TURN)
        await turn(watch)
      }
      const near = new Set<number>()
      eachGroup(i, (group) => {
        for (let entry = latest[group]!; entry !== 0; entry = before.array[entry - 1]!) near.add(kept.array[entry - 1]!)
      })
      // Those kept first have the smallest hashes.
      const found = [...near].sort((a, b) => a - b).find((place) => resembles(documents[i]!, documents[place]!))
      if (found !== undefined) {
        remove(documents[i]!, documents[found]!)
        continue
      }
      eachGroup(i, (group) => {
        if (sizes[group]! >= MOST_COMPARED) {
          unchecked++
          return
        }
        sizes[group]!++
        const entry = kept.push(i) + 1
        before.push(latest[group]!)
        latest[group] = entry
      })
    }
    compared(documents.length % TURN || TURN)
  }
  return unchecked
}
