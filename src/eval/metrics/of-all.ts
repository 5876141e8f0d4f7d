// Numbers of all answers where a document has several: each answer weighs the same, however many its document has.

/** The mean of what all lists hold; NaN where they hold nothing. */
export function meanOfAll(lists: readonly (readonly number[])[]): number {
  let sum = 0
  let count = 0
  for (const list of lists)
    for (const value of list) {
      sum += value
      count++
    }
  return sum / count
}

/** The median of what all lists hold, the mean of the two in the middle where their number is even; NaN where they hold nothing. */
export function medianOfAll(lists: readonly (readonly number[])[]): number {
  const values = Float64Array.from(lists.flat()).sort()
  const half = values.length >> 1
  if (values.length === 0) return Number.NaN
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2
}
