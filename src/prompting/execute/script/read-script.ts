// Text → statements. Blocks are told by indentation, as their lines read: braces stand for values already.

import { didYouMean } from '../../../nearest.ts'
import { readExpression, readText } from './read-expression.ts'
import { readHole, readName } from './read-hole.ts'
import { Scanner } from './scanner.ts'
import type { ScriptSource } from './script-error.ts'
import type { Expression, InputType, Role, Setting, Statement } from './syntax.ts'
import { INPUT_TYPES, ROLES, SETTINGS } from './syntax.ts'

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
    const name = readName(scanner, 'a name after let')
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
    const name = readName(scanner, 'a name after input')
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
    const parts = readText(scanner, (place) => readHole(scanner, place))
    const where = scanner.takeWord('where') ? readExpression(scanner) : undefined
    return { kind: 'text', ...(role !== undefined && { role }), parts, ...(where !== undefined && { where }), at }
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
    const name = readName(scanner, 'a name after for')
    if (!scanner.takeWord('in')) scanner.expected(`'in' after the name ${name}`)
    const list = readExpression(scanner)
    return { kind, name, list, body: this.#block(indent), at }
  }
}
