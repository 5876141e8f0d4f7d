// What a count says of a rate: Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), which is honest at 0 and 1 and for few trials.

/** A share with its 95 % interval. */
export interface Share {
  count: number
  of: number
  share: number
  low: number
  high: number
}

const Z = 1.959963984540054

/** `count` of `of` trials; without trials anything may be. */
export function shareOf(count: number, of: number): Share {
  if (of === 0) return { count, of, share: 0, low: 0, high: 1 }
  const p = count / of
  const middle = (p + Z ** 2 / (2 * of)) / (1 + Z ** 2 / of)
  const half = (Z / (1 + Z ** 2 / of)) * Math.sqrt((p * (1 - p)) / of + Z ** 2 / (4 * of ** 2))
  return { count, of, share: p, low: count === 0 ? 0 : middle - half, high: count === of ? 1 : middle + half }
}
