// Grammars in the notation of llama.cpp's GBNF, which vLLM's `structured_outputs.grammar` takes too: `root ::= "a" [0-9]+ (b | c)?`.

import { UsageError } from '../errors.ts'
import { ALL_CODE_POINTS, type CodePoints, normal, others, utf8 } from './code-points.ts'
import type { Expression } from './expression-table.ts'
import type { Expressions } from './expressions.ts'

const NAME = /^[A-Za-z_][\w-]*/
const MOST_NESTED = 100
const MOST_TIMES = 100_000
const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  '\\': 92,
  '"': 34,
  "'": 39,
  '[': 91,
  ']': 93,
  '-': 45,
  '^': 94,
  '/': 47,
}

/** The expression of the rule `root`. UsageError with the line for what is malformed or missing. */
export function gbnf(expressions: Expressions, text: string): Expression {
  return new Parser(expressions, text).root()
}

class Parser {
  readonly #expressions: Expressions
  readonly #text: string
  readonly #rules = new Map<
    string,
    { call: Expression; define: (body: Expression) => void; line: number; isDefined: boolean }
  >()
  #at = 0
  #depth = 0

  constructor(expressions: Expressions, text: string) {
    this.#expressions = expressions
    this.#text = text
  }

  root(): Expression {
    this.#space(true)
    while (this.#at < this.#text.length) this.#rule()
    for (const [name, { isDefined, line }] of this.#rules)
      if (!isDefined) throw new UsageError(`grammar:${line}: expected a rule '${name}', got none. Write ${name} ::= …`)
    const root = this.#rules.get('root')
    if (root === undefined) throw new UsageError("grammar: expected a rule 'root', where a text begins, got none")
    return root.call
  }

  #rule(): void {
    const name = this.#name()
    if (name === undefined) throw this.#wrong('the name of a rule')
    this.#space(false)
    if (!this.#text.startsWith('::=', this.#at)) throw this.#wrong(`'::=' behind '${name}'`)
    const rule = this.#find(name)
    if (rule.isDefined) throw this.#wrong(`one rule '${name}', got a second one`)
    rule.isDefined = true
    this.#at += 3
    this.#space(true)
    rule.define(this.#alternatives())
    this.#space(false)
    if (this.#at < this.#text.length && !/[\n\r]/.test(this.#text[this.#at]!)) throw this.#wrong('the end of the line')
    this.#space(true)
  }

  #find(name: string): { call: Expression; define: (body: Expression) => void; line: number; isDefined: boolean } {
    let rule = this.#rules.get(name)
    if (rule === undefined) {
      rule = { ...this.#expressions.declare(name), line: this.#line(), isDefined: false }
      this.#rules.set(name, rule)
    }
    return rule
  }

  #alternatives(): Expression {
    if (++this.#depth > MOST_NESTED) throw this.#wrong(`groups nested at most ${MOST_NESTED} deep`)
    const options = [this.#sequence()]
    for (;;) {
      // An alternative may stand on the next line.
      const from = this.#at
      this.#space(true)
      if (this.#text[this.#at] !== '|') {
        this.#at = from
        break
      }
      this.#at++
      this.#space(true)
      options.push(this.#sequence())
    }
    this.#depth--
    return this.#expressions.or(...options)
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (;;) {
      this.#space(this.#depth > 1)
      const atom = this.#atom()
      if (atom === undefined) return this.#expressions.seq(...parts)
      parts.push(this.#counted(atom))
    }
  }

  #atom(): Expression | undefined {
    const next = this.#text[this.#at]
    if (next === '"')
      return this.#expressions.seq(...this.#literal().map((point) => utf8(this.#expressions, [[point, point]])))
    if (next === '[') return utf8(this.#expressions, this.#characterClass())
    if (next === '.') {
      this.#at++
      return utf8(this.#expressions, ALL_CODE_POINTS)
    }
    if (next === '(') {
      this.#at++
      this.#space(true)
      const body = this.#alternatives()
      this.#space(true)
      if (this.#text[this.#at++] !== ')') throw this.#wrong("a ')' for each '('")
      return body
    }
    const name = this.#name()
    return name === undefined ? undefined : this.#find(name).call
  }

  #counted(atom: Expression): Expression {
    let made = atom
    for (;;) {
      const [text, sign, min = '', comma, max = ''] =
        /^(?:([*+?])|\{\s*(\d*)\s*(,?)\s*(\d*)\s*\})/.exec(this.#text.slice(this.#at, this.#at + 60)) ?? []
      if (text === undefined) return made
      const least = sign === undefined ? Number(min) : sign === '+' ? 1 : 0
      const most =
        sign === '?'
          ? 1
          : sign !== undefined || (comma === ',' && max === '')
            ? Number.POSITIVE_INFINITY
            : comma === ','
              ? Number(max)
              : least
      if (
        least > MOST_TIMES ||
        (most > MOST_TIMES && most < Number.POSITIVE_INFINITY) ||
        most < least ||
        (sign === undefined && min + max === '')
      )
        throw this.#wrong(`a count from 0 to ${MOST_TIMES} such as {2,5}, the smaller number first`)
      this.#at += text.length
      made = this.#expressions.repeat(made, least, most)
    }
  }

  #literal(): number[] {
    const points: number[] = []
    this.#at++
    while (this.#text[this.#at] !== '"') points.push(this.#character("a '\"' at the end of the text"))
    this.#at++
    return points
  }

  #characterClass(): CodePoints {
    this.#at++
    const isNot = this.#text[this.#at] === '^'
    if (isNot) this.#at++
    const ranges: [number, number][] = []
    while (this.#text[this.#at] !== ']') {
      const from = this.#character("a ']' at the end of the class")
      let to = from
      if (this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']') {
        this.#at++
        to = this.#character("a ']' at the end of the class")
        if (to < from) throw this.#wrong('a range from a smaller to a larger character')
      }
      ranges.push([from, to])
    }
    this.#at++
    return isNot ? others(ranges) : normal(ranges)
  }

  #character(expected: string): number {
    const point = this.#text.codePointAt(this.#at)
    if (point === undefined || point === 10) throw this.#wrong(expected)
    this.#at += point > 0xffff ? 2 : 1
    if (point !== 92) return point
    const next = this.#text[this.#at++] ?? ''
    const digits = { x: 2, u: 4, U: 8 }[next]
    if (digits === undefined) {
      const escaped = ESCAPES[next]
      if (escaped === undefined) throw this.#wrong(`a known character behind '\\', got '${next}'`)
      return escaped
    }
    const hex = this.#text.slice(this.#at, this.#at + digits)
    const code = Number.parseInt(hex, 16)
    if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex) || code > 0x10ffff)
      throw this.#wrong(`${digits} hexadecimal digits of a character`)
    this.#at += digits
    return code
  }

  #name(): string | undefined {
    const name = NAME.exec(this.#text.slice(this.#at, this.#at + 200))?.[0]
    if (name === undefined) return undefined
    // The name of the next rule is no part of this one.
    if (this.#depth > 0 && /^[ \t]*::=/.test(this.#text.slice(this.#at + name.length, this.#at + name.length + 50)))
      return undefined
    this.#at += name.length
    return name
  }

  /** Leaves out white space and remarks; `lines`: line ends too. */
  #space(lines: boolean): void {
    for (;;) {
      const next = this.#text[this.#at]
      if (next === '#') while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') this.#at++
      else if (next === ' ' || next === '\t' || (lines && (next === '\n' || next === '\r'))) this.#at++
      else return
    }
  }

  #line(): number {
    return this.#text.slice(0, this.#at).split('\n').length
  }

  #wrong(expected: string): UsageError {
    const got = this.#text.slice(this.#at, this.#at + 20).split('\n')[0]
    return new UsageError(
      `grammar:${this.#line()}: expected ${expected}, got ${got === '' || got === undefined ? 'the end' : `'${got}'`}`,
    )
  }
}
