// Python's operators on template values: what `+`, `==`, `<`, `in` and truth mean for each pair of types.

import { checked, checkLength, checkSize, spend } from './budget.ts'
import { typeError } from './errors.ts'
import { type ArithmeticOperator, arithmetic, compareNumbers, indexOf, numberOf } from './numbers.ts'
import { percentFormat } from './percent-format.ts'
import { str } from './print.ts'
import {
  Dict,
  DictView,
  Float,
  hashOf,
  iterate,
  Markup,
  PyObject,
  Range,
  Stream,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.ts'

/** Whether a value counts as true. */
export function isTruthy(value: Value): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return Boolean(value)
  if (value === null) return false
  if (value instanceof Undefined) return value.as(false)
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Dict) return value.size > 0
  if (value instanceof Float) return value.value !== 0
  if (value instanceof Tuple) return value.items.length > 0
  if (value instanceof Markup) return value.text !== ''
  if (value instanceof Range) return value.length > 0
  if (value instanceof DictView) return value.dict.size > 0
  return true
}

/** `a op b` for the arithmetic operators, which texts and lists know some of. */
export function binary(operator: ArithmeticOperator, a: Value, b: Value): Value {
  const x = numberOf(a)
  const y = numberOf(b)
  if (x !== undefined && y !== undefined) return arithmetic(operator, x, y)
  if (a instanceof Undefined) throw a.fail()
  // A text on the left formats whatever is on the right, also something undefined.
  if (operator === '%' && typeof a === 'string') return checked(percentFormat(a, b))
  if (b instanceof Undefined) throw b.fail()
  if (operator === '+') return add(a, b)
  if (operator === '*') return repeat(a, b)
  if (operator === '%' && a instanceof Markup) return new Markup(checked(percentFormat(a.text, escapeAll(b))))
  throw operandError(operator, a, b)
}

function operandError(operator: string, a: Value, b: Value): Error {
  return typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`)
}

function add(a: Value, b: Value): Value {
  if (typeof a === 'string') {
    if (typeof b === 'string') return checked(a + b)
    if (b instanceof Markup) return new Markup(checked(escapeHtml(a) + b.text))
    throw typeError(`can only concatenate str (not "${typeName(b)}") to str`)
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b)) throw typeError(`can only concatenate list (not "${typeName(b)}") to list`)
    checkSize(a.length + b.length)
    return [...a, ...b]
  }
  if (a instanceof Tuple && b instanceof Tuple) {
    checkSize(a.items.length + b.items.length)
    return new Tuple([...a.items, ...b.items])
  }
  const text = textOf(b)
  if (a instanceof Markup && text !== undefined) {
    return new Markup(checked(a.text + (b instanceof Markup ? text : escapeHtml(text))))
  }
  throw operandError('+', a, b)
}

function repeat(a: Value, b: Value): Value {
  const [sequence, times] = indexOf(a) === undefined ? [a, indexOf(b)] : [b, indexOf(a)]
  if (times === undefined) throw operandError('*', a, b)
  const count = Math.max(0, times)
  const text = textOf(sequence)
  if (text !== undefined) {
    checkLength(text.length * count)
    const repeated = text === '' ? '' : checked(text.repeat(count))
    return sequence instanceof Markup ? new Markup(repeated) : repeated
  }
  const items = Array.isArray(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : undefined
  if (items === undefined) throw operandError('*', a, b)
  checkSize(items.length * count)
  const repeated =
    items.length === 0 ? [] : Array.from({ length: items.length * count }, (_, i) => items[i % items.length]!)
  return sequence instanceof Tuple ? new Tuple(repeated) : repeated
}

/** `-value` and `+value`. */
export function unary(operator: '+' | '-', value: Value): Value {
  if (value instanceof Undefined) throw value.fail()
  const number = numberOf(value)
  if (number === undefined) throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`)
  if (operator === '+') return number
  return number instanceof Float ? new Float(-number.value) : arithmetic('-', 0, number)
}

/** `a ~ b ~ …`: their prints, joined. */
export function concatenate(values: readonly Value[]): string {
  let text = ''
  for (const value of values) {
    text += str(value)
    checkLength(text.length)
  }
  return checked(text)
}

/** `a == b`. Numbers are equal across their types, a list and a tuple never are. */
export function isEqual(a: Value, b: Value): boolean {
  const x = numberOf(a)
  if (x !== undefined) {
    const y = numberOf(b)
    return y !== undefined && compareNumbers(x, y) === 0
  }
  if (b instanceof Undefined && !(a instanceof Undefined)) return b.as(false)
  const text = textOf(a)
  if (text !== undefined) {
    const other = textOf(b)
    if (other?.length !== text.length) return false
    spend(text.length / 1024)
    return text === other
  }
  if (a === b) return true
  if (a === null || b === null || typeof b !== 'object') return false
  if (Array.isArray(a)) return Array.isArray(b) && haveEqualItems(a, b)
  if (a instanceof Tuple) return b instanceof Tuple && haveEqualItems(a.items, b.items)
  if (a instanceof Undefined) return a.as(b instanceof Undefined)
  if (a instanceof Range) return b instanceof Range && haveEqualItems([...a], [...b])
  if (a instanceof DictView) {
    if (!(b instanceof DictView) || a.kind === 'values' || b.kind === 'values' || a.dict.size !== b.dict.size)
      return false
    return a.items().every((item) => b.items().some((other) => isEqual(item, other)))
  }
  if (!(a instanceof Dict) || !(b instanceof Dict) || a.size !== b.size) return false
  for (const [key, value] of a.entries()) {
    spend(1)
    const other = b.get(key)
    if (other === undefined || !isEqual(value, other)) return false
  }
  return true
}

function haveEqualItems(a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false
  return a.every((item, i) => {
    spend(1)
    return isEqual(item, b[i]!)
  })
}

/** Negative, zero or positive as `a` comes before, with or after `b`; NaN compares as neither. Throws where the two have no order. */
export function compare(a: Value, b: Value, operator: string): number {
  const x = numberOf(a)
  const y = numberOf(b)
  if (x !== undefined && y !== undefined) return compareNumbers(x, y)
  if (a instanceof Undefined) throw a.fail()
  if (b instanceof Undefined) throw b.fail()
  const [s, t] = [textOf(a), textOf(b)]
  if (s !== undefined && t !== undefined) return compareTexts(s, t)
  if (Array.isArray(a) && Array.isArray(b)) return compareItems(a, b, operator)
  if (a instanceof Tuple && b instanceof Tuple) return compareItems(a.items, b.items, operator)
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`)
}

function compareItems(a: readonly Value[], b: readonly Value[], operator: string): number {
  const at = a.findIndex((item, i) => {
    spend(1)
    return i >= b.length || !isEqual(item, b[i]!)
  })
  if (at === -1) return a.length - b.length
  return at >= b.length ? 1 : compare(a[at]!, b[at]!, operator)
}

/** By code points; JavaScript compares UTF-16 units, which puts emoji before U+FF00. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  spend(length / 16)
  let i = 0
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++
  if (i === length) return a.length - b.length
  const isHigh = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit)
  return isHigh(a.charCodeAt(i)) - isHigh(b.charCodeAt(i))
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  const text = textOf(container)
  if (text !== undefined) {
    const part = textOf(item)
    if (part === undefined) throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`)
    spend(text.length / 256)
    return text.includes(part)
  }
  if (container instanceof Dict) return container.get(item) !== undefined
  if (container instanceof DictView && container.kind === 'keys') return container.dict.get(item) !== undefined
  if (container instanceof PyObject) throw typeError(`argument of type '${typeName(container)}' is not iterable`)
  for (const other of iterate(container)) {
    spend(1)
    if (isEqual(other, item)) return true
  }
  return false
}

/** How many items a value has; throws where Python's `len` does. */
export function lengthOf(value: Value): number {
  const text = textOf(value)
  if (text !== undefined) return countCodePoints(text)
  if (Array.isArray(value) || value instanceof Range) return value.length
  if (value instanceof Tuple) return value.items.length
  if (value instanceof Dict) return value.size
  if (value instanceof DictView) return value.dict.size
  if (value instanceof Undefined) return value.as(0)
  if (value instanceof PyObject) {
    const length = value.member('__len__')
    if (typeof length === 'number') return length
  }
  throw typeError(`object of type '${typeName(value)}' has no len()`)
}

/** The length of a text as Python counts it. */
export function countCodePoints(text: string): number {
  spend(text.length / 1024)
  let pairs = 0
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      pairs++
      i++
    }
  }
  return text.length - pairs
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' }

/** A text as HTML shows it. */
export function escapeHtml(text: string): string {
  return checked(text.replace(/[&<>'"]/g, (char) => HTML[char]!))
}

/** The arguments of a format, escaped, since the result counts as escaped. */
function escapeAll(value: Value): Value {
  if (value instanceof Tuple) return new Tuple(value.items.map(escapeAll))
  if (value instanceof Dict)
    return Dict.of(Array.from(value.entries(), ([key, item]) => [key, escapeAll(item)] as const))
  return typeof value === 'string' ? escapeHtml(value) : value
}

/** Whether two values are one object, as `is sameas` asks. */
export function isSame(a: Value, b: Value): boolean {
  if (a instanceof Float || b instanceof Float || a instanceof Stream) return a === b
  return a === b || (a !== null && typeof a !== 'object' && typeof a === typeof b && hashOf(a) === hashOf(b))
}
