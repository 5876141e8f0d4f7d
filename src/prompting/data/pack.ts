// What goes into a prompt that has a limit: what must be there, then the rest by its priority, whole or cut; and what became of each part.

import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { farthest, type Measure } from './measure.ts'
import { isWithinPair, Pauses } from './pauses.ts'
import { type PromptPart, PromptText } from './prompt.ts'

/** A text that may be in the prompt. Parts stand in the order in which they are given. */
export interface PackPart {
  text: string | PromptText
  /** What reports call it. Default: `part 1` and so on. */
  name?: string
  /** Whether it must be there. Default false. */
  required?: boolean
  /** The higher the sooner it gets room; equal ones in their order. Default 0. */
  priority?: number
  /** Which side may be cut off where there is no room for all of it. Default: none, it is there whole or not at all. */
  cut?: 'start' | 'end'
  /** The least that is left of a part that is cut, in what `measure` counts; with less it is left out. Default: a character. */
  min?: number
}

/** What a part that is cut has in place of what is gone. */
export const CUT_MARK = '[…]'

/** How much there is room for. */
export interface PackOptions {
  /** What the prompt may have at most, in what `measure` counts; for a model, `tokenMeasure(model).room(…)`. */
  size: number
  /** Counts a text. Default: its characters; for tokens, `tokenMeasure(model)`. */
  measure?: Measure
  /** Stands between parts. Default: a blank line. */
  separator?: string
  /** Stands where a part was cut. Default: {@link CUT_MARK}. */
  mark?: string
}

/** What became of a part. */
export interface PackedPart {
  readonly name: string
  readonly state: 'whole' | 'cut' | 'left out'
  /** What is there of it, and what it has in all, as `measure` counts each by itself. */
  readonly size: number
  readonly of: number
}

/** A prompt that fits. */
export interface Packed {
  readonly prompt: PromptText
  /** What the prompt has in all. */
  readonly size: number
  readonly parts: readonly PackedPart[]
  /** The same in a line: for a log, or for `note` in a trace. */
  readonly summary: string
}

const OPTIONS: Readonly<Record<keyof PackOptions, true>> = { size: true, measure: true, separator: true, mark: true }
const PART: Readonly<Record<keyof PackPart, true>> = {
  text: true,
  name: true,
  required: true,
  priority: true,
  cut: true,
  min: true,
}

/** Borders between parts may save a few tokens: a part that is larger than what is left by more is not tried. */
const SLACK = 8

/**
 * Fits parts into a limit: those that are required first, at their least; then these grow as far as they go; then the others by priority,
 * each whole, or cut at a pause, or left out. UsageError where what is required does not fit.
 *
 * @example
 * const tokens = tokenMeasure(model)
 * const { prompt, summary } = pack(
 *   [{ text: rules, required: true }, { text: history, cut: 'start', priority: 1 }, { text: article, cut: 'end' }, { text: question, required: true }],
 *   { size: tokens.room(256), measure: tokens },
 * )
 */
export function pack(given: readonly PackPart[], options: PackOptions): Packed {
  checkOptionNames('pack', options, OPTIONS)
  const { size, measure = lengthOf, separator = '\n\n', mark = CUT_MARK } = options
  if (!(size > 0)) throw new UsageError(`size: expected a number above 0, got ${size}`)
  const parts = given.map((part, i) => checked(part, i, measure))
  /** What is in the prompt of each part, once it is. */
  const kept: (PromptText | undefined)[] = parts.map(() => undefined)
  const sizeWith = (at: number, text: PromptText | undefined): number =>
    measure(String(joined(kept.with(at, text), separator)))
  /** As much of a part as fits beside what is there; undefined where that is too little. */
  const cutTo = ({ at, text, cut, min }: Part): PromptText | undefined => {
    if (cut === undefined) return undefined
    const whole = String(text)
    const make = (length: number): PromptText => cutText(text, cut, length, mark)
    const isGood = (length: number): boolean =>
      sizeWith(at, make(length)) <= size && measure(String(bare(text, cut, length))) >= min
    const most = farthest(whole.length - 1, (length) => sizeWith(at, make(length)), size, 0)
    const length = pauseAt(whole, cut, most, isGood)
    return length > 0 ? make(length) : undefined
  }

  const required = parts.filter((part) => part.required)
  for (const part of required) kept[part.at] = part.cut === undefined ? part.text : leastOf(part, measure, mark)
  const least = measure(String(joined(kept, separator)))
  const tooSmall = (least: number): UsageError =>
    new UsageError(
      `pack: expected room for what is required (${required.map(({ name }) => name).join(', ')}: at least ${measure.isEstimate ? 'about ' : ''}${least}), got a size of ${size}`,
    )
  if (least > size) throw tooSmall(least)
  let full = least
  const others = parts
    .filter((part) => !part.required && part.text.parts.length > 0)
    .sort((a, b) => b.priority - a.priority)
  const growing = required.filter(({ cut }) => cut !== undefined).sort((a, b) => b.priority - a.priority)
  for (const part of [...growing, ...others]) {
    const { at, text, of } = part
    const before = kept[at]
    const there = before === undefined ? 0 : measure(String(before))
    const fits = full - there + of <= size + SLACK && sizeWith(at, text) <= size
    kept[at] = fits ? text : full < size || before !== undefined ? (cutTo(part) ?? before) : undefined
    if (part.required && kept[at]?.parts.length === 0 && text.parts.length > 0) throw tooSmall(full)
    if (kept[at] !== before) full = measure(String(joined(kept, separator)))
  }
  return reportOf(parts, kept, { size, measure, separator })
}

const lengthOf: Measure = (text) => text.length

interface Part extends Required<Pick<PackPart, 'name' | 'required' | 'priority' | 'min'>> {
  at: number
  text: PromptText
  cut: 'start' | 'end' | undefined
  of: number
}

function checked(part: PackPart, at: number, measure: Measure): Part {
  checkOptionNames(`part ${at + 1}`, part, PART)
  const { text, name = `part ${at + 1}`, required = false, priority = 0, cut, min = 0 } = part
  if (typeof text !== 'string' && !(text instanceof PromptText))
    throw new UsageError(`${name}: expected a text or a prompt, got ${text === undefined ? 'nothing' : typeof text}`)
  if (cut !== undefined && cut !== 'start' && cut !== 'end')
    throw new UsageError(`${name}: expected cut to be 'start' or 'end', got '${cut}'`)
  for (const [key, value] of Object.entries({ priority, min }))
    if (typeof value !== 'number' || Number.isNaN(value))
      throw new UsageError(`${name}: expected a number as ${key}, got ${value}`)
  const own = typeof text === 'string' ? new PromptText(text === '' ? [] : [{ text, isValue: true }]) : text
  return { at, text: own, name, required, priority, cut, min, of: measure(String(own)) }
}

/** The texts that are there, with the separator between them. */
function joined(texts: readonly (PromptText | undefined)[], separator: string): PromptText {
  const there = texts.filter((text) => text !== undefined && text.parts.length > 0) as PromptText[]
  const between = separator === '' ? [] : [{ text: separator, isValue: false }]
  return new PromptText(there.flatMap(({ parts }, i) => [...(i === 0 ? [] : between), ...parts]))
}

/** What is left of a text: `length` characters of it. */
function bare(text: PromptText, cut: 'start' | 'end', length: number): PromptText {
  const total = String(text).length
  const [from, to] = cut === 'end' ? [0, length] : [total - length, total]
  const parts: PromptPart[] = []
  let at = 0
  for (const { text: part, isValue } of text.parts) {
    const piece = part.slice(Math.max(0, from - at), Math.max(0, to - at))
    if (piece !== '') parts.push({ text: piece, isValue })
    at += part.length
  }
  return new PromptText(parts)
}

function cutText(text: PromptText, cut: 'start' | 'end', length: number, mark: string): PromptText {
  const { parts } = bare(text, cut, length)
  const marks = mark === '' ? [] : [{ text: mark, isValue: false }]
  return new PromptText(cut === 'end' ? [...parts, ...marks] : [...marks, ...parts])
}

/** A length up to `most` that ends at a pause, else between characters; 0 where there is none. */
function pauseAt(text: string, cut: 'start' | 'end', most: number, isGood: (length: number) => boolean): number {
  const pauses = new Pauses(text)
  const lengthAt = (place: number): number => (cut === 'end' ? place : text.length - place)
  const edge = lengthAt(most)
  for (const kind of ['paragraph', 'line', 'sentence', 'word'] as const) {
    const place =
      cut === 'end'
        ? pauses.last(kind, Math.floor(most / 2), most)
        : pauses.first(kind, edge, Math.ceil(text.length - most / 2))
    if (place !== undefined && isGood(lengthAt(place))) return lengthAt(place)
  }
  const [start, end] = pauses.character(edge)
  const between = lengthAt(cut === 'end' ? start : end)
  if (between > 0 && between <= most && isGood(between)) return between
  for (let length = most; length > 0; length--)
    if (!isWithinPair(text, lengthAt(length)) && isGood(length)) return length
  return 0
}

/** The least of a part that is required and may be cut: `min` of it, or all where there is no more. */
function leastOf({ text, cut, min, of }: Part, measure: Measure, mark: string): PromptText {
  if (of <= min) return text
  if (min === 0) return new PromptText([])
  const whole = String(text)
  let [low, high] = [0, whole.length]
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (measure(String(bare(text, cut!, middle))) >= min) high = middle
    else low = middle
  }
  if (isWithinPair(whole, cut === 'end' ? high : whole.length - high)) high++
  return high === whole.length ? text : cutText(text, cut!, high, mark)
}

function reportOf(
  parts: readonly Part[],
  kept: readonly (PromptText | undefined)[],
  { size, measure, separator }: { size: number; measure: Measure; separator: string },
): Packed {
  const prompt = joined(kept, separator)
  const told = parts.map(({ at, name, text, of }): PackedPart => {
    const there = kept[at]
    const state =
      there === text || text.parts.length === 0
        ? 'whole'
        : there === undefined || there.parts.length === 0
          ? 'left out'
          : 'cut'
    return { name, state, size: state === 'whole' ? of : there === undefined ? 0 : measure(String(there)), of }
  })
  const all = measure(String(prompt))
  const cut = told.filter(({ state }) => state === 'cut').map(({ name, size, of }) => `${name} (${size} of ${of})`)
  const out = told.filter(({ state }) => state === 'left out').map(({ name, of }) => `${name} (${of})`)
  const summary = [
    `${measure.isEstimate ? 'about ' : ''}${all} of ${size}`,
    ...(cut.length > 0 ? [`cut: ${cut.join(', ')}`] : []),
    ...(out.length > 0 ? [`left out: ${out.join(', ')}`] : []),
  ].join('; ')
  return { prompt, size: all, parts: told, summary }
}
