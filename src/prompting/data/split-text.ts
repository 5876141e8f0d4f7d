// A long text in parts that fit, cut where a reader would pause. Parts are ranges of the text: put together again they are the text.

import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { farthest, type Measure } from './measure.ts'
import { isWithinPair, PAUSES, type Pause, Pauses } from './pauses.ts'

/** How a text is cut. */
export interface SplitOptions {
  /** What a part may have at most, in what `measure` counts. */
  size: number
  /** What the end of a part has in common with the beginning of the next one, at most. Default 0. */
  overlap?: number
  /** Counts a text. Default: its characters (UTF-16); for tokens, `tokenMeasure(model)`. */
  measure?: Measure
  /** What parts are cut at, the best first. Default: headings, paragraphs, lines, sentences, words. */
  at?: readonly Pause[]
}

/** A part: `text.slice(start, end)`. */
export interface TextPart {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** The names of `SplitOptions`. */
export const SPLIT: Readonly<Record<keyof SplitOptions, true>> = { size: true, overlap: true, measure: true, at: true }

/**
 * Cuts a text. No part is larger than `size`; all of the text is in them, with the white space; what a reader takes for one character
 * is cut only where it is larger than `size`. UsageError where not even a code point fits.
 */
export function splitText(text: string, options: SplitOptions): TextPart[] {
  checkOptionNames('splitText', options, SPLIT)
  const { size, overlap = 0, measure = lengthOf, at = PAUSES } = options
  if (!(size > 0)) throw new UsageError(`size: expected a number above 0, got ${size}`)
  if (!(overlap >= 0 && overlap < size))
    throw new UsageError(`overlap: expected a number from 0 to less than size (${size}), got ${overlap}`)
  const unknown = at.find((kind) => !PAUSES.includes(kind))
  if (unknown !== undefined) throw new UsageError(`at: expected some of ${PAUSES.join(', ')}, got '${unknown}'`)
  const pauses = new Pauses(text)
  const parts: TextPart[] = []
  const guesses = { part: 0, overlap: 0 }
  let [start, before] = [0, 0]
  while (before < text.length) {
    const end = endOf(text, pauses, { start, before, size, measure, at, guesses })
    if (end === undefined && start < before) {
      start = before // What parts have in common leaves no room for more here.
      continue
    }
    if (end === undefined)
      throw new UsageError(`size: expected room for a character at ${start} of the text, got ${size}`)
    parts.push({ text: text.slice(start, end), start, end })
    const next = overlap === 0 ? end : overlapStart(text, pauses, { start, end, overlap, measure, at, guesses })
    ;[start, before] = [next, end]
  }
  return parts
}

const lengthOf: Measure = (text) => text.length

interface Stretch {
  start: number
  measure: Measure
  at: readonly Pause[]
  /** What fitted the last time. */
  guesses: { part: number; overlap: number }
}

/**
 * From which share of what fits on a pause is looked for, and which: a good one that leaves the part small is better than one within a
 * sentence, unless it leaves hardly anything.
 */
function searches(at: readonly Pause[]): [share: number, kinds: readonly Pause[]][] {
  const good = at.filter((kind) => kind !== 'word')
  const words = at.filter((kind) => kind === 'word')
  return [
    [1 / 2, good],
    [1 / 4, good],
    [1 / 2, words],
    [0, at],
  ]
}

/** Where the part that begins at `start` ends, beyond `before`; undefined where nothing fits. */
function endOf(
  text: string,
  pauses: Pauses,
  { start, before, size, measure, at, guesses }: Stretch & { before: number; size: number },
): number | undefined {
  const fits = farthest(text.length - start, (length) => measure(text.slice(start, start + length)), size, guesses.part)
  guesses.part = fits
  const most = start + fits
  if (most === text.length || most <= before) return most > before ? most : undefined
  // A shorter text may have more tokens than a longer one.
  const isGood = (end: number): boolean => end === most || measure(text.slice(start, end)) <= size
  for (const [share, kinds] of searches(at))
    for (const kind of kinds) {
      const end = pauses.last(kind, Math.max(before, Math.ceil(start + share * fits) - 1), most)
      if (end !== undefined && isGood(end)) return end
    }
  const [character] = pauses.character(most)
  if (character > before && isGood(character)) return character
  // Rather nothing in common than a character in two.
  if (start < before) return undefined
  for (let end = most; end > before; end--) if (!isWithinPair(text, end) && isGood(end)) return end
  return undefined
}

/** Where the next part begins so that it has the end of this one in common: at a pause, if there is one. */
function overlapStart(
  text: string,
  pauses: Pauses,
  { start, end, overlap, measure, at, guesses }: Stretch & { end: number; overlap: number },
): number {
  const fits = farthest(end - start - 1, (length) => measure(text.slice(end - length, end)), overlap, guesses.overlap)
  guesses.overlap = fits
  const least = end - fits
  const isGood = (place: number): boolean => place === least || measure(text.slice(place, end)) <= overlap
  for (const [share, kinds] of searches(at))
    for (const kind of kinds) {
      const place = pauses.first(kind, least, Math.ceil(end - share * fits))
      if (place !== undefined && isGood(place)) return place
    }
  const [, character] = pauses.character(least)
  return character < end && isGood(character) ? character : end
}
