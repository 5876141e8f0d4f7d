// `'{} {name:>8}'.format(…)`: Python's newer way of formatting, with its little language of format specs.

import { checkLength } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { formatDouble, formatInteger, type Magnitude } from './number-format.ts'
import { type Int, numberOf, significantDigits, toDouble } from './numbers.ts'
import { ascii } from './percent-format.ts'
import { printFloat, repr, str } from './print.ts'
import { Float, type Keywords, textOf, typeName, Undefined, type Value } from './values.ts'

/** How `{0.name}` and `{0[key]}` look things up: as the rest of the template does. */
export interface Lookup {
  readonly attribute: (object: Value, name: string) => Value
  readonly item: (object: Value, key: Value) => Value
}

/** Formats with positional and named values. */
export function braceFormat(format: string, args: readonly Value[], keywords: Keywords, lookup: Lookup): string {
  return new Formatter(args, keywords, lookup).format(format, 2)
}

class Formatter {
  readonly #args: readonly Value[]
  readonly #keywords: Keywords
  readonly #lookup: Lookup
  /** The next automatic number, or 'manual' once fields have been numbered by hand. */
  #next: number | 'manual' | undefined

  constructor(args: readonly Value[], keywords: Keywords, lookup: Lookup) {
    this.#args = args
    this.#keywords = keywords
    this.#lookup = lookup
  }

  /** `levels` is how deep fields may stand inside the specs of fields. */
  format(format: string, levels: number): string {
    if (levels === 0) throw valueError('Max string recursion exceeded')
    let text = ''
    let at = 0
    while (at < format.length) {
      const char = format[at]!
      if (format[at + 1] === char && (char === '{' || char === '}')) {
        text += char
        at += 2
      } else if (char === '}') {
        throw valueError("Single '}' encountered in format string")
      } else if (char === '{') {
        const end = endOfField(format, at + 1)
        text += this.#field(format.slice(at + 1, end), levels)
        at = end + 1
      } else {
        const next = format.slice(at).search(/[{}]/)
        const end = next === -1 ? format.length : at + next
        text += format.slice(at, end)
        at = end
      }
      checkLength(text.length)
    }
    return text
  }

  #field(source: string, levels: number): string {
    const [, name = '', conversion, spec = ''] =
      /^((?:\[[^\]]*\]|[^[!:])*)(?:!([\s\S]*?))?(?::([\s\S]*))?$/.exec(source) ?? []
    const value = this.#value(name)
    const given = spec.includes('{') ? this.format(spec, levels - 1) : spec
    if (conversion === undefined) return formatValue(value, given)
    if (conversion === 's') return formatValue(str(value), given)
    if (conversion === 'r') return formatValue(repr(value), given)
    if (conversion === 'a') return formatValue(ascii(repr(value)), given)
    throw valueError(`Unknown conversion specifier ${conversion}`)
  }

  /** `0.name[key]`, `name`, or '' for the next of the positional values. */
  #value(path: string): Value {
    const [first = '', ...rest] = path.split(/(?=[.[])/)
    let value = this.#first(first)
    for (const step of rest) {
      const name = step.startsWith('.') ? step.slice(1) : step.slice(1, -1)
      if (name === '') throw valueError('Empty attribute in format string')
      if (step.startsWith('.')) value = this.#lookup.attribute(value, name)
      else value = this.#lookup.item(value, /^\d+$/.test(name) ? Number(name) : name)
    }
    return value
  }

  #first(name: string): Value {
    if (name !== '' && !/^\d+$/.test(name)) {
      const value = this.#keywords.get(name)
      if (value === undefined) throw valueError(`no value named '${name}' to format`)
      return value
    }
    if (name === '' && this.#next === 'manual')
      throw valueError('cannot switch from manual to automatic field numbering')
    if (name !== '' && typeof this.#next === 'number') {
      throw valueError('cannot switch from automatic field numbering to manual')
    }
    const index = name === '' ? ((this.#next as number | undefined) ?? 0) : Number(name)
    this.#next = name === '' ? index + 1 : 'manual'
    const value = this.#args[index]
    if (value === undefined) throw valueError(`Replacement index ${index} out of range for positional args tuple`)
    return value
  }
}

function endOfField(format: string, start: number): number {
  let depth = 1
  for (let at = start; at < format.length; at++) {
    if (format[at] === '{') depth++
    else if (format[at] === '}' && --depth === 0) return at
  }
  throw valueError("expected '}' before end of string")
}

// fill and alignment, sign, z, #, 0, width, grouping, precision, type
const SPEC = /^(?:([\s\S])?([<>=^]))?([+\- ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u

/** Python's `format(value, spec)`. */
export function formatValue(value: Value, spec: string): string {
  if (spec === '') return str(value)
  const match = SPEC.exec(spec)
  if (match === null) throw valueError(`Invalid format specifier '${spec}'`)
  const [, fill, align, sign = '-', , alternate, zero, width, grouping, precision, type] = match
  const least = Number(width ?? 0)
  checkLength(least)
  const places = precision === undefined ? undefined : Number(precision)
  const layout = { fill: fill ?? (zero !== undefined ? '0' : ' '), least }
  const text = textOf(value)
  if (text !== undefined) {
    if ((type ?? 's') !== 's') throw valueError(`Unknown format code '${type}' for object of type 'str'`)
    if (align === '=' || sign !== '-' || alternate !== undefined || grouping !== undefined) {
      throw valueError('this format specifier is not allowed for strings')
    }
    const cut = places === undefined ? text : [...text].slice(0, places).join('')
    return pad({ ...layout, align: align ?? '<' }, '', cut)
  }
  const number = numberOf(value)
  if (number === undefined || value instanceof Undefined) {
    throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`)
  }
  const written = writeNumber(number, type, places, alternate !== undefined)
  const mark = written.isNegative ? '-' : sign === '-' ? '' : sign
  const aligned = align ?? (zero !== undefined ? '=' : '>')
  const isFilledInside = aligned === '=' && layout.fill === '0'
  const room = isFilledInside ? least - mark.length - written.prefix.length : 0
  const digits =
    grouping === undefined
      ? written.digits
      : grouped(written.digits, grouping, /^[xXob]$/.test(type ?? '') ? 4 : 3, room)
  return pad({ ...layout, align: aligned }, mark + written.prefix, digits)
}

function writeNumber(
  number: Int | Float,
  type: string | undefined,
  places: number | undefined,
  isAlternate: boolean,
): Magnitude {
  if (!(number instanceof Float) && (type === undefined || /^[dxXobn]$/.test(type))) {
    if (places !== undefined) throw valueError('Precision not allowed in integer format specifier')
    return formatInteger(number, type ?? 'd', isAlternate)
  }
  if (type === 'c' && typeof number === 'number') {
    return { isNegative: false, prefix: '', digits: String.fromCodePoint(number) }
  }
  const value = toDouble(number)
  if (type === '%') {
    const percent = formatDouble(value * 100, 'f', places, isAlternate)
    return { ...percent, digits: `${percent.digits}%` }
  }
  if (type !== undefined && !/^[eEfFgGn]$/.test(type)) {
    throw valueError(`Unknown format code '${type}' for object of type '${typeName(number)}'`)
  }
  if (type !== undefined) return formatDouble(value, type === 'n' ? 'g' : type, places, isAlternate)
  if (places === undefined) {
    const digits = printFloat(value)
    return { isNegative: digits.startsWith('-'), prefix: '', digits: digits.replace(/^-/, '') }
  }
  // No type, but a precision: like g, with at least one digit behind the point.
  const general = formatDouble(value, 'g', places, isAlternate)
  if (/[e.]/.test(general.digits) || !Number.isFinite(value)) return general
  const { exponent } = significantDigits(Math.abs(value), Math.max(1, places))
  if (exponent + 1 >= places) return formatDouble(value, 'e', Math.max(0, places - 1), isAlternate)
  return { ...general, digits: `${general.digits}.0` }
}

/** Digits in groups, filled with zeros to `room` characters. */
function grouped(digits: string, separator: string, size: number, room: number): string {
  const [, whole = '', rest = ''] = /^([0-9a-fA-F]*)([\s\S]*)$/.exec(digits) ?? []
  // As many digits as take up the room with a separator behind every group but the last.
  const places = room - rest.length
  let count = Math.max(whole.length, Math.ceil((places * size) / (size + 1)))
  while (count + Math.floor((count - 1) / size) < places) count++
  const filled = whole.padStart(count, '0')
  const groups: string[] = []
  for (let end = filled.length; end > 0; end -= size) groups.push(filled.slice(Math.max(0, end - size), end))
  return groups.reverse().join(separator) + rest
}

function pad(
  { fill, align, least }: { fill: string; align: string; least: number },
  sign: string,
  body: string,
): string {
  const missing = Math.max(0, least - [...sign, ...body].length)
  if (align === '<') return sign + body + fill.repeat(missing)
  if (align === '^') {
    const left = Math.floor(missing / 2)
    return fill.repeat(left) + sign + body + fill.repeat(missing - left)
  }
  return align === '=' ? sign + fill.repeat(missing) + body : fill.repeat(missing) + sign + body
}
