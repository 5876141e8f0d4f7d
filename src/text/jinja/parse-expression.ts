// Tokens → expressions, by recursive descent: one function per level of precedence, as Jinja has them. Two of them surprise:
// `not` binds looser than a comparison but `-x ** 2` is `(-x) ** 2`, and `**` groups to the left.

import type { Arguments, BinaryOperator, CompareOperator, Expression } from './syntax.ts'
import type { TokenStream } from './token-stream.ts'
import { Float } from './values.ts'

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>='])
const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
}

/** Reads an expression; without `withIf` a trailing `if` is left, as in `for x in xs if …`. */
export function parseExpression(tokens: TokenStream, withIf = true): Expression {
  return tokens.nested(() => (withIf ? conditional(tokens) : or(tokens)))
}

/** How `parseTuple` reads. */
export interface TupleOptions {
  readonly withIf?: boolean
  /** Whether `()` is an expression. */
  readonly isParenthesized?: boolean
  /** A name that ends the tuple, such as `in`. */
  readonly end?: string
}

/** Reads expressions with commas between them as a tuple, one without a comma as itself. */
export function parseTuple(tokens: TokenStream, options: TupleOptions = {}): Expression {
  const items: Expression[] = []
  let isTuple = false
  for (;;) {
    if (isTupleEnd(tokens, options.end)) break
    items.push(parseExpression(tokens, options.withIf ?? true))
    if (!tokens.skip('operator', ',')) break
    isTuple = true
  }
  if (isTuple) return { type: 'Tuple', items }
  if (items.length === 1) return items[0]!
  if (options.isParenthesized !== true) throw tokens.error(`expected an expression, got ${tokens.describe()}`)
  return { type: 'Tuple', items }
}

/** True where nothing more of a tuple can follow. */
export function isTupleEnd(tokens: TokenStream, end: string | undefined): boolean {
  const { type } = tokens.current
  return (
    type === 'variable_end' ||
    type === 'block_end' ||
    tokens.isOperator(')') ||
    (end !== undefined && tokens.isName(end))
  )
}

function conditional(tokens: TokenStream): Expression {
  let value = or(tokens)
  while (tokens.skip('name', 'if')) {
    tokens.deepen(1)
    const test = or(tokens)
    const otherwise = tokens.skip('name', 'else') ? tokens.nested(() => conditional(tokens)) : undefined
    value = { type: 'If', test, value, otherwise }
    tokens.deepen(-1)
  }
  return value
}

/** `operand (operator operand)*`, grouped to the left. */
function leftToRight(
  tokens: TokenStream,
  operand: () => Expression,
  take: () => ((left: Expression, right: Expression) => Expression) | undefined,
): Expression {
  let left = operand()
  let count = 0
  for (let make = take(); make !== undefined; make = take()) {
    tokens.deepen(1)
    count++
    left = make(left, operand())
  }
  tokens.deepen(-count)
  return left
}

function or(tokens: TokenStream): Expression {
  return leftToRight(
    tokens,
    () => and(tokens),
    () => (tokens.skip('name', 'or') ? (left, right) => ({ type: 'Or', left, right }) : undefined),
  )
}

function and(tokens: TokenStream): Expression {
  return leftToRight(
    tokens,
    () => not(tokens),
    () => (tokens.skip('name', 'and') ? (left, right) => ({ type: 'And', left, right }) : undefined),
  )
}

function not(tokens: TokenStream): Expression {
  if (!tokens.skip('name', 'not')) return comparison(tokens)
  return { type: 'Unary', operator: 'not', operand: tokens.nested(() => not(tokens)) }
}

function comparison(tokens: TokenStream): Expression {
  const first = sum(tokens)
  const rest: [CompareOperator, Expression][] = []
  for (;;) {
    if (tokens.current.type === 'operator' && COMPARISONS.has(tokens.current.text)) {
      rest.push([tokens.take().text as CompareOperator, sum(tokens)])
    } else if (tokens.skip('name', 'in')) {
      rest.push(['in', sum(tokens)])
    } else if (tokens.isName('not') && tokens.next.type === 'name' && tokens.next.text === 'in') {
      tokens.take()
      tokens.take()
      rest.push(['not in', sum(tokens)])
    } else break
  }
  return rest.length === 0 ? first : { type: 'Compare', first, rest }
}

function binaryLevel(tokens: TokenStream, operators: string, operand: () => Expression): Expression {
  return leftToRight(tokens, operand, () => {
    const { type, text } = tokens.current
    if (type !== 'operator' || !operators.split(' ').includes(text)) return undefined
    tokens.take()
    return (left, right) => ({ type: 'Binary', operator: text as BinaryOperator, left, right })
  })
}

function sum(tokens: TokenStream): Expression {
  return binaryLevel(tokens, '+ -', () => concat(tokens))
}

function concat(tokens: TokenStream): Expression {
  const items = [product(tokens)]
  while (tokens.skip('operator', '~')) items.push(product(tokens))
  return items.length === 1 ? items[0]! : { type: 'Concat', items }
}

function product(tokens: TokenStream): Expression {
  return binaryLevel(tokens, '* / // %', () => binaryLevel(tokens, '**', () => unary(tokens, true)))
}

function unary(tokens: TokenStream, withFilters: boolean): Expression {
  let value: Expression
  const { type, text } = tokens.current
  if (type === 'operator' && (text === '-' || text === '+')) {
    tokens.take()
    value = { type: 'Unary', operator: text, operand: tokens.nested(() => unary(tokens, false)) }
  } else value = parsePrimary(tokens)
  return suffixes(tokens, value, withFilters)
}

/** Attributes, items and calls, and behind them filters, tests and calls of what those give. */
function suffixes(tokens: TokenStream, start: Expression, withFilters: boolean): Expression {
  let value = start
  let count = 0
  let isFiltered = false
  for (;;) {
    if (tokens.isOperator('(')) value = { type: 'Call', callee: value, arguments: parseArguments(tokens) }
    else if (!isFiltered && (tokens.isOperator('.') || tokens.isOperator('['))) value = subscript(tokens, value)
    else if (withFilters && tokens.skip('operator', '|')) {
      value = { type: 'Filter', operand: value, ...parseFilter(tokens) }
      isFiltered = true
    } else if (withFilters && tokens.skip('name', 'is')) {
      value = test(tokens, value)
      isFiltered = true
    } else break
    tokens.deepen(1)
    count++
  }
  tokens.deepen(-count)
  return value
}

/** A name, a literal, or something in brackets. */
export function parsePrimary(tokens: TokenStream): Expression {
  const token = tokens.current
  if (token.type === 'name') {
    tokens.take()
    const constant = Object.hasOwn(CONSTANTS, token.text) ? CONSTANTS[token.text] : undefined
    return constant === undefined ? { type: 'Name', name: token.text } : { type: 'Const', value: constant }
  }
  if (token.type === 'string') {
    let value = ''
    while (tokens.is('string')) value += tokens.take().text
    return { type: 'Const', value }
  }
  if (token.type === 'number') {
    tokens.take()
    return { type: 'Const', value: token.number! }
  }
  if (tokens.skip('operator', '(')) {
    const value = parseTuple(tokens, { isParenthesized: true })
    tokens.expect('operator', ')')
    return value
  }
  if (tokens.skip('operator', '[')) return { type: 'List', items: sequence(tokens, ']', () => parseExpression(tokens)) }
  if (tokens.skip('operator', '{')) {
    const entry = (): readonly [Expression, Expression] => {
      const key = parseExpression(tokens)
      tokens.expect('operator', ':')
      return [key, parseExpression(tokens)]
    }
    return { type: 'Dict', entries: sequence(tokens, '}', entry) }
  }
  throw tokens.error(`unexpected ${tokens.describe()}`)
}

/** Items with commas between them, and perhaps one behind the last, up to a closing bracket. */
function sequence<T>(tokens: TokenStream, end: string, read: () => T): T[] {
  const items: T[] = []
  while (!tokens.isOperator(end)) {
    if (items.length > 0) tokens.expect('operator', ',')
    if (tokens.isOperator(end)) break
    items.push(read())
  }
  tokens.expect('operator', end)
  return items
}

function subscript(tokens: TokenStream, object: Expression): Expression {
  if (tokens.take().text === '.') {
    const { type, text, number } = tokens.take()
    if (type === 'name') return { type: 'Attribute', object, name: text }
    if (type !== 'number' || number === undefined || number instanceof Float)
      throw tokens.error(`expected a name or a number, got '${text}'`)
    return { type: 'Item', object, index: { type: 'Const', value: number } }
  }
  const bounds: (Expression | undefined)[] = []
  const isAt = (text: string): boolean => tokens.isOperator(text)
  const first = isAt(':') ? undefined : parseTuple(tokens, { withIf: true })
  if (!isAt(':')) {
    tokens.expect('operator', ']')
    return { type: 'Item', object, index: first! }
  }
  bounds.push(first)
  while (bounds.length < 3 && tokens.skip('operator', ':'))
    bounds.push(isAt(':') || isAt(']') ? undefined : parseExpression(tokens))
  tokens.expect('operator', ']')
  return { type: 'Slice', object, bounds }
}

/** The name and arguments of a filter, the `|` already read. */
export function parseFilter(tokens: TokenStream): { name: string; arguments: Arguments } {
  const name = dottedName(tokens)
  return { name, arguments: tokens.isOperator('(') ? parseArguments(tokens) : NO_ARGUMENTS }
}

function dottedName(tokens: TokenStream): string {
  let name = tokens.expect('name').text
  while (tokens.skip('operator', '.')) name += `.${tokens.expect('name').text}`
  return name
}

const NO_ARGUMENTS: Arguments = { args: [], keywords: [], rest: undefined, more: undefined }

/** `is [not] name [argument]`: one argument may stand without parentheses. */
function test(tokens: TokenStream, operand: Expression): Expression {
  const isNegated = tokens.skip('name', 'not')
  const name = dottedName(tokens)
  let given = NO_ARGUMENTS
  const { type, text } = tokens.current
  if (tokens.isOperator('(')) given = parseArguments(tokens)
  else if (
    type === 'string' ||
    type === 'number' ||
    (type === 'name' && !['else', 'or', 'and'].includes(text)) ||
    (type === 'operator' && (text === '[' || text === '{'))
  ) {
    if (tokens.isName('is')) throw tokens.error('tests cannot be chained with is')
    let argument = parsePrimary(tokens)
    while (tokens.isOperator('.') || tokens.isOperator('[') || tokens.isOperator('(')) {
      argument = tokens.isOperator('(')
        ? { type: 'Call', callee: argument, arguments: parseArguments(tokens) }
        : subscript(tokens, argument)
    }
    given = { ...NO_ARGUMENTS, args: [argument] }
  }
  const made: Expression = { type: 'Test', name, operand, arguments: given }
  return isNegated ? { type: 'Unary', operator: 'not', operand: made } : made
}

/** The arguments of a call, parentheses included. */
export function parseArguments(tokens: TokenStream): Arguments {
  tokens.expect('operator', '(')
  const args: Expression[] = []
  const keywords: [string, Expression][] = []
  let rest: Expression | undefined
  let more: Expression | undefined
  const misplaced = () => tokens.error('arguments in the wrong order, or given twice')
  sequence(tokens, ')', () => {
    if (tokens.skip('operator', '*')) {
      if (rest !== undefined || more !== undefined) throw misplaced()
      rest = parseExpression(tokens)
    } else if (tokens.skip('operator', '**')) {
      if (more !== undefined) throw misplaced()
      more = parseExpression(tokens)
    } else if (tokens.is('name') && tokens.next.type === 'operator' && tokens.next.text === '=') {
      const name = tokens.take().text
      if (more !== undefined || keywords.some(([other]) => other === name)) throw misplaced()
      tokens.take()
      keywords.push([name, parseExpression(tokens)])
    } else {
      if (rest !== undefined || more !== undefined || keywords.length > 0) throw misplaced()
      args.push(parseExpression(tokens))
    }
  })
  return { args, keywords, rest, more }
}
