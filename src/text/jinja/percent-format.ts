// `'%s is %d' % (name, age)`: Python's older way of formatting.

import { checkLength } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { formatDouble, formatInteger } from './number-format.ts'
import { type Int, indexOf, normalized, numberOf, toDouble } from './numbers.ts'
import { repr, str } from './print.ts'
import { Dict, Float, Tuple, textOf, typeName, type Value } from './values.ts'

// %, a key in parentheses, flags, width, precision, a length that means nothing, the conversion.
const CONVERSION = /%(?:\(([^()]*)\))?([#0\- +]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S]?)/g

/** Formats a value, a tuple of values, or a mapping of named ones. */
export function percentFormat(format: string, given: Value): string {
  const args = given instanceof Tuple ? given.items : [given]
  // Lists and whatever else can be indexed may be left over, as in Python.
  const isMapping =
    !(given instanceof Tuple) &&
    textOf(given) === undefined &&
    typeof given === 'object' &&
    given !== null &&
    !(given instanceof Float)
  let used = 0
  const next = (): Value => {
    if (used >= args.length) throw typeError('not enough arguments for format string')
    return args[used++]!
  }
  const count = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined
    const value = text === '*' ? indexOf(next()) : Number(text)
    if (value === undefined) throw typeError('* wants int')
    checkLength(Math.abs(value))
    return value
  }
  let length = 0
  const text = format.replace(
    CONVERSION,
    (_all, key: string | undefined, flags: string, width, precision, type: string) => {
      if (key !== undefined && !(given instanceof Dict)) throw typeError('format requires a mapping')
      const least = count(width) ?? 0
      const places = count(precision)
      if (type === '%') return '%'
      if (type === '') throw valueError('incomplete format')
      const value = key === undefined ? next() : (given as Dict).get(key)
      if (value === undefined) throw valueError(`no key '${key}' to format`)
      const isLeft = flags.includes('-') || least < 0
      const piece = convert(value, type, flags, places)
      const missing = Math.max(0, Math.abs(least) - [...piece.body].length - piece.sign.length)
      length += piece.body.length + missing
      checkLength(length)
      if (isLeft) return piece.sign + piece.body + ' '.repeat(missing)
      const isZeroFilled = piece.isNumber && flags.includes('0')
      return isZeroFilled
        ? piece.sign + '0'.repeat(missing) + piece.body
        : ' '.repeat(missing) + piece.sign + piece.body
    },
  )
  if (used < args.length && !isMapping) throw typeError('not all arguments converted during string formatting')
  return text
}

interface Piece {
  readonly sign: string
  readonly body: string
  readonly isNumber: boolean
}

function convert(value: Value, type: string, flags: string, precision: number | undefined): Piece {
  const isAlternate = flags.includes('#')
  switch (type) {
    case 's':
    case 'r':
    case 'a': {
      const text = type === 's' ? str(value) : type === 'r' ? repr(value) : ascii(repr(value))
      return {
        sign: '',
        body: precision === undefined ? text : [...text].slice(0, precision).join(''),
        isNumber: false,
      }
    }
    case 'c': {
      const code = indexOf(value)
      const text = textOf(value)
      if (text !== undefined && [...text].length === 1) return { sign: '', body: text, isNumber: false }
      if (code === undefined || code < 0 || code > 0x10ffff) throw typeError('%c requires int or char')
      return { sign: '', body: String.fromCodePoint(code), isNumber: false }
    }
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
      const { isNegative, prefix, digits } = formatInteger(wholeNumber(value, type), type, isAlternate)
      return { sign: signOf(isNegative, flags) + prefix, body: digits.padStart(precision ?? 0, '0'), isNumber: true }
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      const number = numberOf(value)
      if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`)
      const { isNegative, digits } = formatDouble(toDouble(number), type, precision, isAlternate)
      return { sign: signOf(isNegative, flags), body: digits, isNumber: true }
    }
    default:
      throw valueError(`unsupported format character '${type}'`)
  }
}

function wholeNumber(value: Value, type: string): Int {
  const number = numberOf(value)
  if (number instanceof Float && /[diu]/.test(type) && Number.isFinite(number.value)) {
    return normalized(BigInt(Math.trunc(number.value)))
  }
  if (number === undefined || number instanceof Float) {
    throw typeError(`%${type} format: a real number is required, not ${typeName(value)}`)
  }
  return number
}

function signOf(isNegative: boolean, flags: string): string {
  if (isNegative) return '-'
  return flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
}

/** With everything that is not ASCII escaped. */
export function ascii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (char) => {
    const code = char.codePointAt(0)!
    const digits = code.toString(16)
    if (code < 0x100) return `\\x${digits}`
    return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`
  })
}
