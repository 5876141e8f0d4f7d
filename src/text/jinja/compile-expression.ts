// Expressions → JavaScript functions that evaluate them. A template is compiled once and run for every chat, which is several
// times faster than walking its tree.

import { getAttribute, getItem, getSlice } from './attributes.ts'
import { checkSize, spend } from './budget.ts'
import { TemplateError, typeError } from './errors.ts'
import { FILTERS } from './filters.ts'
import { accessName, type Evaluate, type Frame, missingName, type Place } from './frame.ts'
import { binary, compare, concatenate, contains, isEqual, isTruthy, unary } from './operators.ts'
import { str } from './print.ts'
import type { Arguments, CompareOperator, Expression } from './syntax.ts'
import { TESTS } from './tests.ts'
import { Dict, iterate, type Keywords, listOf, PyObject, Tuple, typeName, Undefined, type Value } from './values.ts'

/** Compiles an expression that stands at a place. */
export function compileExpression(node: Expression, place: Place): Evaluate {
  const compile = (inner: Expression): Evaluate => compileExpression(inner, place)
  switch (node.type) {
    case 'Const': {
      const { value } = node
      return () => value
    }
    case 'Name': {
      const { get } = accessName(node.name, place.scope)
      const { name } = node
      return (frame) => {
        const value = get(frame)
        return value === undefined ? missingName(name) : value
      }
    }
    case 'Tuple': {
      const items = node.items.map(compile)
      return (frame) => new Tuple(items.map((item) => item(frame)))
    }
    case 'List': {
      const items = node.items.map(compile)
      return (frame) => items.map((item) => item(frame))
    }
    case 'Dict': {
      const entries = node.entries.map(([key, value]) => [compile(key), compile(value)] as const)
      return (frame) => Dict.of(entries.map(([key, value]) => [key(frame), value(frame)] as const))
    }
    case 'Binary': {
      const [left, right] = [compile(node.left), compile(node.right)]
      const { operator } = node
      return (frame) => binary(operator, left(frame), right(frame))
    }
    case 'Unary': {
      const operand = compile(node.operand)
      const { operator } = node
      return operator === 'not' ? (frame) => !isTruthy(operand(frame)) : (frame) => unary(operator, operand(frame))
    }
    case 'And':
    case 'Or': {
      const [left, right] = [compile(node.left), compile(node.right)]
      const goesOn = node.type === 'And'
      return (frame) => {
        const value = left(frame)
        return isTruthy(value) === goesOn ? right(frame) : value
      }
    }
    case 'Concat': {
      const items = node.items.map(compile)
      return (frame) => concatenate(items.map((item) => item(frame)))
    }
    case 'Compare':
      return compileComparison(node.first, node.rest, compile)
    case 'If': {
      const soft = { ...place, isSoft: true }
      const test = compileExpression(node.test, soft)
      const value = compileExpression(node.value, soft)
      const otherwise = node.otherwise === undefined ? undefined : compileExpression(node.otherwise, soft)
      const none = new Undefined('the inline if-expression evaluated to false and no else section was defined')
      return (frame) => {
        if (isTruthy(test(frame))) return value(frame)
        return otherwise === undefined ? none : otherwise(frame)
      }
    }
    case 'Attribute': {
      const object = compile(node.object)
      const { name } = node
      return (frame) => getAttribute(object(frame), name)
    }
    case 'Item': {
      const [object, index] = [compile(node.object), compile(node.index)]
      return (frame) => getItem(object(frame), index(frame))
    }
    case 'Slice': {
      const object = compile(node.object)
      const bounds = node.bounds.map((bound) => (bound === undefined ? undefined : compile(bound)))
      return (frame) => {
        const value = object(frame)
        const [start, stop, step] = bounds.map((bound) => (bound === undefined ? null : bound(frame)))
        return getSlice(value, start ?? null, stop ?? null, step ?? null)
      }
    }
    case 'Call': {
      const callee = compile(node.callee)
      const given = compileArguments(node.arguments, place)
      return (frame) => {
        const value = callee(frame)
        const { args, keywords } = given(frame)
        return call(value, args, keywords)
      }
    }
    case 'Filter': {
      const operand = compile(node.operand)
      const apply = compileFilter(node.name, node.arguments, place)
      return (frame) => apply(frame, operand(frame))
    }
    case 'Test': {
      const operand = compile(node.operand)
      const check = lookUp(TESTS, 'test', node.name, place)
      const given = compileArguments(node.arguments, place)
      return (frame) => {
        const value = operand(frame)
        const { args, keywords } = given(frame)
        return check([value, ...args], keywords)
      }
    }
  }
}

/** Calls a value as a function. */
export function call(value: Value, args: readonly Value[], keywords: Keywords): Value {
  spend(1)
  if (value instanceof PyObject) return value.call(args, keywords)
  if (value instanceof Undefined) throw value.fail()
  throw typeError(`'${typeName(value)}' object is not callable`)
}

/** Code that puts a value through a filter. */
export function compileFilter(name: string, given: Arguments, place: Place): (frame: Frame, value: Value) => Value {
  const filter = lookUp(FILTERS, 'filter', name, place)
  const compiled = compileArguments(given, place)
  return (frame, value) => {
    const { args, keywords } = compiled(frame)
    return filter([value, ...args], keywords)
  }
}

type Native = (args: readonly Value[], keywords: Keywords) => Value

/** A filter or test by name. One that does not exist ends the compilation, unless an `if` may never get there. */
function lookUp(table: ReadonlyMap<string, Native>, what: string, name: string, place: Place): Native {
  const found = table.get(name)
  if (found !== undefined) return found
  const error = new TemplateError('syntax', `no ${what} named '${name}'`)
  if (!place.isSoft) throw error
  return () => {
    throw new TemplateError(error.kind, error.message)
  }
}

const NO_KEYWORDS: Keywords = new Map()

/** Code that evaluates arguments. */
export function compileArguments(
  { args, keywords, rest, more }: Arguments,
  place: Place,
): (frame: Frame) => { args: Value[]; keywords: Keywords } {
  const compiled = args.map((arg) => compileExpression(arg, place))
  const named = keywords.map(([name, value]) => [name, compileExpression(value, place)] as const)
  if (rest === undefined && more === undefined && named.length === 0) {
    return (frame) => ({ args: compiled.map((arg) => arg(frame)), keywords: NO_KEYWORDS })
  }
  const others = rest === undefined ? undefined : compileExpression(rest, place)
  const mapping = more === undefined ? undefined : compileExpression(more, place)
  return (frame) => {
    const values = compiled.map((arg) => arg(frame))
    const given = new Map<string, Value>()
    for (const [name, value] of named) given.set(name, value(frame))
    if (others !== undefined) {
      values.push(...listOf(others(frame)))
      checkSize(values.length)
    }
    const extra = mapping?.(frame)
    if (extra !== undefined) {
      if (!(extra instanceof Dict)) throw typeError(`argument after ** must be a mapping, not ${typeName(extra)}`)
      for (const [name, value] of extra.entries()) {
        if (given.has(str(name))) throw typeError(`got multiple values for keyword argument '${str(name)}'`)
        given.set(str(name), value)
      }
    }
    return { args: values, keywords: given }
  }
}

const COMPARE: Readonly<Record<CompareOperator, (a: Value, b: Value) => boolean>> = {
  '==': isEqual,
  '!=': (a, b) => !isEqual(a, b),
  '<': (a, b) => compare(a, b, '<') < 0,
  '<=': (a, b) => compare(a, b, '<=') <= 0,
  '>': (a, b) => compare(a, b, '>') > 0,
  '>=': (a, b) => compare(a, b, '>=') >= 0,
  in: (a, b) => contains(b, a),
  'not in': (a, b) => !contains(b, a),
}

/** `a < b < c` is `a < b and b < c`, with `b` evaluated once. */
function compileComparison(
  first: Expression,
  rest: readonly (readonly [CompareOperator, Expression])[],
  compile: (node: Expression) => Evaluate,
): Evaluate {
  const start = compile(first)
  const steps = rest.map(([operator, operand]) => [COMPARE[operator], compile(operand)] as const)
  return (frame) => {
    let left = start(frame)
    for (const [holds, operand] of steps) {
      const right = operand(frame)
      if (!holds(left, right)) return false
      left = right
    }
    return true
  }
}

/** Gives a value's items to as many receivers. */
export function unpack(value: Value, count: number): readonly Value[] {
  const items: Value[] = []
  for (const item of iterate(value)) {
    items.push(item)
    if (items.length > count) throw new TemplateError('value', `too many values to unpack (expected ${count})`)
  }
  if (items.length < count) {
    throw new TemplateError('value', `not enough values to unpack (expected ${count}, got ${items.length})`)
  }
  return items
}
