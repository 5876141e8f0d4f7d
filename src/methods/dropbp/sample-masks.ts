// Which branches are dropped in one micro-batch. Two samplers: `pivotalSampler` meets the FLOP budget every time and drops each branch
// with exactly its rate; `bernoulliSampler` is the official code's rule, which drops more than its target.
// Both are pure functions of a stream of random numbers, and the stream of (seed, step, micro-batch): nothing has to be saved.
import { philox4x32 } from '../../infer/philox.ts'

export interface MaskSampler {
  /** Exact probability that a draw keeps each branch. */
  readonly keep: Float64Array
  /** 1 where the branch is dropped. `random` gives numbers in [0, 1). */
  draw(random: () => number): Uint8Array
}

/**
 * Weighted pivotal sampling (Deville & Tillé 1998, "Unequal probability sampling without replacement through a splitting method").
 * Two branches that are still open trade expected dropped FLOPs until one of them is settled, dropped or kept, in a fair game: the sum
 * Σ F·p does not change and neither does any probability. One branch at most is left over, and a coin settles it. So
 * |Σ F·dropped − Σ F·rate| is below the FLOPs of one branch, and 0 when all branches cost the same and Σ rate is whole.
 */
export function pivotalSampler(rates: Float64Array, flops: Float64Array): MaskSampler {
  return {
    keep: rates.map((rate) => 1 - rate),
    draw(random) {
      const p = Float64Array.from(rates)
      let left = -1
      for (const next of shuffled(rates.length, random)) {
        if (left >= 0) settleOne(p, flops, left, next, random)
        if (left < 0 || isSettled(p[left]!)) left = isSettled(p[next]!) ? -1 : next
      }
      if (left >= 0) p[left] = random() < p[left]! ? 1 : 0
      return Uint8Array.from(p)
    },
  }
}

const isSettled = (p: number): boolean => p === 0 || p === 1

/** Moves FLOPs between branches i and j, either way as far as it goes, so that at least one p becomes 0 or 1. */
function settleOne(p: Float64Array, flops: Float64Array, i: number, j: number, random: () => number): void {
  const [fi, fj] = [flops[i]!, flops[j]!]
  const up = Math.min(fi * (1 - p[i]!), fj * p[j]!) // p[i] rises, p[j] falls
  const down = Math.min(fi * p[i]!, fj * (1 - p[j]!))
  const flow = random() * (up + down) < down ? up : -down
  p[i] = snap(p[i]! + flow / fi)
  p[j] = snap(p[j]! - flow / fj)
}

/** Takes rounding off: a probability this close to 0 or 1 is 0 or 1. */
function snap(p: number): number {
  const rounding = 1e-12
  return p < rounding ? 0 : p > 1 - rounding ? 1 : p
}

function shuffled(length: number, random: () => number): number[] {
  const list = Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}

/**
 * The official rule: each branch is dropped with its own rate; while fewer than `target` of all branches (by count) are, the kept one
 * with the highest rate is dropped too, the lower block first. The dropped share is max(X, target), above the target on average.
 */
export function bernoulliSampler(rates: Float64Array, target: number): MaskSampler {
  const order = Array.from(rates.keys()).sort((a, b) => rates[b]! - rates[a]! || a - b)
  const least = Math.ceil(target * rates.length - 1e-9)
  return {
    keep: keptByForcedDrop(rates, order, least),
    draw(random) {
      const mask = Uint8Array.from(rates, (rate) => (random() < rate ? 1 : 0))
      let count = mask.reduce((sum, dropped) => sum + dropped, 0)
      for (const branch of order) {
        if (count >= least) break
        if (mask[branch] === 0) count++
        mask[branch] = 1
      }
      return mask
    },
  }
}

/**
 * The r-th branch in the order is kept when its own coin keeps it and forcing does not reach it: with B of the r branches before it and
 * C of those after it dropped by their coins, `least − B − C` are forced, r − B of them before it, so it needs C ≥ least − r.
 */
function keptByForcedDrop(rates: Float64Array, order: readonly number[], least: number): Float64Array {
  const keep = new Float64Array(rates.length)
  let after = [1] // P(C = c) over the branches after the r-th
  for (let r = order.length - 1; r >= 0; r--) {
    const rate = rates[order[r]!]!
    const reached = after.slice(Math.max(0, least - r)).reduce((sum, chance) => sum + chance, 0)
    keep[order[r]!] = (1 - rate) * Math.min(1, reached)
    after = Array.from(
      { length: after.length + 1 },
      (_, c) => (after[c] ?? 0) * (1 - rate) + (after[c - 1] ?? 0) * rate,
    )
  }
  return keep
}

/** Keeps this use of the seed apart from every other. */
const DOMAIN = 0xd209b9

/** Numbers in [0, 1) that depend on (seed, step, micro-batch) and nothing else. */
export function maskRandom(seed: number, step: number, microBatch: number): () => number {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const
  let drawn = 0
  return () => {
    const [a, b] = philox4x32([step, microBatch, drawn++, DOMAIN], key)
    return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53
  }
}
