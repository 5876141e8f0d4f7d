// Which intervention costs least, without measuring all of them to the end: sums of terms that are not negative only grow, in floating
// point too, so one that exceeds the best complete sum cannot win. The winner is exactly that of the full table.
import { turn } from '../work.ts'
import type { Intervention } from './intervention.ts'
import { type Probe, probeBatch } from './probe.ts'

/** Something that is raced: its sums so far. */
export interface Entry {
  /** Sum of the metric's first number over the first `batches` batches. Infinity stands for NaN too. */
  sum: number
  batches: number
}

/** How a race ended. */
export interface Race {
  /** Index of the intervention with the lowest sum, the first one among equals; −1 where none is below the bound. */
  winner: number
  entries: Entry[]
}

/** Who races, on what, and how many may win. */
export interface RaceOptions {
  /** Only a sum below it wins. Default Infinity. */
  bound?: number
  /** Measures every intervention to its end. */
  exhaustive?: boolean
}

/** Runs interventions over all batches of the probe and gives up those that cannot win. The metric's first number must be ≥ 0. */
export async function race(
  probe: Probe,
  interventions: readonly Intervention[],
  { bound = Number.POSITIVE_INFINITY, exhaustive = false }: RaceOptions = {},
): Promise<Race> {
  const total = probe.batches.length
  const entries = interventions.map((): Entry => ({ sum: 0, batches: 0 }))
  let best = { sum: bound, index: -1 }
  let running = [...entries.keys()]

  const canWin = (i: number): boolean => {
    const { sum } = entries[i]!
    return sum < best.sum || (sum === best.sum && i <= best.index)
  }
  /** One batch further with those of `indices`, which have all come equally far. */
  const advance = async (indices: readonly number[]): Promise<void> => {
    const batch = entries[indices[0]!]!.batches
    const numbers = probeBatch(
      probe,
      batch,
      indices.map((i) => interventions[i]!),
    )
    for (const [at, i] of indices.entries()) {
      const entry = entries[i]!
      const value = numbers[at]![0]!
      entry.sum += Number.isNaN(value) ? Number.POSITIVE_INFINITY : value
      entry.batches++
      if (entry.batches === total && canWin(i)) best = { sum: entry.sum, index: i }
    }
    await turn(probe.watch)
  }
  /** Lets go of those that cannot win, and of those that are through. */
  const drop = (): void => {
    running = running.filter((i) => {
      const { batches } = entries[i]!
      if (batches < total && (exhaustive || canWin(i))) return true
      if (batches < total) probe.count?.add(total - batches)
      return false
    })
  }

  await advance(running)
  drop()
  if (!exhaustive && running.length > 0) {
    // The one in front sets a mark for the others.
    const leader = running.reduce((a, b) => (entries[b]!.sum < entries[a]!.sum ? b : a))
    while (entries[leader]!.batches < total && canWin(leader)) await advance([leader])
    drop()
  }
  while (running.length > 0) {
    await advance(running)
    drop()
  }
  return { winner: best.index, entries }
}
