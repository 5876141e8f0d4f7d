// Numbers of many, such as lengths: their mean, where their parts end, and how many lie where.

/** How numbers are spread. */
export interface Distribution {
  count: number
  mean: number
  /** Of the numbers, not of their mean: divided by their count. 0 of one number. */
  deviation: number
  /** Numbers that 0, 5, 25, 50, 75, 95 and 100 % are not above; between two, in proportion. */
  quantiles: readonly [number, number, number, number, number, number, number]
  /** How many are in [from, to). Bins have a width of 1, 2 or 5 times a power of ten. */
  bins: readonly { from: number; to: number; count: number }[]
}

const SHARES = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1] as const

/** The spread of numbers, in at most `most` bins. NaN and no bins where there are none. */
export function distributionOf(values: readonly number[], most = 12): Distribution {
  const sorted = Float64Array.from(values).sort()
  const count = sorted.length
  const mean = sorted.reduce((sum, value) => sum + value, 0) / count
  const deviation = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count)
  const quantiles = SHARES.map((share) => quantile(sorted, share)) as unknown as Distribution['quantiles']
  return { count, mean, deviation, quantiles, bins: count === 0 ? [] : binsOf(sorted, most) }
}

function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN
  const at = share * (sorted.length - 1)
  const low = Math.floor(at)
  const [a, b] = [sorted[low]!, sorted[Math.min(low + 1, sorted.length - 1)]!]
  return a + (at - low) * (b - a)
}

function binsOf(sorted: Float64Array, most: number): Distribution['bins'] {
  const [least, greatest] = [sorted[0]!, sorted.at(-1)!]
  const place = (width: number): [number, number] => [Math.floor(least / width), Math.floor(greatest / width)]
  const span = greatest - least || 1
  let scale = 10 ** Math.floor(Math.log10(span / most))
  let width = scale
  for (let i = 0; ; i++) {
    width = scale * [1, 2, 5][i % 3]!
    const [first, last] = place(width)
    if (last - first < most) break
    if (i % 3 === 2) scale *= 10
  }
  const [first, last] = place(width)
  const bins = Array.from({ length: last - first + 1 }, (_, i) => ({
    from: (first + i) * width,
    to: (first + i + 1) * width,
    count: 0,
  }))
  for (const value of sorted) bins[Math.floor(value / width) - first]!.count++
  return bins
}
