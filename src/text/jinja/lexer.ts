// A template's text → tokens, with the white space that tags take away already gone: as Transformers sets Jinja up unless said otherwise.

import { TemplateError } from './errors.ts'
import { type Int, normalized } from './numbers.ts'
import { Float } from './values.ts'
import { isSpace, SPACE } from './white-space.ts'

export type TokenType =
  | 'data'
  | 'block_begin'
  | 'block_end'
  | 'variable_begin'
  | 'variable_end'
  | 'name'
  | 'string'
  | 'number'
  | 'operator'
  | 'end'

/** Which white space goes without being asked to. */
export interface WhiteSpaceRules {
  /** The line break behind a block. Default true. */
  readonly trimBlocks?: boolean
  /** The indentation in front of a block. Default true. */
  readonly lstripBlocks?: boolean
  /** Keeps one line break at the end of the template. Default false. */
  readonly keepTrailingNewline?: boolean
}

/** One token. `text` is what is written, or the value of a string; `number` is the value of a number. */
export interface Token {
  readonly type: TokenType
  readonly text: string
  readonly number?: Int | Float
  readonly line: number
}

const WHITE: RegExp = new RegExp(`${SPACE}*`, 'y')
const NAME = /[\p{L}\p{N}_][\p{L}\p{M}\p{N}_]*/uy
const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y
const RAW_BEGIN: RegExp = new RegExp(`\\{%([-+]?)${SPACE}*raw${SPACE}*(?:(-)%\\}|%\\})`, 'y')
const RAW_END: RegExp = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:([-+])%\\}|%\\})`, 'g')
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

/** The tokens of a template; the last is of type `end`. Throws a TemplateError where it is malformed. */
export function tokenize(source: string, rules: WhiteSpaceRules = {}): Token[] {
  return new Lexer(source, rules).run()
}

class Lexer {
  readonly #source: string
  readonly #trimsBlocks: boolean
  readonly #stripsBlocks: boolean
  readonly #tokens: Token[] = []
  #at = 0
  #line = 1
  /** Whether what comes next is the first thing on its line. */
  #startsLine = true

  constructor(
    source: string,
    { trimBlocks = true, lstripBlocks = true, keepTrailingNewline = false }: WhiteSpaceRules,
  ) {
    const text = source.replace(/\r\n?/g, '\n')
    // One line break at the end is the editor's.
    this.#source = keepTrailingNewline ? text : text.replace(/\n$/, '')
    this.#trimsBlocks = trimBlocks
    this.#stripsBlocks = lstripBlocks
  }

  run(): Token[] {
    const source = this.#source
    while (this.#at < source.length) {
      const start = source.slice(this.#at).search(/\{[%{#]/)
      if (start === -1) {
        this.#data(source.slice(this.#at))
        break
      }
      const begin = this.#at + start
      const text = source.slice(this.#at, begin)
      RAW_BEGIN.lastIndex = begin
      const raw = RAW_BEGIN.exec(source)
      const sign = raw === null ? (/^[-+]/.exec(source.slice(begin + 2, begin + 3))?.[0] ?? '') : raw[1]!
      this.#data(this.#stripped(text, sign, source[begin + 1] === '{'), text)
      if (raw !== null) this.#raw(begin, raw)
      else this.#tag(begin, sign)
    }
    this.#push('end', '')
    return this.#tokens
  }

  /** The text in front of a tag, without what the tag takes away. */
  #stripped(text: string, sign: string, isVariable: boolean): string {
    if (sign === '-') return trimEnd(text)
    if (sign === '+' || isVariable || !this.#stripsBlocks) return text
    const line = text.lastIndexOf('\n') + 1
    return (line > 0 || this.#startsLine) && trimEnd(text.slice(line)) === '' ? text.slice(0, line) : text
  }

  #tag(begin: number, sign: string): void {
    const kind = this.#source[begin + 1]
    this.#at = begin + 2 + sign.length
    if (kind === '#') {
      const end = this.#source.indexOf('#}', this.#at)
      if (end === -1) throw this.#error('a comment is not closed')
      const closing = this.#source[end - 1]!
      const isSigned = end > this.#at && (closing === '-' || closing === '+')
      this.#moveTo(end + 2)
      this.#afterBlock(isSigned ? closing : '')
      return
    }
    const isVariable = kind === '{'
    this.#push(isVariable ? 'variable_begin' : 'block_begin', '')
    this.#expression(isVariable)
  }

  #raw(begin: number, match: RegExpExecArray): void {
    this.#moveTo(begin + match[0].length)
    if (match[2] === '-') this.#skipWhite()
    RAW_END.lastIndex = this.#at
    const end = RAW_END.exec(this.#source)
    if (end === null) throw this.#error('a raw block is not closed')
    const text = this.#source.slice(this.#at, end.index)
    this.#startsLine = this.#source[this.#at - 1] === '\n'
    this.#data(this.#stripped(text, end[1]!, false), text)
    this.#moveTo(end.index + end[0].length)
    this.#afterBlock(end[2] ?? '')
  }

  /** Tokens up to the end of the tag; an end inside of brackets is none. */
  #expression(isVariable: boolean): void {
    const open: string[] = []
    const source = this.#source
    for (;;) {
      this.#skipWhite()
      if (this.#at >= source.length) return
      if (open.length === 0) {
        const sign = /^[-+](?=[%}]\})/.exec(source.slice(this.#at, this.#at + 3))?.[0] ?? ''
        if (source.startsWith(isVariable ? '}}' : '%}', this.#at + sign.length) && !(isVariable && sign === '+')) {
          this.#push(isVariable ? 'variable_end' : 'block_end', '')
          this.#moveTo(this.#at + sign.length + 2)
          if (!isVariable) this.#afterBlock(sign)
          else {
            if (sign === '-') this.#skipWhite()
            this.#startsLine = source[this.#at - 1] === '\n'
          }
          return
        }
      }
      this.#token(open)
    }
  }

  #token(open: string[]): void {
    if (this.#literal()) return
    const operator = this.#match(OPERATOR)
    if (operator === undefined)
      throw this.#error(`unexpected character '${String.fromCodePoint(this.#source.codePointAt(this.#at)!)}'`)
    const closing = CLOSING[operator]
    if (closing !== undefined) open.push(closing)
    else if (')]}'.includes(operator)) {
      const expected = open.pop()
      if (expected !== operator)
        throw this.#error(`unexpected '${operator}'${expected === undefined ? '' : `, expected '${expected}'`}`)
    }
    this.#push('operator', operator)
  }

  /** A number, a name or a string, if there is one. */
  #literal(): boolean {
    const float = this.#match(FLOAT)
    const integer = float === undefined ? this.#match(INTEGER) : undefined
    if (float !== undefined) this.#push('number', float, new Float(Number(float.replaceAll('_', ''))))
    else if (integer !== undefined) this.#push('number', integer, normalized(BigInt(integer.replaceAll('_', ''))))
    if (float !== undefined || integer !== undefined) return true
    const name = this.#match(NAME)
    if (name !== undefined) {
      if (!IDENTIFIER.test(name)) throw this.#error(`invalid character in the name '${name}'`)
      this.#push('name', name)
      return true
    }
    const string = this.#match(STRING)
    if (string === undefined) return false
    this.#push('string', this.#unescape(string.slice(1, -1)))
    this.#line += countLines(string)
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const text = pattern.exec(this.#source)?.[0]
    if (text !== undefined) this.#at += text.length
    return text
  }

  #skipWhite(): void {
    WHITE.lastIndex = this.#at
    this.#moveTo(this.#at + WHITE.exec(this.#source)![0].length)
  }

  /** What follows a block or comment: with '-' all white space goes, without a sign one line break does. */
  #afterBlock(sign: string): void {
    if (sign === '-') this.#skipWhite()
    else if (sign === '' && this.#trimsBlocks && this.#source[this.#at] === '\n') this.#moveTo(this.#at + 1)
    this.#startsLine = this.#source[this.#at - 1] === '\n'
  }

  #moveTo(at: number): void {
    this.#line += countLines(this.#source.slice(this.#at, at))
    this.#at = at
  }

  #data(text: string, written: string = text): void {
    if (text !== '') this.#push('data', text)
    this.#line += countLines(written)
    this.#at += written.length
  }

  #push(type: TokenType, text: string, number?: Int | Float): void {
    this.#tokens.push({ type, text, line: this.#line, ...(number !== undefined && { number }) })
  }

  #unescape(body: string): string {
    return body.replace(
      /\\(x[\s\S]{0,2}|u[\s\S]{0,4}|U[\s\S]{0,8}|[0-7]{1,3}|N\{[^}]*\}|[\s\S])/gu,
      (all, code: string) => {
        const simple = SIMPLE_ESCAPES[code]
        if (simple !== undefined) return simple
        if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
        if (/^(x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8})$/i.test(code)) {
          const point = Number.parseInt(code.slice(1), 16)
          if (point <= 0x10ffff) return String.fromCodePoint(point)
        }
        if (/^[xuUN]/.test(code)) throw this.#error(`bad escape '${all}' in a string`)
        return all
      },
    )
  }

  #error(message: string): TemplateError {
    return new TemplateError('syntax', message, this.#line)
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}
