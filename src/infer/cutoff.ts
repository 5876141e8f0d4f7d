// Where to cut a list of numbers without sorting it: quickselect by rank or by mass, linear on average.

/** The `rank`-th largest (1 is the largest) of `values[0 … count)`, which are reordered. */
export function cutoffByRank(values: Float32Array, count: number, rank: number): number {
  return cutoff(values, count, rank, false)
}

/** The largest value such that it and everything larger sum to at least `mass`; numbers are ≥ 0 and are reordered. */
export function cutoffByMass(values: Float32Array, count: number, mass: number): number {
  return cutoff(values, count, mass, true)
}

function cutoff(values: Float32Array, count: number, target: number, byMass: boolean): number {
  let low = 0
  let high = count
  let above = 0 // what the values left of `low` weigh; all of them are larger
  for (;;) {
    const pivot = median(values[low]!, values[(low + high) >>> 1]!, values[high - 1]!)
    // Larger ones to [low, equal), equal ones to [equal, end), smaller ones behind: many equal values cost one pass.
    let equal = low
    let end = high
    let larger = 0
    for (let i = low; i < end; ) {
      const value = values[i]!
      if (value > pivot) {
        values[i++] = values[equal]!
        values[equal++] = value
        larger += byMass ? value : 1
      } else if (value < pivot) {
        values[i] = values[--end]!
        values[end] = value
      } else i++
    }
    if (equal > low && above + larger >= target) high = equal
    else {
      above += larger + (end - equal) * (byMass ? pivot : 1)
      if (above >= target || end === high) return pivot
      low = end
    }
  }
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}
