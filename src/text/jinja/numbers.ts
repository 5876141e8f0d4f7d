// Arithmetic on Python's numbers: whole numbers of any size, floats, and how the two divide and round.

import { LIMITS, limitError } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { Float, type Value } from './values.ts'
import { isSpace } from './white-space.ts'

/** A whole number. */
export type Int = number | bigint
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**'

const MAX_BITS = 64 * 1024

/** The number that a value is, with true as 1, or undefined. */
export function numberOf(value: Value): Int | Float | undefined {
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Float) return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

/** A number as a float's value. */
export function toDouble(value: Int | Float): number {
  return value instanceof Float ? value.value : Number(value)
}

/** A bigint as the number that it is where that is exact. */
export function normalized(value: bigint): Int {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
}

/** A list index or a count: a whole number within ±2^53, or undefined. */
export function indexOf(value: Value): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'bigint') return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER
  return undefined
}

/** `a op b` as Python computes it. */
export function arithmetic(operator: ArithmeticOperator, a: Int | Float, b: Int | Float): Value {
  if (a instanceof Float || b instanceof Float) return ofDoubles(operator, toDouble(a), toDouble(b))
  if (typeof a === 'number' && typeof b === 'number') {
    const result = operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : Number.NaN
    if (Number.isSafeInteger(result)) return result + 0
  }
  return ofIntegers(operator, BigInt(a), BigInt(b))
}

function ofIntegers(operator: ArithmeticOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case '+':
      return normalized(a + b)
    case '-':
      return normalized(a - b)
    case '*':
      checkBits(bits(a) + bits(b))
      return normalized(a * b)
    case '/':
      if (b === 0n) throw valueError('division by zero')
      return new Float(Number(a) / Number(b))
    case '//':
    case '%': {
      if (b === 0n) throw valueError('integer division or modulo by zero')
      const isRoundedUp = a % b !== 0n && a < 0n !== b < 0n
      return operator === '//'
        ? normalized(a / b - (isRoundedUp ? 1n : 0n))
        : normalized((a % b) + (isRoundedUp ? b : 0n))
    }
    case '**': {
      if (b < 0n) return ofDoubles('**', Number(a), Number(b))
      checkBits(bits(a) * Number(b))
      return normalized(a ** b)
    }
  }
}

function ofDoubles(operator: ArithmeticOperator, a: number, b: number): Value {
  switch (operator) {
    case '+':
      return new Float(a + b)
    case '-':
      return new Float(a - b)
    case '*':
      return new Float(a * b)
    case '/':
      if (b === 0) throw valueError('float division by zero')
      return new Float(a / b)
    case '//':
    case '%': {
      if (b === 0) throw valueError('float floor division by zero')
      const remainder = a % b
      const isOther = remainder !== 0 && remainder < 0 !== b < 0
      const modulo = isOther ? remainder + b : remainder === 0 ? (b < 0 ? -0 : 0) : remainder
      if (operator === '%') return new Float(modulo)
      const quotient = (a - (isOther ? remainder + b : remainder)) / b
      const floor = Math.floor(quotient)
      return new Float(quotient - floor > 0.5 ? floor + 1 : floor)
    }
    case '**': {
      if (a === 0 && b < 0) throw valueError('0.0 cannot be raised to a negative power')
      if (a < 0 && !Number.isInteger(b)) throw typeError('a negative number cannot be raised to a fractional power')
      // Python: 1 to any power, and anything to the power 0, is 1; JavaScript says NaN for 1 ** Infinity.
      return new Float(a === 1 || (a === -1 && !Number.isFinite(b)) ? 1 : a ** b)
    }
  }
}

function bits(value: bigint): number {
  return value.toString(16).length * 4
}

function checkBits(count: number): void {
  if (!(count <= MAX_BITS)) throw limitError('digits of a number', LIMITS.items)
}

/** -1, 0 or 1; NaN where either is not a number. Exact, also between a large integer and a float. */
export function compareNumbers(a: Int | Float, b: Int | Float): number {
  const [x, y] = [a instanceof Float ? a.value : a, b instanceof Float ? b.value : b]
  if (x < y) return -1
  return x > y ? 1 : x >= y ? 0 : Number.NaN
}

/** A magnitude in decimals, exactly: its digits from the first that is not zero, and how many of them stand before the point. */
function exactDigits(magnitude: number): { digits: string; point: number } {
  // A double is a whole number over a power of two, and 1 / 2^n is 5^n / 10^n.
  let power = 0
  let scaled = magnitude
  while (!Number.isInteger(scaled)) {
    scaled *= 2
    power++
  }
  const digits = (BigInt(scaled) * 5n ** BigInt(power)).toString()
  return { digits, point: digits.length - power }
}

/** The first `kept` digits, rounded to the nearest, an exact tie to the even one; a carry makes it one digit longer. */
function roundDigits(digits: string, kept: number): string {
  if (kept < 0) return '0'
  const head = digits.slice(0, kept).padEnd(kept, '0')
  const rest = digits.slice(kept)
  const isOdd = Number(head.at(-1) ?? 0) % 2 === 1
  const isUp = /^50*$/.test(rest) ? isOdd : rest >= '5'
  return (BigInt(head || 0) + (isUp ? 1n : 0n)).toString()
}

/** A magnitude with a number of decimals, as Python rounds; a negative number of them gives whole tens, hundreds, … */
export function fixedDigits(magnitude: number, decimals: number): string {
  const { digits, point } = exactDigits(magnitude)
  const whole = roundDigits(digits, point + decimals)
  if (decimals <= 0) return whole === '0' ? '0' : whole + '0'.repeat(-decimals)
  const text = whole.padStart(decimals + 1, '0')
  return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`
}

/** A magnitude's first `figures` digits, and the power of ten of the first of them. */
export function significantDigits(magnitude: number, figures: number): { digits: string; exponent: number } {
  if (magnitude === 0) return { digits: '0'.repeat(figures), exponent: 0 }
  const { digits, point } = exactDigits(magnitude)
  const rounded = roundDigits(digits, figures)
  return { digits: rounded.slice(0, figures), exponent: point - 1 + rounded.length - figures }
}

/** `round(value, decimals)`: to the nearest, exact ties to the even digit; a whole number stays one. */
export function round(value: Int | Float, decimals: number): Value {
  if (!(value instanceof Float)) {
    if (decimals >= 0) return value
    if (decimals < -400) return 0
    const unit = 10n ** BigInt(-decimals)
    const whole = BigInt(value)
    const rest = ((whole % unit) + unit) % unit
    const floor = whole - rest
    const isUp = rest * 2n > unit || (rest * 2n === unit && (floor / unit) % 2n !== 0n)
    return normalized(isUp ? floor + unit : floor)
  }
  if (!Number.isFinite(value.value) || decimals > 330) return value
  if (decimals < -330) return new Float(value.value < 0 ? -0 : 0)
  const text = fixedDigits(Math.abs(value.value), decimals)
  const isNegative = value.value < 0 || Object.is(value.value, -0)
  return new Float(isNegative ? -Number(text) : Number(text))
}

/** Python's `int(text, base)`; undefined where the text is no such number. */
export function parseInteger(text: string, base: number): Int | undefined {
  const match = /^([+-]?)(0[xXoObB])?_?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(trimmed(text))
  if (match === null || base < 0 || base === 1 || base > 36) return undefined
  const [, sign, prefix = '', body = ''] = match
  const prefixBase = { x: 16, o: 8, b: 2 }[prefix[1]?.toLowerCase() ?? ''] ?? 0
  const isPrefixed = prefix !== '' && (base === 0 || base === prefixBase)
  const digits = (isPrefixed ? body : prefix + body).replaceAll('_', '').toLowerCase()
  const radix = base === 0 ? prefixBase || 10 : base
  if (digits.length > 4300) return undefined
  if (base === 0 && !isPrefixed && /^0+[1-9]/.test(digits)) return undefined
  let value = 0n
  for (const digit of digits) {
    const place = Number.parseInt(digit, 36)
    if (!(place < radix)) return undefined
    value = value * BigInt(radix) + BigInt(place)
  }
  return normalized(sign === '-' ? -value : value)
}

/** Python's `float(text)`; undefined where the text is no number. */
export function parseDouble(text: string): number | undefined {
  const plain = trimmed(text).replace(/(?<=\d)_(?=\d)/g, '')
  if (/^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return Number(plain)
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(plain)
  if (word === null) return undefined
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN
  return word[1] === '-' ? -Infinity : Infinity
}

/** Without white space around it, and with any script's digits as ASCII's. */
function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end).replace(/(?![0-9])\p{Nd}/gu, (char) => String(digitOf(char)))
}

function digitOf(char: string): number {
  // Digits of a script stand in a row of ten.
  let code = char.codePointAt(0)!
  let digit = 0
  while (digit < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - 1)) && (code - 1) % 16 !== 15) {
    code--
    digit++
  }
  return digit
}
