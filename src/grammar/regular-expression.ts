// Regular expressions, of the kind that JSON Schema and vLLM's `structured_outputs.regex` take: characters, classes, groups, alternatives and
// counts. What needs memory or a look aside (back-references, lookarounds, word boundaries) is refused by name.

import { UsageError } from '../errors.ts'
import { ALL_CODE_POINTS, type CodePoints, normal, others, unicodeClass } from './code-points.ts'
import type { Expression } from './expression-table.ts'
import type { Expressions } from './expressions.ts'

/** How characters of a set are written: plain UTF-8, or as within a string of JSON. */
export type WriteCharacters = (set: CodePoints) => Expression

/** Counts beyond it are refused. */
const MOST_TIMES = 100_000
const MOST_NESTED = 100
const LINE_ENDS: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]
const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 }
const CLASSES: Readonly<Record<string, string>> = { d: '[0-9]', w: '[A-Za-z0-9_]', s: '\\s' }

/**
 * The expression of `pattern`. `isSearch`: it may match anywhere in the text, as JSON Schema's `pattern`, unless `^` and `$` hold it; else it
 * is the whole text. UsageError for what is malformed or not known, with the place.
 */
export function regularExpression(
  expressions: Expressions,
  pattern: string,
  write: WriteCharacters,
  isSearch = false,
): Expression {
  return new Parser(expressions, pattern, write, isSearch).whole()
}

class Parser {
  readonly #expressions: Expressions
  readonly #points: readonly string[]
  readonly #pattern: string
  readonly #write: WriteCharacters
  readonly #isSearch: boolean
  #at = 0
  #depth = 0

  constructor(expressions: Expressions, pattern: string, write: WriteCharacters, isSearch: boolean) {
    this.#expressions = expressions
    this.#pattern = pattern
    this.#points = [...pattern]
    this.#write = write
    this.#isSearch = isSearch
  }

  whole(): Expression {
    const any = this.#expressions.repeat(this.#write(ALL_CODE_POINTS), 0)
    const options: Expression[] = []
    do {
      const isBegun = this.#take('^')
      const body = this.#sequence()
      const isEnded = this.#take('$')
      options.push(
        this.#isSearch
          ? this.#expressions.seq(
              isBegun ? this.#expressions.empty : any,
              body,
              isEnded ? this.#expressions.empty : any,
            )
          : body,
      )
    } while (this.#take('|'))
    if (this.#at < this.#points.length) throw this.#wrong(`no '${this.#points[this.#at]}' here`)
    return this.#expressions.or(...options)
  }

  #alternatives(): Expression {
    if (++this.#depth > MOST_NESTED) throw this.#wrong(`groups nested at most ${MOST_NESTED} deep`)
    const options: Expression[] = []
    do options.push(this.#sequence())
    while (this.#take('|'))
    this.#depth--
    return this.#expressions.or(...options)
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (
      let next = this.#points[this.#at];
      next !== undefined && next !== '|' && next !== ')';
      next = this.#points[this.#at]
    ) {
      if (next === '$' && this.#isEnd()) break
      parts.push(this.#counted(this.#atom()))
    }
    return this.#expressions.seq(...parts)
  }

  /** Whether `$` stands at the end of the pattern or of one of its alternatives. */
  #isEnd(): boolean {
    const next = this.#points[this.#at + 1]
    return this.#depth === 0 && (next === undefined || next === '|')
  }

  #counted(atom: Expression): Expression {
    let made = atom
    for (;;) {
      const at = this.#at
      const next = this.#points[at]
      let bounds: [min: number, max: number] | undefined
      if (next === '*') bounds = [0, Number.POSITIVE_INFINITY]
      else if (next === '+') bounds = [1, Number.POSITIVE_INFINITY]
      else if (next === '?') bounds = [0, 1]
      else if (next === '{') bounds = this.#bounds()
      if (bounds === undefined) return made
      if (at === this.#at) this.#at++
      if (this.#take('+')) throw this.#wrong('no possessive count')
      this.#take('?') // which of two equal readings comes first makes no other text
      made = this.#expressions.repeat(made, ...bounds)
    }
  }

  #bounds(): [number, number] {
    const [text, min = '', comma, max = ''] =
      /^\{(\d+)(,?)(\d*)\}/.exec(this.#points.slice(this.#at, this.#at + 20).join('')) ?? []
    if (text === undefined) throw this.#wrong("a count such as {2,5} (a brace as a character is '\\{')")
    const most = comma === '' ? Number(min) : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    if (Number(min) > MOST_TIMES || (most > MOST_TIMES && max !== '') || most < Number(min))
      throw this.#wrong(`a count from 0 to ${MOST_TIMES}, the smaller one first`)
    this.#at += text.length
    return [Number(min), most]
  }

  #atom(): Expression {
    const next = this.#points[this.#at++]!
    switch (next) {
      case '(':
        return this.#group()
      case '[':
        return this.#write(this.#characterClass())
      case '.':
        return this.#write(others(LINE_ENDS))
      case '\\':
        return this.#write(this.#escape(false))
      case '^':
      case '$':
        throw this.#back(`'${next}' only at the beginning or the end of the whole pattern`)
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.#back(`something before '${next}' that it counts`)
      default: {
        const point = next.codePointAt(0)!
        return this.#write([[point, point]])
      }
    }
  }

  #group(): Expression {
    if (this.#take('?')) {
      const kind = this.#points.slice(this.#at, this.#at + 3).join('')
      if (kind.startsWith(':')) this.#at++
      else if (/^(?:P?<[^=!])/.test(kind)) {
        while (this.#at < this.#points.length && this.#points[this.#at] !== '>') this.#at++
        this.#at++
      } else
        throw this.#wrong(
          `a plain group, not '(?${kind.charAt(0)}': lookarounds, flags and atomic groups are not known`,
        )
    }
    const body = this.#alternatives()
    if (!this.#take(')')) throw this.#wrong("a ')' for each '('")
    return body
  }

  #characterClass(): CodePoints {
    const isNot = this.#take('^')
    const ranges: (readonly [number, number])[] = []
    for (let isFirst = true; isFirst || this.#points[this.#at] !== ']'; isFirst = false) {
      if (this.#at >= this.#points.length) throw this.#wrong("a ']' for each '['")
      if (isFirst && this.#points[this.#at] === ']') break
      const from = this.#classPart()
      const isRange = this.#points[this.#at] === '-' && ![undefined, ']'].includes(this.#points[this.#at + 1])
      if (!isRange) {
        ranges.push(...from)
        continue
      }
      this.#at++
      const to = this.#classPart()
      const isOne = (set: CodePoints): boolean => set.length === 1 && set[0]![0] === set[0]![1]
      if (!isOne(from) || !isOne(to) || to[0]![0] < from[0]![0])
        throw this.#wrong('a range from a smaller to a larger character')
      ranges.push([from[0]![0], to[0]![0]])
    }
    this.#at++
    return isNot ? others(ranges) : normal(ranges)
  }

  #classPart(): CodePoints {
    const next = this.#points[this.#at++]!
    if (next === '\\') return this.#escape(true)
    if (next === '[' && [':', '.', '='].includes(this.#points[this.#at] ?? ''))
      throw this.#wrong("no class of POSIX such as '[:alpha:]'")
    const point = next.codePointAt(0)!
    return [[point, point]]
  }

  /** What stands behind a backslash. */
  #escape(isInClass: boolean): CodePoints {
    const next = this.#points[this.#at++]
    if (next === undefined) throw this.#wrong("a character behind '\\'")
    const one = (point: number): CodePoints => [[point, point]]
    if (next in CLASSES) return unicodeClass(CLASSES[next]!)
    if (next.toLowerCase() in CLASSES) return others(unicodeClass(CLASSES[next.toLowerCase()]!))
    if (next === '0' && /[0-9]/.test(this.#points[this.#at] ?? '')) throw this.#wrong('no octal character')
    if (next in CONTROL) return one(CONTROL[next]!)
    if (next === 'b' && isInClass) return one(8)
    if (next === 'b' || next === 'B') throw this.#wrong('no word boundary: write what stands there')
    if (/[1-9k]/.test(next)) throw this.#wrong('no back-reference')
    if (next === 'p' || next === 'P') return this.#property(next)
    if (next === 'x') return one(this.#hex(2))
    if (next === 'u') return one(this.#take('{') ? this.#hexUntil('}') : this.#unit())
    if (next === 'c') {
      const letter = this.#points[this.#at++] ?? ''
      if (!/[A-Za-z]/.test(letter)) throw this.#wrong("a letter behind '\\c'")
      return one(letter.charCodeAt(0) & 31)
    }
    if (/[A-Za-z]/.test(next)) throw this.#wrong(`no '\\${next}'`)
    return one(next.codePointAt(0)!)
  }

  #property(letter: string): CodePoints {
    const [text, name] = /^\{([^}]*)\}/.exec(this.#points.slice(this.#at, this.#at + 60).join('')) ?? []
    if (text === undefined) throw this.#wrong(`a property such as \\${letter}{L}`)
    this.#at += [...text].length
    try {
      return unicodeClass(`\\${letter}{${name}}`)
    } catch {
      throw this.#wrong(`a property that Unicode has, not '${name}'`)
    }
  }

  /** `XXXX`, and the other half of a pair where it is one. */
  #unit(): number {
    const first = this.#hex(4)
    if (first < 0xd800 || first > 0xdbff || this.#points.slice(this.#at, this.#at + 2).join('') !== '\\u') return first
    this.#at += 2
    return (first - 0xd800) * 0x400 + (this.#hex(4) - 0xdc00) + 0x10000
  }

  #hex(digits: number): number {
    const text = this.#points.slice(this.#at, this.#at + digits).join('')
    if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text)) throw this.#wrong(`${digits} hexadecimal digits`)
    this.#at += digits
    return Number.parseInt(text, 16)
  }

  #hexUntil(end: string): number {
    const until = this.#points.indexOf(end, this.#at)
    const text = this.#points.slice(this.#at, until).join('')
    const point = Number.parseInt(text, 16)
    if (until < 0 || !/^[0-9a-fA-F]{1,6}$/.test(text) || point > 0x10ffff)
      throw this.#wrong('a code point in hexadecimal digits')
    this.#at = until + 1
    return point
  }

  #take(character: string): boolean {
    if (this.#points[this.#at] !== character) return false
    this.#at++
    return true
  }

  #back(expected: string): UsageError {
    this.#at--
    return this.#wrong(expected)
  }

  #wrong(expected: string): UsageError {
    return new UsageError(
      `regular expression '${this.#pattern.slice(0, 200)}': expected ${expected}, at character ${this.#at + 1}`,
    )
  }
}
