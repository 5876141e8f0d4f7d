// The constraints that there are: what may not be in a text, how long it may be, how it may end, and those that are put together of others.

import { UsageError } from '../../errors.ts'
import { compileGrammar, type Structure } from '../../grammar/grammar.ts'
import { StructuredText } from '../../grammar/structured-text.ts'
import { type Constraint, checkWhere, type Standing, standing } from '../base/constraint.ts'
import { foundIn } from './find-pattern.ts'

/** How many there may be; at least one of the two. */
export interface CountRange {
  /** Default 0. */
  min?: number
  /** Default: any number. */
  max?: number
}

/** Which numbers. */
export interface NumberRange {
  /** The bounds themselves are allowed. */
  min?: number
  max?: number
  /** Default false. */
  integer?: boolean
}

/** Ends of sentences, as `guard` sees them, at the end of a text as well. An abbreviation's point counts as one. */
const SENTENCE_END = /[.!?…。！？]+(?=\s|$)/gu
/** Words that a regular expression of counts may have; more are counted without a mask. */
const MOST_IN_STRUCTURE = 64

/**
 * Makers of constraints, for the `where` of `ask` and of sessions. A word is what stands between white space; a character is a code point.
 *
 * @example
 * const line = await model.ask('A line without the letter e:', { where: [where.not(/e/i), where.words({ max: 9 })] })
 */
export const where = {
  /** Nowhere in the text. Of a pattern, look-ahead included, a match counts once nothing that follows can undo it. */
  not(what: string | RegExp): Constraint {
    checkPattern('not', what)
    return {
      name: `without ${shown(what)}`,
      check: (text) => ({ never: 'holds', sofar: 'open', ever: 'broken' })[foundIn(text, what)] as Standing,
      ...(typeof what === 'string' && { structure: { until: what } }),
    }
  },

  /** Somewhere in the text. */
  has(what: string | RegExp): Constraint {
    checkPattern('has', what)
    return {
      name: `with ${shown(what)} in it`,
      check: (text) => (foundIn(text, what) === 'never' ? 'open' : 'holds'),
    }
  },

  /** So many words: a sixth breaks `max: 5` as soon as it begins. */
  words({ min = 0, max }: CountRange): Constraint {
    checkCounts('words', min, max)
    const [least, most] = [Math.max(min, 1), max ?? Number.POSITIVE_INFINITY]
    const some = `\\s*\\S+(\\s+\\S+){${least - 1},${most === Number.POSITIVE_INFINITY ? '' : most - 1}}\\s*`
    const isSmall = (max ?? min) <= MOST_IN_STRUCTURE
    return {
      name: counted('words', min, max),
      check: (text) => counts(text.match(/\S+/g)?.length ?? 0, min, max),
      // In a sequence, so that a pattern of the program's own comes before it where one of them is to be the mask.
      ...(isSmall && {
        structure: { sequence: [{ regex: most === 0 ? '\\s*' : min === 0 ? `(${some}|\\s*)` : some }] },
      }),
    }
  },

  /** So many code points. */
  characters({ min = 0, max }: CountRange): Constraint {
    checkCounts('characters', min, max)
    return {
      name: counted('characters', min, max),
      check: (text) => counts(lengthOf(text), min, max),
      structure: { until: [], min, ...(max !== undefined && { max }) },
    }
  },

  /** So many sentences, the last one ended; the first character of one too many breaks it. */
  sentences({ min = 0, max }: CountRange): Constraint {
    checkCounts('sentences', min, max)
    return {
      name: counted('sentences', min, max),
      check(text) {
        const ends = [...text.matchAll(SENTENCE_END)]
        const rest = text.slice((ends.at(-1)?.index ?? 0) + (ends.at(-1)?.[0].length ?? 0))
        if (rest.trim() === '') return counts(ends.length, min, max)
        return ends.length + 1 > (max ?? Number.POSITIVE_INFINITY) ? 'broken' : 'open'
      },
    }
  },

  /** The whole text is of this pattern, of the kind that masks can keep to: no look-around, no back-reference. UsageError for others. */
  matches(pattern: RegExp | string): Constraint {
    const source = typeof pattern === 'string' ? pattern : pattern.source
    if (typeof pattern !== 'string' && pattern.flags.replaceAll(/[uvdgs]/g, '') !== '')
      throw new UsageError(`matches: expected a pattern without the flags i, m and y, got ${String(pattern)}`)
    return ofStructure(`of the pattern ${source}`, { regex: source })
  },

  /** One of these texts. */
  oneOf(texts: readonly string[]): Constraint {
    if (!Array.isArray(texts) || texts.length === 0 || texts.some((text) => typeof text !== 'string'))
      throw new UsageError(`oneOf: expected at least one text, got ${JSON.stringify(texts)}`)
    return {
      name: `one of ${texts.map((text) => JSON.stringify(text)).join(', ')}`,
      check: (text) =>
        texts.includes(text) ? 'holds' : texts.some((whole) => whole.startsWith(text)) ? 'open' : 'broken',
      structure: { choice: texts },
    }
  },

  /** A number as JSON writes it, and nothing else. */
  number({ min, max, integer = false }: NumberRange = {}): Constraint {
    const range = { ...(min !== undefined && { minimum: min }), ...(max !== undefined && { maximum: max }) }
    const bounds = [min !== undefined && `at least ${min}`, max !== undefined && `at most ${max}`].filter(Boolean)
    return ofStructure(
      `${[integer ? 'a whole number' : 'a number', bounds.join(' and ')].filter(Boolean).join(' of ')}`,
      {
        json_schema: { type: integer ? 'integer' : 'number', ...range },
      },
    )
  },

  /** The text's last characters; they may stand elsewhere in it too. */
  endsWith(end: string): Constraint {
    checkText('endsWith', end)
    return { name: `ending with ${JSON.stringify(end)}`, check: (text) => (text.endsWith(end) ? 'holds' : 'open') }
  },

  /** The text is over where one of these first stands in it, and not before. */
  stopsAt(...ends: readonly string[]): Constraint {
    if (ends.length === 0) throw new UsageError('stopsAt: expected at least one text, got none')
    for (const end of ends) checkText('stopsAt', end)
    return {
      name: `ending where ${ends.map((end) => JSON.stringify(end)).join(' or ')} first comes`,
      check(text) {
        const places = ends.map((end) => [text.indexOf(end), end.length] as const).filter(([at]) => at >= 0)
        if (places.length === 0) return 'open'
        const over = Math.min(...places.map(([at, length]) => at + length))
        return over === text.length ? 'holds' : 'broken'
      },
      // Of ends that overlap, the structure could take the later one.
      ...(ends.length === 1 && { structure: { sequence: [{ until: ends }, { text: ends[0]! }] } }),
    }
  },

  /** All of these hold. */
  all(...constraints: readonly Constraint[]): Constraint {
    checkWhere(constraints)
    return {
      name: constraints.map(({ name }) => name).join(' and '),
      check: (text) => standing(text, constraints).standing,
    }
  },

  /** At least one of these holds. */
  any(...constraints: readonly Constraint[]): Constraint {
    checkWhere(constraints)
    const structures = constraints.flatMap(({ structure }) => structure ?? [])
    return {
      name: constraints.map(({ name }) => name).join(' or '),
      check(text) {
        const found = constraints.map((one) => one.check(text))
        return found.includes('holds') ? 'holds' : found.includes('open') ? 'open' : 'broken'
      },
      ...(structures.length === constraints.length && structures.length > 0 && { structure: { any_of: structures } }),
    }
  },

  /** A function of your own, which is asked at every token: let it be quick, and say `broken` only where nothing can mend the text. */
  test(name: string, check: (text: string) => Standing): Constraint {
    if (typeof check !== 'function') throw new UsageError(`test: expected a function, got ${typeof check}`)
    return { name, check }
  },
} as const

/** What the structure says, followed from the beginning at each look. */
function ofStructure(name: string, structure: Structure): Constraint {
  const empty = new StructuredText(compileGrammar(structure))
  const check = (text: string): Standing => (empty.mayEndAfter(text) ? 'holds' : empty.allows(text) ? 'open' : 'broken')
  return { name, structure, check }
}

const counts = (count: number, min: number, max = Number.POSITIVE_INFINITY): Standing =>
  count > max ? 'broken' : count < min ? 'open' : 'holds'

const counted = (what: string, min: number, max: number | undefined): string =>
  `${[min > 0 && `at least ${min}`, max !== undefined && `at most ${max}`].filter(Boolean).join(' and ')} ${what}`

const shown = (what: string | RegExp): string => (typeof what === 'string' ? JSON.stringify(what) : String(what))

function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

function checkCounts(name: string, min: number, max: number | undefined): void {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
  if (!isCount(min) || (max !== undefined && !(isCount(max) && max >= min)) || (min === 0 && max === undefined))
    throw new UsageError(`${name}: expected whole numbers with min ≤ max, or one of them, got min ${min}, max ${max}`)
}

function checkText(name: string, text: string): void {
  if (typeof text !== 'string' || text === '')
    throw new UsageError(`${name}: expected a text of at least one character, got ${JSON.stringify(text)}`)
}

function checkPattern(name: string, what: string | RegExp): void {
  if (!(what instanceof RegExp)) checkText(name, what)
  else if (what.test('') || what.sticky)
    throw new UsageError(`${name}: expected a pattern that an empty text has not and without the flag y, got ${what}`)
}
