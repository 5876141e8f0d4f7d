// Values of JSON as they may be written: lists, objects and constants put together from their parts, and any value at all.

import { byteSet } from '../byte-set.ts'
import type { Expression } from '../expression-table.ts'
import type { Expressions } from '../expressions.ts'
import { JsonNumbers } from './numbers.ts'
import { JsonStrings } from './strings.ts'

export class JsonValues {
  readonly strings: JsonStrings
  readonly numbers: JsonNumbers
  readonly #x: Expressions
  readonly #space: Expression
  readonly #open: (bracket: string) => Expression
  readonly #shut: (bracket: string) => Expression
  readonly #comma: Expression
  readonly colon: Expression
  #anything: Expression | undefined

  /** `compact`: one space may follow a comma or a colon; `any`: up to eight white characters wherever JSON allows them. */
  constructor(expressions: Expressions, whitespace: 'compact' | 'any') {
    this.#x = expressions
    this.strings = new JsonStrings(expressions)
    this.numbers = new JsonNumbers(expressions)
    const white = expressions.bytes(
      byteSet([...' \n\t\r'].map((one) => [one.charCodeAt(0), one.charCodeAt(0)] as const)),
    )
    const isAny = whitespace === 'any'
    this.#space = isAny ? expressions.repeat(white, 0, 8) : expressions.empty
    const behind = isAny ? this.#space : expressions.optional(this.text(' '))
    this.#open = (bracket) => expressions.seq(this.text(bracket), this.#space)
    this.#shut = (bracket) => expressions.seq(this.#space, this.text(bracket))
    this.#comma = expressions.seq(this.#space, this.text(','), behind)
    this.colon = expressions.seq(this.#space, this.text(':'), behind)
  }

  /** This value, names and texts in the spelling of JSON.stringify. */
  constant(value: unknown): Expression {
    if (Array.isArray(value))
      return this.#x.frame(
        this.list(
          value.map((one) => this.constant(one)),
          this.#x.none,
          value.length,
          value.length,
        ),
      )
    if (typeof value !== 'object' || value === null) return this.text(JSON.stringify(value))
    const pairs = Object.entries(value).map(([name, one]) => ({
      pair: this.pair(name, this.constant(one)),
      isRequired: true,
    }))
    return this.#x.frame(this.object(pairs, this.#x.none, 0, Number.POSITIVE_INFINITY))
  }

  /** One of these values. */
  constants(values: readonly unknown[]): Expression {
    const isPlain = (value: unknown): boolean => typeof value !== 'object' || value === null
    const texts = values.filter(isPlain).map((value) => new TextEncoder().encode(JSON.stringify(value)))
    const others = values.filter((value) => !isPlain(value)).map((value) => this.constant(value))
    return this.#x.or(this.#x.literals(texts), ...others)
  }

  /** A list of these values, as many of them as there have to be, and of others behind them. */
  list(first: readonly Expression[], rest: Expression, min: number, max: number): Expression {
    const from = (at: number): Expression => {
      const comma = at === 0 ? this.#x.empty : this.#comma
      let more: Expression
      if (at < first.length) more = this.#x.seq(comma, first[at]!, from(at + 1))
      else {
        const next = this.#x.seq(this.#comma, rest)
        const [least, most] = [Math.max(min - at, 0), max - at]
        if (at > 0) return this.#x.repeat(next, least, most)
        if (most <= 0) return this.#x.empty
        more = this.#x.seq(rest, this.#x.repeat(next, Math.max(least - 1, 0), most - 1))
      }
      return at >= min ? this.#x.optional(more) : more
    }
    return this.#x.seq(this.#open('['), from(0), this.#shut(']'))
  }

  /** An object of these pairs, in their order, and of others behind them. */
  object(
    pairs: readonly { pair: Expression; isRequired: boolean }[],
    rest: Expression,
    min: number,
    max: number,
  ): Expression {
    // How many there are matters only where it is bounded; else only whether there is one, which decides about the comma.
    const needed = pairs.filter(({ isRequired }) => isRequired).length
    const isCounted = min > needed || (max < Number.POSITIVE_INFINITY && (rest !== this.#x.none || max < pairs.length))
    const known = new Map<number, Expression>()
    const from = (at: number, made: number): Expression => {
      const count = isCounted ? made : Math.min(made, 1)
      const key = at * (pairs.length + 1) + count
      let found = known.get(key)
      if (found === undefined) {
        found = build(at, count)
        known.set(key, found)
      }
      return found
    }
    const build = (at: number, made: number): Expression => {
      if (isCounted && made > max) return this.#x.none
      const comma = made === 0 ? this.#x.empty : this.#comma
      const next = pairs[at]
      if (next !== undefined) {
        const taken = this.#x.seq(comma, next.pair, from(at + 1, made + 1))
        return next.isRequired ? taken : this.#x.or(taken, from(at + 1, made))
      }
      const [least, most] = isCounted ? [Math.max(min - made, 0), max - made] : [0, Number.POSITIVE_INFINITY]
      if (rest === this.#x.none) return least > 0 ? this.#x.none : this.#x.empty
      const more = this.#x.seq(this.#comma, rest)
      if (made > 0) return this.#x.repeat(more, least, most)
      const some = this.#x.seq(rest, this.#x.repeat(more, Math.max(least - 1, 0), most - 1))
      if (most <= 0) return this.#x.empty
      return least > 0 ? some : this.#x.optional(some)
    }
    return this.#x.seq(this.#open('{'), from(0, 0), this.#shut('}'))
  }

  pair(name: string, value: Expression): Expression {
    return this.#x.seq(this.strings.quoted(this.strings.exactly(name)), this.colon, value)
  }

  anything(): Expression {
    if (this.#anything === undefined) {
      const rule = this.#x.declare('value')
      this.#anything = rule.call
      const list = this.#x.frame(this.list([], rule.call, 0, Number.POSITIVE_INFINITY), 'array')
      const object = this.#x.frame(
        this.object(
          [],
          this.#x.seq(this.#x.frame(this.strings.any(), 'string'), this.colon, rule.call),
          0,
          Number.POSITIVE_INFINITY,
        ),
        'object',
      )
      rule.define(
        this.#x.or(
          ...['null', 'true', 'false'].map((word) => this.text(word)),
          this.#x.frame(this.numbers.number(), 'number'),
          this.#x.frame(this.strings.any(), 'string'),
          list,
          object,
        ),
      )
    }
    return this.#anything
  }

  text(text: string): Expression {
    return this.#x.literal(new TextEncoder().encode(text))
  }
}
