// The tokens of a template with a place in them: what both halves of the parser read from.

import { LIMITS, limitError } from './budget.ts'
import { TemplateError } from './errors.ts'
import { type Token, type TokenType, tokenize, type WhiteSpaceRules } from './lexer.ts'

/** Reads tokens one by one, and counts how deep what is being read is nested. */
export class TokenStream {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(source: string, rules: WhiteSpaceRules = {}) {
    this.#tokens = tokenize(source, rules)
  }

  get current(): Token {
    return this.#tokens[this.#at]!
  }

  get next(): Token {
    return this.#tokens[this.#at + 1] ?? this.current
  }

  take(): Token {
    const token = this.current
    if (token.type !== 'end') this.#at++
    return token
  }

  is(type: TokenType, text?: string): boolean {
    return this.current.type === type && (text === undefined || this.current.text === text)
  }

  isOperator(text: string): boolean {
    return this.is('operator', text)
  }

  isName(text: string): boolean {
    return this.is('name', text)
  }

  /** Takes the token if it is this one. */
  skip(type: TokenType, text: string): boolean {
    const isHere = this.is(type, text)
    if (isHere) this.#at++
    return isHere
  }

  expect(type: TokenType, text?: string): Token {
    if (!this.is(type, text))
      throw this.error(`expected ${text === undefined ? WORDS[type] : `'${text}'`}, got ${this.describe()}`)
    return this.take()
  }

  describe(): string {
    const { type, text } = this.current
    return type === 'name' || type === 'operator' ? `'${text}'` : WORDS[type]
  }

  error(message: string, line: number = this.current.line): TemplateError {
    return new TemplateError('syntax', message, line)
  }

  /** Reads something that is one level deeper. */
  nested<T>(read: () => T): T {
    this.deepen(1)
    const result = read()
    this.#depth--
    return result
  }

  /** Counts operators in a row too, each of which makes the tree one level deeper. */
  deepen(by: number): void {
    this.#depth += by
    if (this.#depth > LIMITS.nesting) throw limitError('depth', LIMITS.nesting)
  }
}

const WORDS: Readonly<Record<TokenType, string>> = {
  data: 'text',
  block_begin: "'{%'",
  block_end: "'%}'",
  variable_begin: "'{{'",
  variable_end: "'}}'",
  name: 'a name',
  string: 'a string',
  number: 'a number',
  operator: 'an operator',
  end: 'the end of the template',
}
