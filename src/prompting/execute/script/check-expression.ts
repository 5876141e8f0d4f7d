// The type of an expression, and what is wrong with it.

import { messageOf } from '../../../errors.ts'
import { didYouMean } from '../../../nearest.ts'
import { checkPattern, FUNCTIONS } from './functions.ts'
import { common, fits, isText, nameOfType, type ScriptType } from './script-type.ts'
import type { Comparison, Expression } from './syntax.ts'

/** What a type is found with. */
export interface TypeScope {
  /** The type of a name that is read there. */
  read(name: string, at: number): ScriptType
  fault(at: number, message: string): void
}

/** The type; faults are told to the scope, and what they leave open is `any`. */
export function typeOf(expression: Expression, scope: TypeScope): ScriptType {
  switch (expression.kind) {
    case 'value':
      if (expression.value === null) return 'null'
      return typeof expression.value === 'string' ? 'str' : typeof expression.value === 'number' ? 'number' : 'bool'
    case 'template':
      for (const part of expression.parts) if (part.kind === 'put') expected(part.value, 'any', 'in a text', scope)
      return 'str'
    case 'pattern':
      return 'pattern'
    case 'name':
      return scope.read(expression.name, expression.at)
    case 'list': {
      const types = expression.items.map((item) => expected(item, 'any', 'in a list', scope))
      return { list: types.length === 0 ? 'any' : types.reduce(common) }
    }
    case 'call':
      return callType(expression, scope)
    case 'item': {
      const of = expected(expression.of, 'any', 'before [', scope)
      const isList = typeof of === 'object' && 'list' in of
      if (!isList && of !== 'any')
        scope.fault(expression.of.at, `expected a list or an object before [, got ${nameOfType(of)}`)
      expected(expression.index, isList ? 'number' : 'any', 'as a place in a list', scope)
      return isList ? of.list : 'any'
    }
    case 'unary': {
      const wanted = expression.operator === 'not' ? 'bool' : 'number'
      expected(expression.of, wanted, `after ${expression.operator}`, scope)
      return wanted
    }
    case 'binary':
      return binaryType(expression, scope)
    default: {
      let left = typeOf(expression.first, scope)
      for (const comparison of expression.rest) {
        const right = typeOf(comparison.right, scope)
        checkComparison(
          left,
          right,
          comparison,
          expression.rest[0] === comparison ? expression.first : undefined,
          scope,
        )
        left = right
      }
      return 'bool'
    }
  }
}

function expected(expression: Expression, wanted: ScriptType, where: string, scope: TypeScope): ScriptType {
  const type = typeOf(expression, scope)
  if (!fits(type, wanted))
    scope.fault(expression.at, `expected ${nameOfType(wanted)} ${where}, got ${nameOfType(type)}`)
  return type
}

function callType({ name, given, at }: Extract<Expression, { kind: 'call' }>, scope: TypeScope): ScriptType {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  const types = given.map((one) => typeOf(one, scope))
  if (found === undefined) {
    const names = Object.keys(FUNCTIONS)
    scope.fault(
      at,
      `expected a function that there is (${names.join(', ')}), got '${name}'.${didYouMean(name, names)}`.replace(
        /\.$/,
        '',
      ),
    )
    return 'any'
  }
  const { takes, isMany, gives } = found
  if (given.length < takes.length || (given.length > takes.length && !isMany))
    scope.fault(
      at,
      `expected ${isMany ? 'at least ' : ''}${takes.length} value${takes.length > 1 ? 's' : ''} for ${name}, got ${given.length}`,
    )
  for (const [i, type] of types.entries()) {
    const wanted = takes[Math.min(i, takes.length - 1)]!
    if (!wanted.some((one) => fits(type, one)))
      scope.fault(given[i]!.at, `expected ${wanted.map(nameOfType).join(' or ')} for ${name}, got ${nameOfType(type)}`)
    const pattern = given[i]!
    if (pattern.kind !== 'pattern' || type !== 'pattern') continue
    try {
      checkPattern(pattern.pattern)
    } catch (error) {
      scope.fault(pattern.at, messageOf(error))
    }
  }
  return gives
}

function binaryType(
  { operator, left, right, at }: Extract<Expression, { kind: 'binary' }>,
  scope: TypeScope,
): ScriptType {
  if (operator === 'and' || operator === 'or') {
    expected(left, 'bool', `before ${operator}`, scope)
    expected(right, 'bool', `after ${operator}`, scope)
    return 'bool'
  }
  if (operator !== '+') {
    expected(left, 'number', `before ${operator}`, scope)
    expected(right, 'number', `after ${operator}`, scope)
    return 'number'
  }
  const [a, b] = [typeOf(left, scope), typeOf(right, scope)]
  const isSum = (type: ScriptType): boolean =>
    type === 'any' || type === 'number' || isText(type) || (typeof type === 'object' && 'list' in type)
  const isLists = typeof a === 'object' && typeof b === 'object' && 'list' in a && 'list' in b
  if (!isSum(a) || !isSum(b) || !(isLists || fits(a, b) || (isText(a) && isText(b))))
    scope.fault(at, `expected two numbers, two texts or two lists for +, got ${nameOfType(a)} and ${nameOfType(b)}`)
  return isText(a) && isText(b) ? 'str' : common(a, b)
}

function checkComparison(
  left: ScriptType,
  right: ScriptType,
  { operator, right: expression, at }: Comparison,
  first: Expression | undefined,
  scope: TypeScope,
): void {
  const got = `${nameOfType(left)} and ${nameOfType(right)}`
  if (operator === 'in' || operator === 'not in') {
    if (isText(right)) {
      if (!fits(left, 'str')) scope.fault(at, `expected a text to look for in a text, got ${nameOfType(left)}`)
    } else if (!fits(right, { list: 'any' }))
      scope.fault(expression.at, `expected a list or a text after in, got ${nameOfType(right)}`)
    return
  }
  if (operator === '==' || operator === '!=') {
    if (left === 'pattern' || right === 'pattern')
      scope.fault(at, 'expected values to compare, got a /pattern/, which only matches takes')
    else if (!fits(left, right) && !fits(right, left) && left !== 'null' && right !== 'null')
      scope.fault(at, `expected two values of a kind to compare, got ${got}`)
    checkOption(left, expression, scope)
    if (first !== undefined) checkOption(right, first, scope)
    return
  }
  const areNumbers = fits(left, 'number') && fits(right, 'number')
  if (!areNumbers && !(fits(left, 'str') && fits(right, 'str')))
    scope.fault(at, `expected two numbers or two texts to compare, got ${got}`)
}

/** A text that is compared with a choice has to be one of it. */
function checkOption(choice: ScriptType, other: Expression, scope: TypeScope): void {
  if (typeof choice !== 'object' || !('options' in choice) || other.kind !== 'value' || typeof other.value !== 'string')
    return
  if (choice.options.includes(other.value)) return
  const known = choice.options
    .slice(0, 8)
    .map((option) => JSON.stringify(option))
    .join(', ')
  scope.fault(
    other.at,
    `expected one of the choices (${known}), got ${JSON.stringify(other.value)}.${didYouMean(other.value, choice.options)}`.replace(
      /\.$/,
      '',
    ),
  )
}
