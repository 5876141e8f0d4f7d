// Text → statements. Blocks are told by indentation, as their lines read: braces stand for values already.

import { didYouMean } from '../../../nearest.ts'
import { readExpression, readText } from './read-expression.ts'
import { Scanner } from './scanner.ts'
import type { ScriptSource } from './script-error.ts'
import type { Expression, Hole, HoleType, InputType, Role, Setting, Statement } from './syntax.ts'
import { HOLE_TYPES, INPUT_TYPES, KEYWORDS, ROLES, SETTINGS } from './syntax.ts'

const MOST_OPTIONS = 1_000

/** Reads a script; ScriptError with the first fault. What it refers to is checked by `checkScript`. */
export function readScript(source: ScriptSource): { source: ScriptSource; statements: Statement[] } {
  const scanner = new Scanner(source)
  const reader = new Reader(scanner)
  const statements = reader.lines(0)
  return { source: scanner.source, statements }
}

class Reader {
  readonly #scanner: Scanner
  constructor(scanner: Scanner) {
    this.#scanner = scanner
  }

  /** Statements that begin in this column, until a line that begins before it. */
  lines(indent: number): Statement[] {
    const statements: Statement[] = []
    for (;;) {
      const column = this.#nextLine()
      if (column === undefined) return statements
      if (column < indent) {
        this.#scanner.at = this.#lineStart
        return statements
      }
      if (column > indent)
        this.#scanner.fail(
          `expected ${indent === 0 ? 'no spaces' : `${indent} spaces`} before this line as in the lines above, got ${column}`,
        )
      statements.push(this.#statement(indent))
    }
  }

  /** Goes to the next line that says something and tells its column, without going past its spaces for good. */
  #nextLine(): number | undefined {
    const scanner: Scanner = this.#scanner
    const { text } = scanner
    for (;;) {
      let at = scanner.at
      while (text[at] === ' ') at++
      if (text[at] === '\t') scanner.fail('expected spaces at the beginning of a line, got a tab', at)
      if (text[at] === '#') at = text.indexOf('\n', at) < 0 ? text.length : text.indexOf('\n', at)
      if (at >= text.length) return undefined
      if (text[at] !== '\n') {
        const column = at - scanner.at
        this.#lineStart = scanner.at
        scanner.at = at
        return column
      }
      scanner.at = at + 1
    }
  }
  #lineStart = 0

  #statement(indent: number): Statement {
    const scanner: Scanner = this.#scanner
    scanner.newExpression()
    const { at } = scanner
    const word = scanner.word()
    if (word === 'if' || word === 'for' || word === 'repeat') {
      scanner.takeWord(word)
      return scanner.within(() => (word === 'if' ? this.#if(at, indent) : this.#loop(word, at, indent)))
    }
    const statement = this.#simple(at)
    this.#endOfLine()
    return statement
  }

  #endOfLine(): void {
    const scanner: Scanner = this.#scanner
    scanner.space()
    if (scanner.at >= scanner.text.length) return
    if (scanner.text[scanner.at] !== '\n') scanner.expected('the end of the line')
    scanner.at++
  }

  /** A statement of one line. */
  #simple(at: number): Statement {
    const scanner: Scanner = this.#scanner
    const word = scanner.word()
    if (scanner.text[at] === '"') return this.#text(at)
    const role = ROLES.find((one) => one === word)
    if (role !== undefined) {
      scanner.takeWord(word)
      scanner.space()
      if (scanner.text[scanner.at] !== '"') scanner.expected(`a "text" after ${word}`)
      return this.#text(at, role)
    }
    if (Object.hasOwn(SETTINGS, word)) return this.#setting(word as Setting, at)
    if (!['let', 'return', 'input'].includes(word)) this.#unknown(word)
    scanner.takeWord(word)
    if (word === 'input') return this.#input(at)
    if (word === 'return') {
      scanner.space()
      const isEnd = scanner.at >= scanner.text.length || scanner.text[scanner.at] === '\n'
      return { kind: 'return', ...(!isEnd && { value: readExpression(scanner) }), at }
    }
    const name = this.#name('a name after let')
    scanner.need('=')
    return { kind: 'let', name, value: readExpression(scanner), at }
  }

  #unknown(word: string): never {
    const scanner: Scanner = this.#scanner
    if (word === 'elif' || word === 'else') scanner.fail(`expected an if before this ${word}, in the same column`)
    const known = [...['if', 'for', 'repeat', 'let', 'return', 'input'], ...ROLES, ...Object.keys(SETTINGS)]
    const hint = didYouMean(word, known)
    scanner.fail(
      `expected a "text", if, for, repeat, let, return, input, a turn (${ROLES.join(', ')}) or a setting (${Object.keys(SETTINGS).join(', ')}), got ${scanner.got()}.${hint}`.replace(
        /\.$/,
        '',
      ),
    )
  }

  #name(what: string): string {
    const scanner: Scanner = this.#scanner
    const word = scanner.word()
    if (word === '') scanner.expected(what)
    if (KEYWORDS.has(word)) scanner.fail(`expected ${what}, got the word '${word}', which means something else here`)
    scanner.at += word.length
    return word
  }

  #setting(setting: Setting, at: number): Statement {
    const scanner: Scanner = this.#scanner
    scanner.takeWord(setting)
    const [low, high, isWhole] = SETTINGS[setting]
    scanner.space()
    const place = scanner.at
    const value = scanner.number()
    if (value < low || value > high || (isWhole && !Number.isSafeInteger(value)))
      scanner.fail(
        `expected a ${isWhole ? 'whole ' : ''}number from ${low} to ${high} for ${setting}, got ${value}`,
        place,
      )
    return { kind: 'set', setting, value, at }
  }

  #input(at: number): Statement {
    const scanner: Scanner = this.#scanner
    const name = this.#name('a name after input')
    let type: InputType = 'str'
    if (scanner.take(':')) {
      const word = scanner.word()
      const found = INPUT_TYPES.find((one) => one === word)
      if (found === undefined)
        scanner.fail(
          `expected a type (${INPUT_TYPES.join(', ')}), got ${scanner.got()}.${didYouMean(word, INPUT_TYPES)}`.replace(
            /\.$/,
            '',
          ),
        )
      scanner.at += word.length
      type = found
    }
    return { kind: 'input', name, type, ...(scanner.take('=') && { value: readExpression(scanner) }), at }
  }

  #text(at: number, role?: Role): Statement {
    const scanner: Scanner = this.#scanner
    const parts = readText(scanner, (place) => this.#hole(place))
    const where = scanner.takeWord('where') ? readExpression(scanner) : undefined
    return { kind: 'text', ...(role !== undefined && { role }), parts, ...(where !== undefined && { where }), at }
  }

  #hole(at: number): Hole {
    const scanner: Scanner = this.#scanner
    if (scanner.word() === '') scanner.expected('the name of a hole after [, or \\[ for a plain bracket')
    const name = this.#name('the name of a hole')
    const type: HoleType = scanner.take(':') ? this.#holeType() : { kind: 'str' }
    scanner.need(']')
    return { kind: 'hole', name, type, at }
  }

  #holeType(): HoleType {
    const scanner: Scanner = this.#scanner
    scanner.space()
    const { at } = scanner
    const character = scanner.text[at]
    if (character === '/') return { kind: 'regex', pattern: scanner.pattern() }
    if (character === '"') {
      const options: string[] = []
      do options.push(this.#option())
      while (scanner.take('|'))
      if (options.length > MOST_OPTIONS)
        scanner.fail(`expected at most ${MOST_OPTIONS} choices, got ${options.length}`, at)
      return { kind: 'choice', options }
    }
    const word = scanner.word()
    const kind = HOLE_TYPES.find((one) => one === word)
    if (kind === undefined && word !== 'one') {
      const hint = didYouMean(word, [...HOLE_TYPES, 'one of'])
      scanner.fail(
        `expected a type (${HOLE_TYPES.join(', ')}, "a" | "b", one of LIST, /PATTERN/), got ${scanner.got()}.${hint}`.replace(
          /\.$/,
          '',
        ),
      )
    }
    scanner.at += word.length
    if (kind === undefined) {
      if (!scanner.takeWord('of')) scanner.expected("'of' after 'one'")
      return { kind: 'one of', list: readExpression(scanner) }
    }
    if (kind !== 'json') return { kind }
    scanner.space()
    return scanner.text[scanner.at] === ']' ? { kind } : { kind, schema: scanner.within(() => this.#json()) }
  }

  #option(): string {
    const scanner: Scanner = this.#scanner
    const { at } = scanner
    const parts = readText<never>(scanner, (place) =>
      scanner.fail('expected a choice without holes, got a hole', place),
    )
    if (parts.length === 0) scanner.fail('expected a choice of at least one character, got an empty one', at)
    return parts
      .map((part) =>
        part.kind === 'words'
          ? part.text
          : scanner.fail('expected a choice without values, got a value. For values write `one of LIST`', part.at),
      )
      .join('')
  }

  /** A JSON Schema as it stands. */
  #json(): unknown {
    const scanner: Scanner = this.#scanner
    const begin = scanner.at
    const { text } = scanner
    let depth = 0
    let at = begin
    if (text[at] !== '{') scanner.expected('a JSON Schema such as {"type": "object"} or ]')
    for (; at < text.length; at++) {
      const character = text[at]
      if (character === '"') {
        const end = /"(?:[^"\\\n]|\\.)*"/y
        end.lastIndex = at
        const found = end.exec(text)
        if (found === null) scanner.fail('expected a closing " in this line', at)
        at += found[0].length - 1
      } else if (character === '{' || character === '[') {
        if (++depth > 48) scanner.fail('expected at most 48 levels within each other, got more', at)
      } else if ((character === '}' || character === ']') && --depth === 0) break
    }
    scanner.at = Math.min(at + 1, text.length)
    try {
      return JSON.parse(text.slice(begin, scanner.at))
    } catch (error) {
      scanner.fail(`expected JSON, got ${(error as Error).message.replaceAll(/\s+/g, ' ')}`, begin)
    }
  }

  #block(indent: number): Statement[] {
    const scanner: Scanner = this.#scanner
    scanner.need(':')
    scanner.space()
    const { at, text } = scanner
    if (at < text.length && text[at] !== '\n') {
      const word = scanner.word()
      if (word === 'if' || word === 'for' || word === 'repeat')
        scanner.fail(`expected a new line before ${word}, indented, got it in the same line`)
      scanner.newExpression()
      const statement = this.#simple(at)
      this.#endOfLine()
      return [statement]
    }
    this.#endOfLine()
    const column = this.#nextLine()
    if (column === undefined || column <= indent) {
      if (column !== undefined) scanner.fail(`expected a line with more than ${indent} spaces before it after ':'`)
      scanner.fail("expected a line after ':', got the end of the script")
    }
    scanner.at = this.#lineStart
    return this.lines(column)
  }

  #if(at: number, indent: number): Statement {
    const branches: { condition: Expression; body: Statement[] }[] = []
    let otherwise: Statement[] | undefined
    do {
      const condition = readExpression(this.#scanner)
      branches.push({ condition, body: this.#block(indent) })
    } while (this.#continues('elif', indent))
    if (this.#continues('else', indent)) otherwise = this.#block(indent)
    return { kind: 'if', branches, ...(otherwise !== undefined && { otherwise }), at }
  }

  /** Whether the next line begins with this word, in this column; then it is gone past. */
  #continues(word: string, indent: number): boolean {
    const scanner: Scanner = this.#scanner
    const column = this.#nextLine()
    if (column === undefined) return false
    if (column === indent && scanner.takeWord(word)) {
      scanner.newExpression()
      return true
    }
    scanner.at = this.#lineStart
    return false
  }

  #loop(kind: 'for' | 'repeat', at: number, indent: number): Statement {
    const scanner: Scanner = this.#scanner
    if (kind === 'repeat') {
      const times = readExpression(scanner)
      return { kind, times, body: this.#block(indent), at }
    }
    const name = this.#name('a name after for')
    if (!scanner.takeWord('in')) scanner.expected(`'in' after the name ${name}`)
    const list = readExpression(scanner)
    return { kind, name, list, body: this.#block(indent), at }
  }
}
