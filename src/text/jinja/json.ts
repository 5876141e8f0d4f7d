// `tojson`: Python's `json.dumps`, as Transformers has it, and what makes it safe within HTML, as Jinja has it by itself.

import { checkLength, spend } from './budget.ts'
import { typeError, valueError } from './errors.ts'
import { compare } from './operators.ts'
import { printFloat, str } from './print.ts'
import { Dict, Float, Markup, Tuple, typeName, Undefined, type Value } from './values.ts'

/** The options of `json.dumps` that the filter takes. */
export interface JsonOptions {
  readonly isAscii: boolean
  /** What one level is indented by; undefined writes everything on one line. */
  readonly indent: string | undefined
  readonly itemSeparator: string
  readonly keySeparator: string
  readonly isSorted: boolean
}

/** A value as JSON; throws for what JSON has no form for. */
export function toJson(value: Value, options: JsonOptions): string {
  const writer = new JsonWriter(options)
  writer.write(value, '\n')
  return writer.text
}

class JsonWriter {
  text = ''
  readonly #options: JsonOptions

  constructor(options: JsonOptions) {
    this.#options = options
  }

  /** `newline` starts a line at the level of the value. */
  write(value: Value, newline: string): void {
    spend(1)
    checkLength(this.text.length)
    if (Array.isArray(value)) this.#list(value, newline)
    else if (value instanceof Tuple) this.#list(value.items, newline)
    else if (value instanceof Dict) this.#dict(value, newline)
    else this.text += this.#scalar(value)
  }

  #scalar(value: Value): string {
    if (typeof value === 'string') return this.#quote(value)
    if (value === null) return 'null'
    if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') return String(value)
    if (value instanceof Float) return jsonFloat(value.value)
    if (value instanceof Markup) return this.#quote(value.text)
    throw typeError(
      `Object of type ${typeName(value)} is not JSON serializable${value instanceof Undefined ? `: ${value.message}` : ''}`,
    )
  }

  #list(items: readonly Value[], newline: string): void {
    if (items.length === 0) {
      this.text += '[]'
      return
    }
    const { indent, itemSeparator } = this.#options
    const inner = indent === undefined ? '' : newline + indent
    this.text += `[${inner}`
    for (const [index, item] of items.entries()) {
      if (index > 0) this.text += itemSeparator + inner
      this.write(item, inner)
    }
    this.text += `${indent === undefined ? '' : newline}]`
  }

  #dict(dict: Dict, newline: string): void {
    if (dict.size === 0) {
      this.text += '{}'
      return
    }
    const { indent, itemSeparator, keySeparator, isSorted } = this.#options
    const inner = indent === undefined ? '' : newline + indent
    const entries = [...dict.entries()]
    if (isSorted) entries.sort(([a], [b]) => compare(a, b, '<'))
    this.text += `{${inner}`
    for (const [index, [key, value]] of entries.entries()) {
      if (index > 0) this.text += itemSeparator + inner
      this.text += this.#quote(keyText(key)) + keySeparator
      this.write(value, inner)
    }
    this.text += `${indent === undefined ? '' : newline}}`
  }

  #quote(text: string): string {
    checkLength(this.text.length + text.length)
    spend(text.length / 256)
    // JSON.stringify writes a lone surrogate as an escape, which Python does only where everything is ASCII.
    const body = text.replace(/["\\\0-\x1f]/g, (char) => ESCAPES[char] ?? escapeUnit(char))
    return `"${this.#options.isAscii ? body.replace(/[^\0-\x7e]/g, escapeUnit) : body}"`
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  return printFloat(value)
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key
  if (key === null) return 'null'
  if (typeof key === 'boolean' || typeof key === 'number' || typeof key === 'bigint') return String(key)
  if (key instanceof Float) return jsonFloat(key.value)
  if (key instanceof Markup) return str(key)
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`)
}

/** JSON that closes no element or attribute of HTML. */
export function htmlSafe(json: string): string {
  return json.replaceAll(/[<>&']/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`)
}

/** The options as a template gives them. */
export function jsonOptions(isAscii: boolean, indent: Value, separators: Value, isSorted: boolean): JsonOptions {
  let step: string | undefined
  if (typeof indent === 'string') step = indent
  else if (typeof indent === 'number' || typeof indent === 'boolean') {
    checkLength(Number(indent))
    step = ' '.repeat(Math.max(0, Number(indent)))
  } else if (indent !== null) throw typeError(`indent of tojson: expected a number or a text, not ${typeName(indent)}`)
  let [itemSeparator, keySeparator] = [step === undefined ? ', ' : ',', ': ']
  if (separators !== null) {
    const pair = separators instanceof Tuple ? separators.items : separators
    if (!Array.isArray(pair) || pair.length !== 2) throw valueError('separators of tojson: expected two texts')
    ;[itemSeparator, keySeparator] = pair.map(str) as [string, string]
  }
  return { isAscii, indent: step, itemSeparator, keySeparator, isSorted }
}
