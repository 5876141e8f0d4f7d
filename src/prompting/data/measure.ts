// How large a text is, in what a model counts, and how much of one fits.

import { UsageError } from '../../errors.ts'

/** Counts a text: characters, words, tokens. It may be an estimate and then says so. */
export interface Measure {
  (text: string): number
  readonly isEstimate?: boolean
}

/** From this length on, the last 3 % of what would fit are not looked for: texts are cut at pauses anyway. */
const EXACT = 64
const LEFT = 1 / 32

/**
 * A length up to `most` that measures `size` at most, and a longer one more; below 64 the longest such that is found by halving. It has been
 * measured itself: a longer text need not have more tokens. `guess` is where to begin; measuring may take long.
 */
export function farthest(most: number, measure: (length: number) => number, size: number, guess: number): number {
  let [low, high] = [0, most + 1]
  let length = Math.min(most, guess > 0 ? guess : Math.ceil(size))
  for (let step = 0; high - low > 1; step++) {
    const got = measure(length)
    if (!(got >= 0)) throw new UsageError(`measure: expected a number of at least 0, got ${got}`)
    if (got <= size) low = length
    else high = length
    if (low === most || (low === length && low >= EXACT && got >= size * (1 - LEFT))) break
    // By what a character measures here; each third time by halves, or twice as far, so that it ends soon whatever the text.
    const even = high > most ? 2 * length : (low + high) >>> 1
    const aim = length < EXACT ? size : size * (1 - LEFT / 2)
    const wanted = step % 3 === 2 || got === 0 ? even : Math.floor((length * aim) / got)
    length = Math.min(Math.max(wanted, low + 1), high - 1, most)
  }
  return low
}
