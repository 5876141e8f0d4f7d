// Strings of JSON: their characters as they may be written, and the formats that JSON Schema names.

import { byteSet } from '../byte-set.ts'
import { ALL_CODE_POINTS, both, type CodePoints, others, utf8 } from '../code-points.ts'
import type { Expression } from '../expression-table.ts'
import type { Expressions } from '../expressions.ts'
import { PLAIN } from '../plain.ts'
import { regularExpression } from '../regular-expression.ts'

const encoder = new TextEncoder()
const SHORT: Readonly<Record<number, string>> = {
  8: '\\b',
  9: '\\t',
  10: '\\n',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}

/** Formats of JSON Schema as patterns of the whole text; months have 31 days. */
export const FORMATS: Readonly<Record<string, string>> = (() => {
  const day = '(?:0[1-9]|[12][0-9]|3[01])'
  const date = `[0-9]{4}-(?:(?:0[13578]|1[02])-${day}|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))`
  const time = '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'
  const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
  const host = `${label}(?:\\.${label}){0,6}`
  // Within longer texts labels are not counted: each count is a place of its own to be looked at.
  const free = '[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?:\\.[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)*'
  const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
  const word = '[0-9A-Fa-f]{1,4}'
  const path = "[A-Za-z0-9._~!$&'()*+,;=:@/-]"
  return {
    date,
    time,
    'date-time': `${date}T${time}`,
    duration:
      'P(?:[0-9]{1,6}W|(?:[0-9]{1,6}Y(?:[0-9]{1,6}M)?(?:[0-9]{1,6}D)?|[0-9]{1,6}M(?:[0-9]{1,6}D)?|[0-9]{1,6}D)(?:T(?:[0-9]{1,6}H(?:[0-9]{1,6}M)?(?:[0-9]{1,6}S)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))?|T(?:[0-9]{1,6}H(?:[0-9]{1,6}M)?(?:[0-9]{1,6}S)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))',
    email: `[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@${free}`,
    hostname: host,
    ipv4: `${octet}(?:\\.${octet}){3}`,
    ipv6: `(?:${word}(?::${word}){7}|(?:${word}(?::${word}){0,5})?::(?:${word})?|::${word}(?::${word}){1,5})`,
    uri: `[a-z][a-z0-9+.-]{1,10}://${free}(?::[0-9]{1,5})?(?:/${path}*)?(?:\\?${path}*)?(?:#${path}*)?`,
    uuid: '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}',
  }
})()

/** What may stand between the quotation marks, for one table of expressions. */
export class JsonStrings {
  readonly #expressions: Expressions
  /** One character in any spelling. */
  readonly #character: Expression
  readonly #quote: Expression

  constructor(expressions: Expressions) {
    this.#expressions = expressions
    this.#quote = expressions.literal(encoder.encode('"'))
    this.#character = expressions.or(utf8(expressions, PLAIN), this.#escaped())
    for (const one of [this.#character, this.write(ALL_CODE_POINTS)]) expressions.characters.add(one)
  }

  /** A string of `min` to `max` characters in any spelling. */
  any(min = 0, max: number = Number.POSITIVE_INFINITY): Expression {
    return this.quoted(this.content(min, max))
  }

  content(min = 0, max: number = Number.POSITIVE_INFINITY): Expression {
    return this.#expressions.repeat(this.#character, min, max)
  }

  quoted(content: Expression): Expression {
    return this.#expressions.seq(this.#quote, content, this.#quote)
  }

  /** One character of a set, in the spelling of JSON.stringify. */
  write(set: CodePoints): Expression {
    const options = [utf8(this.#expressions, both(set, PLAIN))]
    for (const [from, to] of both(set, others(PLAIN)))
      for (let point = from; point <= to; point++)
        options.push(
          this.#expressions.literal(encoder.encode(SHORT[point] ?? `\\u${point.toString(16).padStart(4, '0')}`)),
        )
    return this.#expressions.or(...options)
  }

  /** The content of a string whose text a pattern matches: anywhere, unless `^` and `$` hold it (`isSearch`), or as a whole. */
  matching(pattern: string, isSearch: boolean): Expression {
    return regularExpression(this.#expressions, pattern, (set) => this.write(set), isSearch)
  }

  /** The content of this very string. */
  exactly(text: string): Expression {
    return this.#expressions.literal(encoder.encode(JSON.stringify(text).slice(1, -1)))
  }

  /** The content of one of these very strings. */
  oneOf(texts: readonly string[]): Expression {
    return this.#expressions.literals(texts.map((text) => encoder.encode(JSON.stringify(text).slice(1, -1))))
  }

  #escaped(): Expression {
    const { bytes, literal, or, seq, repeat } = bound(this.#expressions)
    const set = (text: string): Expression =>
      bytes(byteSet([...text].map((one) => [one.charCodeAt(0), one.charCodeAt(0)] as const)))
    const hex = set('0123456789abcdefABCDEF')
    const unit = literal(encoder.encode('\\u'))
    // Halves of a pair come together, or not at all.
    const single = seq(
      unit,
      or(seq(set('0123456789abcefABCEF'), repeat(hex, 3, 3)), seq(set('dD'), set('01234567'), repeat(hex, 2, 2))),
    )
    const pair = seq(
      unit,
      set('dD'),
      set('89abAB'),
      repeat(hex, 2, 2),
      unit,
      set('dD'),
      set('cdefCDEF'),
      repeat(hex, 2, 2),
    )
    return or(seq(literal(encoder.encode('\\')), set('"\\/bfnrt')), single, pair)
  }
}

function bound(expressions: Expressions): Pick<Expressions, 'bytes' | 'literal' | 'or' | 'seq' | 'repeat'> {
  return {
    bytes: (set) => expressions.bytes(set),
    literal: (bytes) => expressions.literal(bytes),
    or: (...options) => expressions.or(...options),
    seq: (...parts) => expressions.seq(...parts),
    repeat: (one, min, max) => expressions.repeat(one, min, max),
  }
}
