// Places of values in their order: what rank correlations, areas under curves and mean ranks are made of.

/** The rank of each value from 1; equal values share the mean of theirs, and NaN is equal to nothing. */
export function ranksOf(values: readonly number[]): number[] {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const ranks = new Array<number>(values.length).fill(0)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + end + 1) / 2
    start = end
  }
  return ranks
}

/** The chance that a positive has a higher score than another, ties half (the area under the ROC curve); NaN where one kind is missing. */
export function areaUnderRoc(scores: readonly number[], positives: readonly boolean[]): number {
  const found = positives.filter(Boolean).length
  const sum = ranksOf(scores).reduce((total, rank, i) => total + (positives[i] ? rank : 0), 0)
  return (sum - (found * (found + 1)) / 2) / (found * (scores.length - found))
}
