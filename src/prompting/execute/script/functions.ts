// The functions of scripts: what they take and give, what they do with values that are there, and what they know of values to come.

import { compileGrammar, type Grammar } from '../../../grammar/grammar.ts'
import { StructuredText } from '../../../grammar/structured-text.ts'
import { beginningOf, between, exact, grows, type Known, rangeOf, UNKNOWN } from './known.ts'
import { isSame, type ScriptType, type ScriptValue, textOfValue } from './script-type.ts'

/** A function. Each of `takes` is what may stand there; the last one may come `isMany` times. */
export interface ScriptFunction {
  readonly takes: readonly (readonly ScriptType[])[]
  readonly isMany?: true
  readonly gives: ScriptType
  /** With values that are there; their types are as in `takes`. */
  run(given: readonly ScriptValue[]): ScriptValue
  /** Where some are not there yet. */
  expect(given: readonly Known[]): Known
}

const LIST: ScriptType = { list: 'any' }
const TEXTS: ScriptType = { list: 'str' }

/** Characters as people count them: code points. */
function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
const SENTENCE_BREAK = /(?<=[.!?…。！？])\s+/
const sentencesOf = (text: string): string[] =>
  text
    .trim()
    .split(SENTENCE_BREAK)
    .filter((sentence) => sentence !== '')

/** A function that cuts a text into parts: of a beginning, all parts but the last one are sure. */
function cutting(cut: (text: string) => string[], isLastWhole: (text: string) => boolean): ScriptFunction {
  return {
    takes: [['str']],
    gives: TEXTS,
    run: ([text]) => cut(text as string),
    expect([known]) {
      const text = beginningOf(known!)
      if (text === undefined) return UNKNOWN
      const items = cut(text)
      if (items.length === 0 || isLastWhole(text)) return { kind: 'lengthens', items }
      return { kind: 'lengthens', items: items.slice(0, -1), last: items.at(-1)! }
    },
  }
}

/** A function of a text that does the same to its beginning. */
function changing(change: (text: string) => string): ScriptFunction {
  return {
    takes: [['str']],
    gives: 'str',
    run: ([text]) => change(text as string),
    expect([known]) {
      const text = beginningOf(known!)
      return text === undefined ? UNKNOWN : grows(change(text))
    },
  }
}

/** Character by character, so that what follows changes nothing of what was there. */
const each = (change: (character: string) => string) => (text: string) => Array.from(text, change).join('')

/** A question about a text and others. */
function asking(
  run: (text: string, others: readonly string[]) => boolean,
  expect: (text: string, others: readonly string[]) => boolean | undefined,
  isMany?: true,
): ScriptFunction {
  return {
    takes: [['str'], ['str']],
    ...(isMany && { isMany }),
    gives: 'bool',
    run: ([text, ...others]) => run(text as string, others as readonly string[]),
    expect([known, ...others]) {
      const text = beginningOf(known!)
      const values = others.flatMap((other) => (other.kind === 'exact' ? [other.value] : []))
      if (text === undefined || values.length < others.length) return UNKNOWN
      const answer = expect(text, values as readonly string[])
      return answer === undefined ? UNKNOWN : exact(answer)
    },
  }
}

/** Where the first of the marks to be complete ends; ∞ where none is there. */
function firstEnd(text: string, marks: readonly string[]): number {
  const ends = marks.map((mark) => (text.includes(mark) ? text.indexOf(mark) + mark.length : Number.POSITIVE_INFINITY))
  return Math.min(...ends)
}

const grammars = new Map<string, Grammar>()

/** A pattern that is ready to be followed. UsageError for one that is malformed. */
function followed(pattern: string): StructuredText {
  const known = grammars.get(pattern)
  const grammar = known ?? compileGrammar({ regex: pattern })
  if (known === undefined) {
    if (grammars.size >= 256) grammars.clear()
    grammars.set(pattern, grammar)
  }
  return new StructuredText(grammar)
}

/** UsageError for a pattern that is malformed, or not of the kind that masks can keep to. */
export function checkPattern(pattern: string): void {
  followed(pattern)
}

export const FUNCTIONS: Readonly<Record<string, ScriptFunction>> = {
  len: {
    takes: [['str', LIST]],
    gives: 'number',
    run: ([value]) => (typeof value === 'string' ? lengthOf(value) : (value as readonly ScriptValue[]).length),
    expect([known]) {
      const text = beginningOf(known!)
      if (text !== undefined) return between(lengthOf(text), Number.POSITIVE_INFINITY)
      if (known!.kind !== 'lengthens') return between(0, Number.POSITIVE_INFINITY)
      return between(known!.items.length + (known!.last === undefined ? 0 : 1), Number.POSITIVE_INFINITY)
    },
  },
  words: cutting(wordsOf, (text) => /\s$/.test(text)),
  sentences: cutting(sentencesOf, (text) => /[.!?…。！？]\s+$/.test(text)),
  lines: cutting(linesOf, (text) => /\n\s*$/.test(text)),
  upper: changing(each((character) => character.toUpperCase())),
  lower: changing(each((character) => character.toLowerCase())),
  trim: changing((text) => text.trim()),
  contains: {
    takes: [['str', LIST], ['any']],
    gives: 'bool',
    run: ([whole, part]) => hasPart(whole!, part!),
    expect: ([whole, part]) => expectPart(whole!, part!),
  },
  starts_with: asking(
    (text, [start]) => text.startsWith(start!),
    (text, [start]) => (text.startsWith(start!) ? true : start!.startsWith(text) ? undefined : false),
  ),
  ends_with: asking(
    (text, [end]) => text.endsWith(end!),
    () => undefined,
  ),
  stops_at: asking(
    (text, marks) => firstEnd(text, marks) === text.length,
    (text, marks) => (firstEnd(text, marks) < text.length ? false : undefined),
    true,
  ),
  matches: {
    takes: [['str'], ['pattern']],
    gives: 'bool',
    run([text, pattern]) {
      const answer = followed(pattern as string)
      return answer.push(text as string) && answer.isWhole
    },
    expect([known, pattern]) {
      const text = beginningOf(known!)
      if (text === undefined || pattern!.kind !== 'exact') return UNKNOWN
      return followed(pattern!.value as string).push(text) ? UNKNOWN : exact(false)
    },
  },
  join: {
    takes: [[LIST], ['str']],
    gives: 'str',
    run: ([list, between]) => (list as readonly ScriptValue[]).map(textOfValue).join(between as string),
    expect([list, between]) {
      if (list!.kind !== 'lengthens' || between!.kind !== 'exact') return UNKNOWN
      return grows([...list!.items, ...(list!.last === undefined ? [] : [list!.last])].join(between!.value as string))
    },
  },
}

/** Whether a text or a list has a part. */
export function hasPart(whole: ScriptValue, part: ScriptValue): boolean {
  if (typeof whole === 'string') return typeof part === 'string' && whole.includes(part)
  return (whole as readonly ScriptValue[]).some((item) => isSame(item, part))
}

/** The same where one of them is not there yet. */
export function expectPart(whole: Known, part: Known): Known {
  if (whole.kind === 'exact' && part.kind === 'exact') return exact(hasPart(whole.value, part.value))
  if (whole.kind === 'exact') {
    const start = beginningOf(part)
    const range = rangeOf(part)
    if (range !== undefined && typeof whole.value !== 'string') {
      const inRange = (item: ScriptValue): boolean => typeof item === 'number' && item >= range[0] && item <= range[1]
      return (whole.value as readonly ScriptValue[]).some(inRange) ? UNKNOWN : exact(false)
    }
    if (start === undefined) return UNKNOWN
    if (typeof whole.value === 'string') return whole.value.includes(start) ? UNKNOWN : exact(false)
    const isPossible = (whole.value as readonly ScriptValue[]).some(
      (item) => typeof item === 'string' && item.startsWith(start),
    )
    return isPossible ? UNKNOWN : exact(false)
  }
  if (part.kind !== 'exact') return UNKNOWN
  if (whole.kind === 'grows')
    return typeof part.value === 'string' && whole.text.includes(part.value) ? exact(true) : UNKNOWN
  return whole.kind === 'lengthens' && whole.items.includes(part.value as string) ? exact(true) : UNKNOWN
}
