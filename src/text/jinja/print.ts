// How Python writes values: `str` as `{{ x }}` prints them, `repr` as they stand inside a printed list.

import { checked, checkLength, spend } from './budget.ts'
import {
  Dict,
  DictView,
  Float,
  Markup,
  Namespace,
  NativeFunction,
  PyObject,
  Range,
  Stream,
  Tuple,
  Undefined,
  type Value,
} from './values.ts'

/** Python's `str(value)`. */
export function str(value: Value): string {
  if (typeof value === 'string') return value
  if (value instanceof Markup) return value.text
  if (value instanceof Undefined) return value.as('')
  return repr(value)
}

/** Python's `repr(value)`. */
export function repr(value: Value): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (value instanceof Float) return printFloat(value.value)
  if (Array.isArray(value)) return `[${list(value)}]`
  if (value instanceof Tuple) return value.items.length === 1 ? `(${list(value.items)},)` : `(${list(value.items)})`
  if (value instanceof Dict) return `{${pairs(value)}}`
  if (value instanceof DictView) return `dict_${value.kind}([${list(value.items())}])`
  if (value instanceof Markup) return `Markup(${quote(value.text)})`
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof Range) return printRange(value)
  if (value instanceof Namespace) return `<Namespace ${repr(value.attributes)}>`
  if (value instanceof Stream) return `<${value.typeName} object>`
  if (value instanceof NativeFunction || value instanceof PyObject) return value.print()
  return value satisfies never
}

function list(items: readonly Value[]): string {
  let text = ''
  for (const [index, item] of items.entries()) {
    text += index === 0 ? repr(item) : `, ${repr(item)}`
    checkLength(text.length)
    spend(1)
  }
  return text
}

function pairs(dict: Dict): string {
  let text = ''
  for (const [key, value] of dict.entries()) {
    text += `${text === '' ? '' : ', '}${repr(key)}: ${repr(value)}`
    checkLength(text.length)
    spend(1)
  }
  return text
}

function printRange({ start, stop, step }: Range): string {
  return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`
}

/** The shortest digits that read back as the same number, in Python's spelling. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [mantissa, power] = value.toExponential().split('e') as [string, string]
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  const text = String(value)
  return text.includes('.') ? text : `${text}.0`
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }
// Whatever Python does not take for printable, and the characters that ESCAPES names.
const SPECIAL = /[\\\p{C}\p{Z}]/gu

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  const body = text.replace(SPECIAL, (char) => {
    if (char === ' ') return char
    const code = char.codePointAt(0)!
    const digits = code.toString(16)
    const escaped =
      code < 0x100
        ? `\\x${digits.padStart(2, '0')}`
        : code < 0x10000
          ? `\\u${digits.padStart(4, '0')}`
          : `\\U${digits.padStart(8, '0')}`
    return ESCAPES[char] ?? escaped
  })
  return checked(mark + (mark === "'" ? body.replaceAll("'", "\\'") : body) + mark)
}
