// Counts of what several metrics look at: runs of n words or characters.

/** How often each run of `n` neighbours occurs. */
export function countNGrams(items: readonly string[], n: number, separator = '\u0000'): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= items.length; i++) {
    const key = items.slice(i, i + n).join(separator)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** How many runs both have, each as often as the one that has it less often. */
export function sharedCount(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let shared = 0
  for (const [key, count] of a) shared += Math.min(count, b.get(key) ?? 0)
  return shared
}

/** How many runs there are. */
export function totalCount(counts: ReadonlyMap<string, number>): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
