// How many groups stay in each set, and which. Local: the same share of parameters in every layer, so counts follow from sizes alone;
// heads come in few large groups, and what rounding leaves of a layer's share is made up by neurons (as FLAP's code does). Global: all
// groups compete, each weighing what it costs: a head as much as its parameters, which for LLaMA-7B is FLAP's 512/3 neurons.
import { UsageError } from '../../errors.ts'
import type { GroupSet } from './groups.ts'

export interface LocalOptions {
  /** MLPs keep a multiple of it. */
  align: number
  /** Numbers of groups that a set of heads may keep. */
  headCounts: (set: GroupSet) => readonly number[]
}

/** Groups kept in each set so that each layer loses `share` of the parameters in its sets. Ties keep more. */
export function localCounts(sets: readonly GroupSet[], share: number, { align, headCounts }: LocalOptions): number[] {
  const counts = sets.map(({ count }) => count)
  for (const layer of new Set(sets.map((set) => set.layer))) {
    const here = [...sets.entries()].filter(([, set]) => set.layer === layer)
    let left = share * here.reduce((sum, [, { count, cost }]) => sum + count * cost, 0)
    for (const [i, set] of here.filter(([, { kind }]) => kind === 'heads')) {
      const isAlone = here.length === 1
      counts[i] = nearest(set.count * (1 - share), headCounts(set))
      if (isAlone && set.count * (1 - share) < 0.5) throw emptied(set)
      left -= (set.count - counts[i]) * set.cost
    }
    for (const [i, set] of here.filter(([, { kind }]) => kind === 'mlp')) {
      const wanted = set.count - Math.max(0, left) / set.cost
      if (wanted < 0.5) throw emptied(set)
      counts[i] = aligned(wanted, set.count, align)
    }
  }
  return counts
}

/**
 * Groups kept in each set when the best ones of all sets stay until they cost about `parameters`. Every set keeps its best group.
 * `scores` of one set must be comparable with those of another.
 */
export function globalCounts(
  sets: readonly GroupSet[],
  scores: readonly (readonly number[])[],
  parameters: number,
  align: number,
): number[] {
  const groups = sets.flatMap(({ cost }, set) => scores[set]!.map((score) => ({ set, score, cost })))
  groups.sort((a, b) => b.score - a.score)
  const counts = sets.map(() => 1)
  let left = parameters - sets.reduce((sum, { cost }) => sum + cost, 0)
  if (left < 0) throw emptied(sets[0]!)
  const hasBest = new Set<number>()
  for (const { set, cost } of groups) {
    if (!hasBest.has(set)) {
      hasBest.add(set)
      continue
    }
    // The group that crosses the line stays when the line is nearer behind it.
    if (cost / 2 > left) break
    counts[set]!++
    left -= cost
  }
  return counts.map((count, i) => (sets[i]!.kind === 'mlp' ? aligned(count, sets[i]!.count, align) : count))
}

/** The `count` groups with the highest scores, in ascending order; equal ones by their place. */
export function best(scores: readonly number[], count: number): number[] {
  return [...scores.keys()]
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b)
}

function nearest(wanted: number, allowed: readonly number[]): number {
  return allowed.reduce((found, count) => {
    const gain = Math.abs(found - wanted) - Math.abs(count - wanted)
    return gain > 1e-9 || (Math.abs(gain) <= 1e-9 && count > found) ? count : found
  })
}

/** The multiple of `align` nearest to `wanted`; all groups where that is more than there are. */
function aligned(wanted: number, count: number, align: number): number {
  return Math.min(count, Math.max(1, Math.round(wanted / align)) * align)
}

function emptied({ layer, kind }: GroupSet): UsageError {
  return new UsageError(
    `ratio: expected one that leaves something of every layer, got one that empties the ${kind} of layer ${layer}. Lower it, or protect fewer layers`,
  )
}
