// Characters as bytes: a set of code points is an expression of their UTF-8.

import { byteSet } from './byte-set.ts'
import type { Expression } from './expression-table.ts'
import type { Expressions } from './expressions.ts'

/** Code points as sorted ranges that do not touch; both ends included. */
export type CodePoints = readonly (readonly [from: number, to: number])[]

export const LAST_CODE_POINT = 0x10ffff
/** Halves of pairs of UTF-16, which no text in UTF-8 has. */
const SURROGATES: readonly [number, number] = [0xd800, 0xdfff]
export const ALL_CODE_POINTS: CodePoints = [[0, LAST_CODE_POINT]]

/** Ranges in any order, as sorted ones that do not touch. */
export function normal(ranges: CodePoints): CodePoints {
  const made: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = made.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else made.push([from, to])
  }
  return made
}

/** All others. */
export function others(ranges: CodePoints): CodePoints {
  const made: [number, number][] = []
  let next = 0
  for (const [from, to] of normal(ranges)) {
    if (from > next) made.push([next, from - 1])
    next = to + 1
  }
  if (next <= LAST_CODE_POINT) made.push([next, LAST_CODE_POINT])
  return made
}

/** Those in both. */
export function both(one: CodePoints, other: CodePoints): CodePoints {
  return others([...others(one), ...others(other)])
}

/** Those that a class such as `\p{Lu}` has, by JavaScript's tables; throws SyntaxError where it knows none. */
export function unicodeClass(source: string): CodePoints {
  let found = classes.get(source)
  if (found === undefined) {
    const pattern = new RegExp(`^${source}$`, 'u')
    const made: [number, number][] = []
    for (let point = 0; point <= LAST_CODE_POINT; point++) {
      if (point === SURROGATES[0]) point = SURROGATES[1] + 1
      if (!pattern.test(String.fromCodePoint(point))) continue
      const last = made.at(-1)
      if (last !== undefined && last[1] === point - 1) last[1] = point
      else made.push([point, point])
    }
    found = made
    classes.set(source, found)
  }
  return found
}
const classes = new Map<string, CodePoints>()

/** One character of a set, in UTF-8. */
export function utf8(expressions: Expressions, set: CodePoints): Expression {
  const options: Expression[] = []
  for (const [from, to] of both(set, others([SURROGATES])))
    for (const [first, last] of [
      [0, 0x7f],
      [0x80, 0x7ff],
      [0x800, 0xffff],
      [0x10000, LAST_CODE_POINT],
    ] as const)
      if (from <= last && to >= first)
        options.push(sameLength(expressions, [...utf8Of(Math.max(from, first))], [...utf8Of(Math.min(to, last))]))
  return expressions.or(...options)
}

const encoder = new TextEncoder()
const utf8Of = (point: number): Uint8Array => encoder.encode(String.fromCodePoint(point))

/** All characters from one to another whose encodings have the same length. */
function sameLength(expressions: Expressions, from: readonly number[], to: readonly number[]): Expression {
  const [first, last] = [from[0]!, to[0]!]
  const one = (a: number, b: number): Expression => expressions.bytes(byteSet([[a, b]]))
  if (from.length === 1) return one(first, last)
  const [low, high] = [from.slice(1), to.slice(1)]
  const lowest = low.map(() => 0x80)
  const highest = low.map(() => 0xbf)
  if (first === last) return expressions.seq(one(first, first), sameLength(expressions, low, high))
  const isFromWhole = low.every((byte) => byte === 0x80)
  const isToWhole = high.every((byte) => byte === 0xbf)
  const options: Expression[] = []
  if (!isFromWhole) options.push(expressions.seq(one(first, first), sameLength(expressions, low, highest)))
  const [a, b] = [isFromWhole ? first : first + 1, isToWhole ? last : last - 1]
  if (a <= b) options.push(expressions.seq(one(a, b), sameLength(expressions, lowest, highest)))
  if (!isToWhole) options.push(expressions.seq(one(last, last), sameLength(expressions, lowest, high)))
  return expressions.or(...options)
}
