// A long text in parts that fit, cut where a reader would pause. Parts are ranges of the text: put together again they are the text.

import { UsageError } from '../../errors.ts'

/** How a text is cut. */
export interface SplitOptions {
  /** What a part may have at most, in what `measure` counts. */
  size: number
  /** What the end of a part has in common with the beginning of the next one, at most. Default 0. */
  overlap?: number
  /** Counts a text. Default: its characters (UTF-16); for tokens, `(text) => lm.encode({ prompt: text, addSpecialTokens: false }).length`. */
  measure?: (text: string) => number
  /** What parts are cut at, the best first. Default: headings, paragraphs, lines, sentences, words. */
  at?: readonly ('heading' | 'paragraph' | 'line' | 'sentence' | 'word')[]
}

/** A part: `text.slice(start, end)`. */
export interface TextPart {
  readonly text: string
  readonly start: number
  readonly end: number
}

const PAUSES = ['heading', 'paragraph', 'line', 'sentence', 'word'] as const

/** Cuts a text. UsageError where one character alone is too large. */
export function splitText(text: string, options: SplitOptions): TextPart[] {
  const { size, overlap = 0, measure = (part) => part.length, at = PAUSES } = options
  if (!(size > 0)) throw new UsageError(`size: expected a number above 0, got ${size}`)
  if (!(overlap >= 0 && overlap < size))
    throw new UsageError(`overlap: expected a number from 0 to less than size (${size}), got ${overlap}`)
  const pauses = at.map((kind) => pausesOf(text, kind))
  const parts: TextPart[] = []
  for (let start = 0; start < text.length; ) {
    const fits = farthest(text, start, size, measure)
    if (fits === start) throw new UsageError(`size: expected room for a character at ${start} of the text, got ${size}`)
    const end = fits === text.length ? fits : (lastPause(pauses, start, fits) ?? fits)
    parts.push({ text: text.slice(start, end), start, end })
    if (end === text.length) break
    start = overlap === 0 ? end : overlapStart(text, pauses, { start, end, overlap, measure })
  }
  return parts
}

/** The last place up to which the text from `start` on fits; never within a character. */
function farthest(text: string, start: number, size: number, measure: (part: string) => number): number {
  let [low, high] = [start, start + 1]
  // Longer texts measure more, so the place is found by halving; first a bound, for a measure may take long.
  while (high < text.length && measure(text.slice(start, high)) <= size) [low, high] = [high, high + 2 * (high - start)]
  high = Math.min(high, text.length)
  if (measure(text.slice(start, high)) <= size) low = high
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (measure(text.slice(start, middle)) <= size) low = middle
    else high = middle
  }
  return low > start && isWithin(text, low) ? low - 1 : low
}

/** Whether a place parts the two halves of a character. */
const isWithin = (text: string, at: number): boolean =>
  at < text.length && /[\ud800-\udbff]/.test(text[at - 1] ?? '') && /[\udc00-\udfff]/.test(text[at]!)

/** The best kind of pause in the second half of what fits, then anywhere in it. */
function lastPause(pauses: readonly (readonly number[])[], start: number, end: number): number | undefined {
  for (const least of [start + (end - start) / 2, start])
    for (const places of pauses) {
      const place = places.findLast((at) => at <= end)
      if (place !== undefined && place > start && place >= least) return place
    }
  return undefined
}

/** Where the next part begins so that it has the end of this one in common: at a pause, if there is one. */
function overlapStart(
  text: string,
  pauses: readonly (readonly number[])[],
  { start, end, overlap, measure }: { start: number; end: number; overlap: number; measure: (part: string) => number },
): number {
  let first = end
  for (let low = start + 1, high = end; low <= high; ) {
    const middle = (low + high) >>> 1
    if (measure(text.slice(middle, end)) <= overlap) [first, high] = [middle, middle - 1]
    else low = middle + 1
  }
  const places = pauses.flat().filter((at) => at >= first && at < end)
  const best = places.length > 0 ? Math.min(...places) : first
  return isWithin(text, best) ? best + 1 : best
}

/** Places behind which something new begins, in order. */
function pausesOf(text: string, kind: (typeof PAUSES)[number]): number[] {
  if (kind === 'sentence' || kind === 'word') {
    const segments = new Intl.Segmenter(undefined, { granularity: kind }).segment(text)
    return Array.from(segments, ({ index }) => index).filter((index) => index > 0)
  }
  const pattern = { heading: /\n(?=#{1,6} )/g, paragraph: /\n[^\S\n]*\n+/g, line: /\n/g }[kind]
  return Array.from(text.matchAll(pattern), (match) => match.index + match[0].length)
}
