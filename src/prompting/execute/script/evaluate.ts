// Expression → value, or what is known of it while a hole is being written. The same for both, so that what is checked early is what holds
// in the end.

import { expectPart, FUNCTIONS } from './functions.ts'
import {
  addKnown,
  beginningOf,
  compareKnown,
  exact,
  grows,
  type Known,
  minusKnown,
  sameKnown,
  timesKnown,
  UNKNOWN,
} from './known.ts'
import { faultAt, ScriptError, type ScriptSource } from './script-error.ts'
import { fits, nameOfType, type ScriptType, type ScriptValue, textOfValue, typeOfValue } from './script-type.ts'
import type { BinaryOperator, ComparisonOperator, Expression, TextPart } from './syntax.ts'

/** Characters of a text, and values of a list, that a script may make. */
export const MOST_TEXT = 1_000_000
const MOST_ITEMS = 100_000

/** What an expression is evaluated with. */
export interface Scope {
  readonly source: ScriptSource
  /** What is known of a name. */
  look(name: string): Known | undefined
  /** Told how much work is done, in characters; it may refuse. */
  spend(amount: number): void
}

/** The value. ScriptError for one that cannot be had: a type that is wrong, a place beyond a list's end, a division by 0. */
export function evaluate(expression: Expression, scope: Scope): ScriptValue {
  const known = evaluateKnown(expression, scope)
  if (known.kind === 'exact') return known.value
  return fail(scope, expression.at, 'expected a value that is there')
}

/** What is known of the value. */
export function evaluateKnown(expression: Expression, scope: Scope): Known {
  scope.spend(1)
  switch (expression.kind) {
    case 'value':
      return exact(expression.value)
    case 'pattern':
      return exact(expression.pattern)
    case 'template':
      return joinParts(expression.parts, scope)
    case 'name':
      return (
        scope.look(expression.name) ?? fail(scope, expression.at, `expected a value for '${expression.name}', got none`)
      )
    case 'list':
      return listOf(expression.items.map((item) => evaluateKnown(item, scope)))
    case 'call':
      return call(expression, scope)
    case 'item':
      return item(expression, scope)
    case 'unary': {
      const of = evaluateKnown(expression.of, scope)
      if (expression.operator === '-') return need(of, 'number', expression.of, scope) && minus(of)
      need(of, 'bool', expression.of, scope)
      return of.kind === 'exact' ? exact(!of.value) : UNKNOWN
    }
    case 'binary':
      return expression.operator === 'and' || expression.operator === 'or'
        ? logical(expression.operator, expression, scope)
        : arithmetic(expression.operator, expression, scope)
    default: {
      let left = evaluateKnown(expression.first, scope)
      let isSure = true
      for (const { operator, right: next, at } of expression.rest) {
        const right = evaluateKnown(next, scope)
        const answer = compare(operator, left, right, scope, at)
        if (answer.kind === 'exact' && answer.value === false) return answer
        if (answer.kind !== 'exact') isSure = false
        left = right
      }
      return isSure ? exact(true) : UNKNOWN
    }
  }
}

/** What a text with values in it comes to. */
export function joinParts(parts: readonly TextPart[], scope: Scope): Known {
  let text = ''
  for (const part of parts) {
    const known = part.kind === 'words' ? exact(part.text) : evaluateKnown(part.value, scope)
    if (known.kind !== 'exact') return grows(text + (beginningOf(known) ?? ''))
    text += textOfValue(known.value)
    bounded(text, scope, part.at)
  }
  return exact(text)
}

function fail(scope: Scope, at: number, message: string): never {
  throw new ScriptError(scope.source.name, [faultAt(scope.source, at, message)])
}

/** A value that is there has to be of a type; one that is not there yet is as the check found it. */
function need(known: Known, type: ScriptType, { at }: Expression, scope: Scope): true {
  if (known.kind === 'exact' && !fits(typeOfValue(known.value), type))
    fail(scope, at, `expected ${nameOfType(type)}, got ${nameOfType(typeOfValue(known.value))}`)
  return true
}

function bounded<T extends string | readonly unknown[]>(value: T, scope: Scope, at: number): T {
  scope.spend(value.length)
  const most = typeof value === 'string' ? MOST_TEXT : MOST_ITEMS
  if (value.length > most)
    fail(
      scope,
      at,
      `expected at most ${most} ${typeof value === 'string' ? 'characters in a text' : 'values in a list'}, got more`,
    )
  return value
}

function listOf(items: readonly Known[]): Known {
  const values = items.flatMap((known) => (known.kind === 'exact' ? [known.value] : []))
  return values.length === items.length ? exact(values) : UNKNOWN
}

function call({ name, given, at }: Extract<Expression, { kind: 'call' }>, scope: Scope): Known {
  const found = FUNCTIONS[name]!
  const known = given.map((one) => evaluateKnown(one, scope))
  for (const [i, one] of known.entries()) {
    if (one.kind !== 'exact') {
      scope.spend(beginningOf(one)?.length ?? 1)
      continue
    }
    const takes = found.takes[Math.min(i, found.takes.length - 1)]!
    const type = given[i]!.kind === 'pattern' ? 'pattern' : typeOfValue(one.value)
    if (!takes.some((wanted) => fits(type, wanted)))
      fail(scope, given[i]!.at, `expected ${takes.map(nameOfType).join(' or ')} for ${name}, got ${nameOfType(type)}`)
    scope.spend(typeof one.value === 'string' ? one.value.length : 1)
  }
  if (known.some(({ kind }) => kind !== 'exact')) return found.expect(known)
  const value = found.run(known.map((one) => (one as { value: ScriptValue }).value))
  if (typeof value === 'string' || Array.isArray(value)) bounded(value as string, scope, at)
  return exact(value)
}

function item({ of, index, at }: Extract<Expression, { kind: 'item' }>, scope: Scope): Known {
  const [whole, place] = [evaluateKnown(of, scope), evaluateKnown(index, scope)]
  if (place.kind !== 'exact') return UNKNOWN
  if (whole.kind === 'lengthens') {
    const i = place.value as number
    if (whole.items[i] !== undefined) return exact(whole.items[i]!)
    return i === whole.items.length && whole.last !== undefined ? grows(whole.last) : UNKNOWN
  }
  if (whole.kind !== 'exact') return UNKNOWN
  const { value } = whole
  if (Array.isArray(value)) {
    const found = (value as readonly ScriptValue[])[place.value as number]
    if (typeof place.value === 'number' && found !== undefined) return exact(found)
    fail(
      scope,
      index.at,
      `expected a place from 0 to ${value.length - 1} in this list, got ${textOfValue(place.value)}`,
    )
  }
  if (typeof value !== 'object' || value === null)
    fail(scope, at, `expected a list or an object before [, got ${nameOfType(typeOfValue(value))}`)
  const name = place.value
  if (typeof name !== 'string' || !Object.hasOwn(value, name))
    fail(
      scope,
      index.at,
      `expected one of ${Object.keys(value).slice(0, 20).join(', ') || 'nothing'}, got ${textOfValue(name)}`,
    )
  return exact((value as Record<string, ScriptValue>)[name]!)
}

function minus(of: Known): Known {
  return of.kind === 'exact' ? exact(-(of.value as number)) : minusKnown(of)
}

type Binary = Extract<Expression, { kind: 'binary' }>

/** False and anything is false; true or anything is true. */
function logical(operator: 'and' | 'or', { left, right }: Binary, scope: Scope): Known {
  const deciding = operator === 'or'
  const first = evaluateKnown(left, scope)
  need(first, 'bool', left, scope)
  if (first.kind === 'exact' && first.value === deciding) return first
  const second = evaluateKnown(right, scope)
  need(second, 'bool', right, scope)
  if (second.kind === 'exact' && second.value === deciding) return second
  return first.kind === 'exact' ? second : UNKNOWN
}

function arithmetic(operator: BinaryOperator, expression: Binary, scope: Scope): Known {
  const { left, right, at } = expression
  const [a, b] = [evaluateKnown(left, scope), evaluateKnown(right, scope)]
  if (a.kind !== 'exact' || b.kind !== 'exact') {
    if (operator === '+') return addKnown(a, b)
    if (operator === '-') return addKnown(a, minusKnown(b))
    return operator === '*' ? timesKnown(a, b) : UNKNOWN
  }
  const [x, y] = [a.value, b.value]
  if (operator === '+') {
    if (typeof x === 'string' && typeof y === 'string') return exact(bounded(x + y, scope, at))
    if (Array.isArray(x) && Array.isArray(y)) return exact(bounded([...x, ...y], scope, at))
  }
  if (typeof x !== 'number' || typeof y !== 'number')
    fail(
      scope,
      at,
      `expected ${operator === '+' ? 'two numbers, two texts or two lists' : 'two numbers'} for ${operator}, got ${nameOfType(typeOfValue(x))} and ${nameOfType(typeOfValue(y))}`,
    )
  if ((operator === '/' || operator === '%') && y === 0)
    fail(scope, right.at, `expected another number than 0 after ${operator}`)
  const made = { '+': x + y, '-': x - y, '*': x * y, '/': x / y, '%': x % y }[operator as '+']
  if (!Number.isFinite(made)) fail(scope, at, 'expected a number that can be told, got one too large')
  return exact(made)
}

function compare(operator: ComparisonOperator, left: Known, right: Known, scope: Scope, at: number): Known {
  const not = (known: Known): Known => (known.kind === 'exact' ? exact(!known.value) : known)
  scope.spend(beginningOf(left)?.length ?? 1)
  if (operator === '==' || operator === '!=') {
    const same = sameKnown(left, right)
    return operator === '==' ? same : not(same)
  }
  if (operator === 'in' || operator === 'not in') {
    if (right.kind === 'exact' && typeof right.value !== 'string' && !Array.isArray(right.value))
      fail(scope, at, `expected a text or a list after in, got ${nameOfType(typeOfValue(right.value))}`)
    const found = expectPart(right, left)
    return operator === 'in' ? found : not(found)
  }
  if (left.kind === 'exact' && right.kind === 'exact') {
    const [x, y] = [left.value, right.value]
    const areAlike =
      (typeof x === 'number' && typeof y === 'number') || (typeof x === 'string' && typeof y === 'string')
    if (!areAlike)
      fail(
        scope,
        at,
        `expected two numbers or two texts to compare, got ${nameOfType(typeOfValue(x))} and ${nameOfType(typeOfValue(y))}`,
      )
    return exact({ '<': x < y, '<=': x <= y, '>': x > y, '>=': x >= y }[operator])
  }
  return operator === '<' || operator === '<='
    ? compareKnown(operator, left, right)
    : compareKnown(operator === '>' ? '<' : '<=', right, left)
}
