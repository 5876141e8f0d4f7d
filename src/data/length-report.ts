// How long the samples are, before anything is cut: percentiles and a histogram for people to choose a length by.

/** Lengths in tokens. */
export interface LengthReport {
  count: number
  min: number
  mean: number
  p50: number
  p90: number
  p95: number
  p99: number
  max: number
  /** What holds 99 % of the samples, rounded up to a multiple of 64. */
  suggestedMaxLength: number
  /** Samples with at most `upTo` tokens and more than the bin before; bins double. */
  histogram: { upTo: number; count: number }[]
}

/** Reports on at least one length. */
export function reportLengths(lengths: readonly number[]): LengthReport {
  const sorted = Int32Array.from(lengths).sort()
  const count = sorted.length
  // The smallest length that at least this share of the samples does not exceed.
  const percentile = (share: number): number => sorted[Math.max(0, Math.ceil(share * count) - 1)]!
  const bins = new Map<number, number>()
  for (const length of sorted) {
    const upTo = 2 ** Math.ceil(Math.log2(Math.max(1, length)))
    bins.set(upTo, (bins.get(upTo) ?? 0) + 1)
  }
  return {
    count,
    min: sorted[0]!,
    mean: sorted.reduce((sum, length) => sum + length, 0) / count,
    p50: percentile(0.5),
    p90: percentile(0.9),
    p95: percentile(0.95),
    p99: percentile(0.99),
    max: sorted[count - 1]!,
    suggestedMaxLength: Math.ceil(percentile(0.99) / 64) * 64,
    histogram: [...bins].map(([upTo, inBin]) => ({ upTo, count: inBin })),
  }
}

/** Two lines for people: percentiles, and the histogram. */
export function describeLengths({ count, p50, p90, p99, max, suggestedMaxLength, histogram }: LengthReport): string {
  const bins = histogram.map(({ upTo, count }) => `≤ ${upTo}: ${count}`).join(', ')
  return (
    `tokens in a sample: ${p50} in the middle, 90 % have at most ${p90}, 99 % at most ${p99}, the longest of ${count.toLocaleString('en')} has ${max}; ` +
    `max_length: ${suggestedMaxLength} would hold ${suggestedMaxLength < max ? '99 %' : 'all of them'}\nsamples by tokens: ${bins}`
  )
}
