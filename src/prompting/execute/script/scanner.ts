// A place in a script's text, and what stands there: spaces, words, symbols, texts in quotes. It knows nothing of what they mean.

import { faultAt, ScriptError, type ScriptSource } from './script-error.ts'

/** Characters of a script, levels of what stands in each other, parts of one expression. */
const MOST_CHARACTERS = 262_144
const MOST_NESTED = 48
const MOST_PARTS = 1_000

const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }
const PLAIN_ESCAPES = '"\\{}[]'

export class Scanner {
  readonly source: ScriptSource
  readonly text: string
  at = 0
  /** Brackets that are open: within them a line end is a space. */
  brackets = 0
  /** Within a text's braces `#` begins no comment. */
  isInText = false
  #depth = 0
  #parts = 0

  constructor({ name, text }: ScriptSource) {
    const plain = text
      .slice(0, MOST_CHARACTERS * 2)
      .replaceAll('\r\n', '\n')
      .replace(/^\ufeff/, '')
    this.source = { name, text: plain }
    this.text = plain
    if (plain.length > MOST_CHARACTERS)
      this.fail(
        `expected a script of at most ${MOST_CHARACTERS} characters, got ${text.length}. Give long texts as variables`,
        0,
      )
  }

  fail(message: string, at: number = this.at): never {
    throw new ScriptError(this.source.name, [faultAt(this.source, at, message)])
  }

  /** Where something is expected that is not there. */
  expected(what: string, at: number = this.at): never {
    this.fail(`expected ${what}, got ${this.got(at)}`, at)
  }

  got(at: number = this.at): string {
    const { text } = this
    if (at >= text.length) return 'the end of the script'
    if (text[at] === '\n') return 'the end of the line'
    NAME.lastIndex = at
    const word = NAME.exec(text)?.[0] ?? String.fromCodePoint(text.codePointAt(at)!)
    return `'${word.length > 40 ? `${word.slice(0, 40)}…` : word}'`
  }

  /** Goes past spaces; within brackets past line ends and comments too. */
  space(): void {
    for (;;) {
      const character = this.text[this.at]
      if (character === ' ' || character === '\t' || (character === '\n' && this.brackets > 0)) this.at++
      else if (character === '#' && !this.isInText) this.at = this.#lineEnd()
      else return
    }
  }

  #lineEnd(): number {
    const end = this.text.indexOf('\n', this.at)
    return end < 0 ? this.text.length : end
  }

  /** Goes past a symbol that may stand here, and spaces before it. */
  take(symbol: string): boolean {
    this.space()
    if (!this.text.startsWith(symbol, this.at)) return false
    this.at += symbol.length
    return true
  }

  need(symbol: string, what = `'${symbol}'`): void {
    if (!this.take(symbol)) this.expected(what)
  }

  /** The word that stands here; '' where there is none. */
  word(): string {
    this.space()
    NAME.lastIndex = this.at
    return NAME.exec(this.text)?.[0] ?? ''
  }

  takeWord(word: string): boolean {
    if (this.word() !== word) return false
    this.at += word.length
    return true
  }

  number(): number {
    this.space()
    NUMBER.lastIndex = this.at
    const found = NUMBER.exec(this.text)?.[0]
    if (found === undefined) this.expected('a number')
    if (!Number.isFinite(Number(found))) this.fail('expected a number that can be told, got one too large')
    this.at += found.length
    return Number(found)
  }

  /** A character of a text in quotes, `\n` and the like read. */
  character(): string {
    const { text, at } = this
    if (at >= text.length || text[at] === '\n') this.expected('a closing " in this line')
    const point = String.fromCodePoint(text.codePointAt(at)!)
    this.at += point.length
    if (point !== '\\') return point
    const escaped = text[this.at] ?? ''
    this.at++
    if (escaped in ESCAPES && escaped !== '') return ESCAPES[escaped]!
    if (escaped !== '' && PLAIN_ESCAPES.includes(escaped)) return escaped
    const code = escaped === 'u' ? /^\{([0-9a-fA-F]{1,6})\}/.exec(text.slice(this.at, this.at + 8)) : null
    const value = Number.parseInt(code?.[1] ?? '', 16)
    if (code === null || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
      this.fail('expected \\n, \\t, \\r, \\", \\\\, \\{, \\}, \\[, \\] or \\u{…} with the code of a character', at)
    this.at += code[0].length
    return String.fromCodePoint(value)
  }

  /** `/…/` as it stands, without its slashes; `\/` is a slash. */
  pattern(): string {
    const begin = this.at
    this.need('/')
    let pattern = ''
    for (;;) {
      const character = this.text[this.at]
      if (character === undefined || character === '\n')
        this.fail('expected a closing / of this pattern in its line, got the end of the line', begin)
      this.at++
      if (character === '/') return pattern
      pattern += character
      if (character !== '\\' || (this.text[this.at] ?? '\n') === '\n') continue
      const escaped = this.text[this.at++]!
      pattern = escaped === '/' ? `${pattern.slice(0, -1)}/` : pattern + escaped
    }
  }

  /** Reads what stands within something. */
  within<T>(read: () => T): T {
    if (++this.#depth > MOST_NESTED) this.fail(`expected at most ${MOST_NESTED} levels within each other, got more`)
    const value = read()
    this.#depth--
    return value
  }

  /** Counts a part of an expression; `begin` is where a new one begins. */
  part(): void {
    if (++this.#parts > MOST_PARTS)
      this.fail(`expected an expression of at most ${MOST_PARTS} parts, got more. Use \`let\``)
  }
  newExpression(): void {
    this.#parts = 0
  }
}
