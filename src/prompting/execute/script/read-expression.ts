// Text → expression. One function for each level of binding, the loosest first.

import type { Scanner } from './scanner.ts'
import type { BinaryOperator, Comparison, ComparisonOperator, Expression, TextPart } from './syntax.ts'
import { KEYWORDS } from './syntax.ts'

const COMPARISONS: readonly ComparisonOperator[] = ['<=', '>=', '==', '!=', '<', '>']

/** Reads an expression. */
export function readExpression(scanner: Scanner): Expression {
  scanner.part()
  return scanner.within(() => either(scanner))
}

function either(scanner: Scanner): Expression {
  return joined(scanner, (s) => joined(s, negated, { and: 'and' }), { or: 'or' })
}

function negated(scanner: Scanner): Expression {
  scanner.space()
  const { at } = scanner
  if (!scanner.takeWord('not')) return compared(scanner)
  scanner.part()
  return { kind: 'unary', operator: 'not', of: scanner.within(() => negated(scanner)), at }
}

function compared(scanner: Scanner): Expression {
  const first = summed(scanner)
  const rest: Comparison[] = []
  for (;;) {
    scanner.space()
    const { at } = scanner
    const operator = comparison(scanner)
    if (operator === undefined) break
    scanner.part()
    rest.push({ operator, right: summed(scanner), at })
  }
  return rest.length === 0 ? first : { kind: 'compare', first, rest, at: first.at }
}

function comparison(scanner: Scanner): ComparisonOperator | undefined {
  for (const symbol of COMPARISONS) if (scanner.take(symbol)) return symbol
  if (scanner.takeWord('in')) return 'in'
  if (scanner.text[scanner.at] === '=') scanner.fail("expected '==' to compare, got '='")
  const { at } = scanner
  if (!scanner.takeWord('not')) return undefined
  if (scanner.takeWord('in')) return 'not in'
  scanner.at = at
  return undefined
}

const SUMS: Readonly<Record<string, BinaryOperator>> = { '+': '+', '-': '-' }
const PRODUCTS: Readonly<Record<string, BinaryOperator>> = { '*': '*', '/': '/', '%': '%' }
const summed = (scanner: Scanner): Expression => joined(scanner, (s) => joined(s, signed, PRODUCTS), SUMS)

/** Operands with operators of one level between them, from the left. */
function joined(
  scanner: Scanner,
  operand: (scanner: Scanner) => Expression,
  operators: Readonly<Record<string, BinaryOperator>>,
): Expression {
  let left = operand(scanner)
  for (;;) {
    scanner.space()
    const { at } = scanner
    const word = scanner.word() || (scanner.text[at] ?? '')
    const operator = Object.hasOwn(operators, word) ? operators[word] : undefined
    if (operator === undefined) return left
    scanner.at += word.length
    scanner.part()
    left = { kind: 'binary', operator, left, right: operand(scanner), at }
  }
}

function signed(scanner: Scanner): Expression {
  scanner.space()
  const { at } = scanner
  if (!scanner.take('-')) return indexed(scanner)
  scanner.part()
  return { kind: 'unary', operator: '-', of: scanner.within(() => signed(scanner)), at }
}

function indexed(scanner: Scanner): Expression {
  let of = single(scanner)
  for (;;) {
    scanner.space()
    const { at } = scanner
    if (!scanner.take('[')) return of
    of = { kind: 'item', of, index: enclosed(scanner, ']'), at }
  }
}

function single(scanner: Scanner): Expression {
  scanner.space()
  const { at, text } = scanner
  const character = text[at] ?? ''
  if (character === '"') return readTemplate(scanner)
  if (/\d/.test(character)) return { kind: 'value', value: scanner.number(), at }
  if (character === '/') return { kind: 'pattern', pattern: scanner.pattern(), at }
  if (scanner.take('(')) return enclosed(scanner, ')')
  if (scanner.take('[')) return { kind: 'list', items: several(scanner, ']'), at }
  const word = scanner.word()
  if (word === 'true' || word === 'false' || word === 'null') {
    scanner.at += word.length
    return { kind: 'value', value: word === 'null' ? null : word === 'true', at }
  }
  if (word === '' || KEYWORDS.has(word)) scanner.expected('a value: a name, a number, a "text", a list or a function')
  scanner.at += word.length
  return scanner.take('(')
    ? { kind: 'call', name: word, given: several(scanner, ')'), at }
    : { kind: 'name', name: word, at }
}

/** Line ends are spaces there. */
function bracketed<T>(scanner: Scanner, read: () => T): T {
  scanner.brackets++
  const value = read()
  scanner.brackets--
  return value
}

function enclosed(scanner: Scanner, end: string): Expression {
  return bracketed(scanner, () => {
    const inner = readExpression(scanner)
    scanner.need(end)
    return inner
  })
}

function several(scanner: Scanner, end: string): Expression[] {
  return bracketed(scanner, () => {
    const items: Expression[] = []
    while (!scanner.take(end)) {
      items.push(readExpression(scanner))
      if (scanner.take(',')) continue
      scanner.need(end, `',' or '${end}'`)
      break
    }
    return items
  })
}

/** A text in quotes where no hole may be. */
function readTemplate(scanner: Scanner): Expression {
  const { at } = scanner
  const parts = readText(scanner, (place) =>
    scanner.fail('expected a text without holes here, got a hole. For a plain bracket write \\[', place),
  )
  return parts.every(({ kind }) => kind === 'words')
    ? { kind: 'value', value: parts.map((part) => (part.kind === 'words' ? part.text : '')).join(''), at }
    : { kind: 'template', parts, at }
}

/** A text in quotes: words, `{values}`, and what `hole` makes of a `[`, whose place it gets. */
export function readText<H>(scanner: Scanner, hole: (at: number) => H): (TextPart | H)[] {
  scanner.need('"')
  const parts: (TextPart | H)[] = []
  let words = ''
  let begin = scanner.at
  const flush = (): void => {
    if (words !== '') parts.push({ kind: 'words', text: words, at: begin })
    words = ''
  }
  for (;;) {
    const { at } = scanner
    const character = scanner.text[at]
    if (character === '"') {
      scanner.at++
      flush()
      return parts
    }
    if (character !== '{' && character !== '[') {
      words += scanner.character()
      continue
    }
    flush()
    scanner.at++
    parts.push(inText(scanner, () => (character === '{' ? put(scanner, at) : hole(at))))
    begin = scanner.at
  }
}

function put(scanner: Scanner, at: number): TextPart {
  scanner.space()
  if (scanner.text[scanner.at] === '}') scanner.expected('a value between { and }, or \\{ for a plain brace')
  const value = readExpression(scanner)
  scanner.need('}')
  return { kind: 'put', value, at }
}

/** Between the braces of a text, whose line does not end there. */
function inText<T>(scanner: Scanner, read: () => T): T {
  const { brackets, isInText } = scanner
  scanner.brackets = 0
  scanner.isInText = true
  const value = read()
  scanner.brackets = brackets
  scanner.isInText = isInText
  return value
}
