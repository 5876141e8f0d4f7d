// What is known of a value while a hole is being written: the same questions have an answer for a text that is there and for its beginning.
// Every answer is careful: what it leaves out cannot come, whatever the model writes.

import { isSame, type ScriptValue } from './script-type.ts'

/**
 * `exact`: this value. `grows`: a text that begins so. `between`: a number from `low` to `high`, both allowed. `lengthens`: a list of texts
 * that begins with these, then, where there is a `last`, one that begins so, then perhaps more. `unknown`: anything.
 */
export type Known =
  | { kind: 'exact'; value: ScriptValue }
  | { kind: 'grows'; text: string }
  | { kind: 'between'; low: number; high: number }
  | { kind: 'lengthens'; items: readonly string[]; last?: string }
  | { kind: 'unknown' }

export const UNKNOWN: Known = { kind: 'unknown' }
export const exact = (value: ScriptValue): Known => ({ kind: 'exact', value })
export const between = (low: number, high: number): Known =>
  Number.isNaN(low) || Number.isNaN(high) ? UNKNOWN : { kind: 'between', low, high }

/** A text of which this is the beginning; a half of a character at its end is not counted on. */
export const grows = (text: string): Known => ({ kind: 'grows', text: text.replace(/[\ud800-\udbff]$/, '') })

/** From where to where a number is; undefined for what may be no number. */
export function rangeOf(known: Known): readonly [low: number, high: number] | undefined {
  if (known.kind === 'between') return [known.low, known.high]
  return known.kind === 'exact' && typeof known.value === 'number' ? [known.value, known.value] : undefined
}

/** The beginning that a text has; undefined for what may be no text. */
export function beginningOf(known: Known): string | undefined {
  if (known.kind === 'grows') return known.text
  return known.kind === 'exact' && typeof known.value === 'string' ? known.value : undefined
}

/** Whether a relation of numbers holds for all of them, none, or some. */
export function compareKnown(operator: '<' | '<=', left: Known, right: Known): Known {
  const [a, b] = [rangeOf(left), rangeOf(right)]
  if (a === undefined || b === undefined) return UNKNOWN
  const [isAll, isNone] = operator === '<' ? [a[1] < b[0], a[0] >= b[1]] : [a[1] <= b[0], a[0] > b[1]]
  return isAll ? exact(true) : isNone ? exact(false) : UNKNOWN
}

/** Whether two are the same: false where no way leads there. */
export function sameKnown(left: Known, right: Known): Known {
  if (left.kind === 'exact' && right.kind === 'exact') return exact(isSame(left.value, right.value))
  const [a, b] = [rangeOf(left), rangeOf(right)]
  if (a !== undefined && b !== undefined) return a[1] < b[0] || b[1] < a[0] ? exact(false) : UNKNOWN
  const [text, other] = [beginningOf(left), beginningOf(right)]
  if (text === undefined || other === undefined) return sameLists(left, right)
  const isPossible =
    (right.kind === 'exact' ? other.startsWith(text) : false) ||
    (left.kind === 'exact' ? text.startsWith(other) : false) ||
    (left.kind === 'grows' && right.kind === 'grows' && (text.startsWith(other) || other.startsWith(text)))
  return isPossible ? UNKNOWN : exact(false)
}

function sameLists(left: Known, right: Known): Known {
  const [list, whole] = left.kind === 'lengthens' ? [left, right] : [right, left]
  if (list.kind !== 'lengthens' || whole.kind !== 'exact' || !Array.isArray(whole.value)) return UNKNOWN
  const there = whole.value as readonly ScriptValue[]
  const least = list.items.length + (list.last === undefined ? 0 : 1)
  return there.length < least || list.items.some((item, i) => item !== there[i]) ? exact(false) : UNKNOWN
}

/** The sum of numbers, texts behind each other, lists behind each other. */
export function addKnown(left: Known, right: Known): Known {
  const [a, b] = [rangeOf(left), rangeOf(right)]
  if (a !== undefined && b !== undefined) return between(a[0] + b[0], a[1] + b[1])
  if (left.kind === 'grows' || left.kind === 'lengthens') return left
  const [text, more] = [beginningOf(left), beginningOf(right)]
  if (text !== undefined && more !== undefined) return grows(text + more)
  const isTexts =
    left.kind === 'exact' && Array.isArray(left.value) && left.value.every((item) => typeof item === 'string')
  return isTexts && right.kind === 'lengthens'
    ? { ...right, items: [...(left.value as readonly string[]), ...right.items] }
    : UNKNOWN
}

/** The product of numbers. */
export function timesKnown(left: Known, right: Known): Known {
  const [a, b] = [rangeOf(left), rangeOf(right)]
  if (a === undefined || b === undefined) return UNKNOWN
  const corners = a.flatMap((x) => b.map((y) => x * y))
  return corners.some(Number.isNaN) ? UNKNOWN : between(Math.min(...corners), Math.max(...corners))
}

/** The number with its sign changed. */
export function minusKnown(of: Known): Known {
  const range = rangeOf(of)
  return range === undefined ? UNKNOWN : between(-range[1], -range[0])
}

/** What comes of the beginning of a whole number, as JSON writes it. */
export function knownInt(text: string): Known {
  const [, sign, digits] = /^(-?)(0|[1-9]\d*)?$/.exec(text) ?? []
  if (sign === undefined) return UNKNOWN
  if (digits === undefined) return sign === '' ? UNKNOWN : between(Number.NEGATIVE_INFINITY, 0)
  const value = Number(digits)
  const [low, high] = [value, value === 0 ? 0 : Number.POSITIVE_INFINITY]
  return sign === '' ? between(low, high) : between(-high, -low)
}

/** The same for a number with a point and without an exponent. */
export function knownFloat(text: string): Known {
  const [, sign, whole, point, decimals = ''] = /^(-?)(0|[1-9]\d*)(\.)?(\d*)$/.exec(text) ?? []
  if (whole === undefined || (point === undefined && decimals !== '')) return knownInt(text)
  const low = Number(`${whole}.${decimals}0`)
  const isOpen = point === undefined && whole !== '0'
  const high = isOpen ? Number.POSITIVE_INFINITY : low + 10 ** -decimals.length * 1.000_001
  return sign === '' ? between(low, high) : between(-high, -low)
}
