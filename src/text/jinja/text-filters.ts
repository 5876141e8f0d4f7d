// Filters that give texts and numbers.

import { pythonSub } from '../python-regex.ts'
import type { Given } from './arguments.ts'
import { checkLength } from './budget.ts'
import { typeError, unsupported, valueError } from './errors.ts'
import { htmlSafe, jsonOptions, toJson } from './json.ts'
import { arithmetic, type Int, normalized, numberOf, parseDouble, parseInteger, round, toDouble } from './numbers.ts'
import { escapeHtml, lengthOf } from './operators.ts'
import { percentFormat } from './percent-format.ts'
import { repr, str } from './print.ts'
import { isStrict } from './strictness.ts'
import { fillUp, replaceText } from './string-methods.ts'
import { capitalize, lower, slicePoints, splitAt, splitLines, splitWords, strip } from './text.ts'
import { Dict, Float, iterate, Markup, Tuple, textOf, typeName, Undefined, type Value } from './values.ts'

/** A filter: its parameters, the value first, and what it does. */
export type Filter = readonly [parameters: string, body: (given: Given) => Value]

/** Markup stays Markup through a filter that only changes the text. */
function onText(change: (text: string, given: Given) => string): (given: Given) => Value {
  return (given) => {
    const value = given.value('value')
    const changed = change(str(value), given)
    return value instanceof Markup ? new Markup(changed) : changed
  }
}

const ESCAPED = (given: Given): Value => {
  const value = given.value('value')
  return value instanceof Markup ? value : new Markup(escapeHtml(str(value)))
}

export const TEXT_FILTERS: Readonly<Record<string, Filter>> = {
  string: [
    'value',
    (given) => (given.value('value') instanceof Markup ? given.value('value') : str(given.value('value'))),
  ],
  upper: ['value', onText((text) => text.toUpperCase())],
  lower: ['value', onText(lower)],
  capitalize: ['value', onText(capitalize)],
  title: [
    'value',
    (given) =>
      str(given.value('value'))
        .split(/([-\s({[<]+)/)
        .map((word) => capitalizeWord(word))
        .join(''),
  ],
  trim: ['value, chars=', onText((text, given) => strip(text, given.text('chars', undefined), 'both'))],
  center: ['value, width=', onText((text, given) => fillUp(text, given.width('width', 80), ' ', 'both'))],
  replace: [
    'value, old, new, count=',
    (given) =>
      replaceText(
        str(given.value('value')),
        str(given.value('old')),
        str(given.value('new')),
        given.integer('count', -1),
      ),
  ],
  // Not Jinja's own: templates of evaluation tasks have it (Python's re.sub).
  regex_replace: [
    'value, pattern, repl, count=',
    (given) =>
      pythonSub(
        str(given.value('pattern')),
        str(given.value('repl')),
        str(given.value('value')),
        given.integer('count', 0),
      ),
  ],
  indent: ['value, width=, first=, blank=', indent],
  truncate: ['value, length=, killwords=, end=, leeway=', truncate],
  wordcount: ['value', (given) => str(given.value('value')).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
  escape: ['value', ESCAPED],
  e: ['value', ESCAPED],
  forceescape: ['value', (given) => new Markup(escapeHtml(str(given.value('value'))))],
  safe: ['value', (given) => new Markup(str(given.value('value')))],
  striptags: ['value', stripTags],
  urlencode: ['value', urlEncode],
  pprint: ['value', prettyPrint],
  tojson: [
    'value, ensure_ascii=, indent=, separators=, sort_keys=',
    // Chat templates have Transformers' own; the strict ones of evaluation have Jinja's, which is safe within HTML.
    (given) =>
      isStrict()
        ? new Markup(htmlSafe(toJson(given.value('value'), jsonOptions(true, given.value('indent'), null, true))))
        : toJson(
            given.value('value'),
            jsonOptions(
              given.flag('ensure_ascii'),
              given.value('indent'),
              given.value('separators'),
              given.flag('sort_keys'),
            ),
          ),
  ],
  int: ['value, default=, base=', toInteger],
  float: [
    'value, default=',
    (given) => {
      const value = given.value('value')
      const number = numberOf(value)
      const text = textOf(value)
      const double = number !== undefined ? toDouble(number) : text === undefined ? undefined : parseDouble(text)
      if (value instanceof Undefined) throw value.fail()
      return double === undefined ? given.value('default', new Float(0)) : new Float(double)
    },
  ],
  abs: [
    'value',
    (given) => {
      const value = given.value('value')
      const number = numberOf(value)
      if (value instanceof Undefined) throw value.fail()
      if (number === undefined) throw typeError(`bad operand type for abs(): '${typeName(value)}'`)
      if (number instanceof Float) return new Float(Math.abs(number.value))
      return number < 0 ? arithmetic('-', 0, number) : number
    },
  ],
  round: ['value, precision=, method=', roundFilter],
}

/** `format` takes any arguments, so it is not called through a list of parameters. */
export function formatFilter(args: readonly Value[], keywords: ReadonlyMap<string, Value>): Value {
  const [value, ...rest] = args
  if (rest.length > 0 && keywords.size > 0)
    throw typeError("can't handle positional and keyword arguments at the same time")
  const text = percentFormat(str(value!), keywords.size > 0 ? Dict.of(keywords) : new Tuple(rest))
  return value instanceof Markup ? new Markup(text) : text
}

function capitalizeWord(word: string): string {
  const [first = ''] = word
  return first.toUpperCase() + lower(word.slice(first.length))
}

function indent(given: Given): string {
  const width = given.value('width', 4)
  const step = textOf(width) ?? ' '.repeat(Math.max(0, given.width('width', 4)))
  const value = textOf(given.value('value'))
  if (value === undefined) throw typeError(`indent expects a text, got ${typeName(given.value('value'))}`)
  const lines = splitLines(`${value}\n`, false)
  checkLength(value.length + lines.length * step.length)
  const isBlankIndented = given.flag('blank')
  const [first = '', ...others] = lines
  const rest = others.map((line) => `\n${line !== '' || isBlankIndented ? step : ''}${line}`)
  return (given.flag('first') ? step : '') + first + rest.join('')
}

function truncate(given: Given): Value {
  const value = given.value('value')
  const length = given.integer('length', 255)
  const end = given.text('end', '...')!
  const leeway = given.integer('leeway', 5)
  const kept = length - lengthOf(end)
  if (kept < 0 || leeway < 0) {
    throw valueError(`truncate expects a length of at least ${lengthOf(end)} and a leeway that is not negative`)
  }
  // Whatever has a length and is short enough stays.
  if (lengthOf(value) <= length + leeway) return value
  const text = textOf(value)
  if (text === undefined) throw typeError(`truncate expects a text, got ${typeName(value)}`)
  const start = slicePoints(text, 0, kept)
  return (given.flag('killwords') ? start : splitAt(start, ' ', 1, true)[0]!) + end
}

function stripTags(given: Given): string {
  const text = withoutSpans(withoutSpans(str(given.value('value')), '<!--', '-->'), '<', '>')
  if (/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)[a-z]/i.test(text)) throw unsupported('an HTML entity in striptags')
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return splitWords(text, -1, false)
    .join(' ')
    .replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (_all, decimal, hex, name) => {
      if (name !== undefined) return named[name as string]!
      return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal))
    })
}

function withoutSpans(text: string, open: string, close: string): string {
  let kept = ''
  let at = 0
  for (;;) {
    const start = text.indexOf(open, at)
    const end = start === -1 ? -1 : text.indexOf(close, start)
    if (end === -1) return kept + text.slice(at)
    kept += text.slice(at, start)
    at = end + close.length
  }
}

function urlEncode(given: Given): string {
  const quote = (value: Value, isQuery: boolean): string => {
    const text = encodeURIComponent(str(value).toWellFormed()).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    )
    return isQuery ? text.replaceAll('%20', '+') : text.replaceAll('%2F', '/')
  }
  const value = given.value('value')
  if (textOf(value) !== undefined || value === null || typeof value !== 'object' || value instanceof Float)
    return quote(value, false)
  const pairs =
    value instanceof Dict ? Array.from(value.entries()) : Array.from(iterate(value), (pair) => [...iterate(pair)])
  if (pairs.some((pair) => pair.length !== 2)) throw valueError('urlencode expects pairs')
  return pairs.map(([key, item]) => `${quote(key!, true)}=${quote(item!, true)}`).join('&')
}

/** What fits on one line; Python breaks longer ones. */
function prettyPrint(given: Given): string {
  const sorted = (value: Value): Value => {
    if (Array.isArray(value)) return value.map(sorted)
    if (!(value instanceof Dict)) return value
    const entries = [...value.entries()].map(([key, item]) => [key, sorted(item)] as const)
    return Dict.of(entries.sort(([a], [b]) => (str(a) < str(b) ? -1 : 1)))
  }
  const text = repr(sorted(given.value('value')))
  if (text.length > 78) throw unsupported('pprint of more than one line')
  return text
}

function toInteger(given: Given): Value {
  const value = given.value('value')
  if (value instanceof Undefined) throw value.fail()
  const text = textOf(value)
  const number = text === undefined ? numberOf(value) : (parseInteger(text, given.integer('base', 10)) ?? asFloat(text))
  const fallback = given.value('default', 0)
  if (number === undefined) return fallback
  if (!(number instanceof Float)) return number
  return Number.isFinite(number.value) ? normalized(BigInt(Math.trunc(number.value))) : fallback
}

function asFloat(text: string): Float | undefined {
  const double = parseDouble(text)
  return double === undefined ? undefined : new Float(double)
}

function roundFilter(given: Given): Value {
  const value = given.value('value')
  const number: Int | Float | undefined = numberOf(value)
  if (value instanceof Undefined) throw value.fail()
  if (number === undefined) throw typeError(`type ${typeName(value)} doesn't define __round__ method`)
  const precision = given.integer('precision', 0)
  const method = given.text('method', 'common')
  if (method === 'common') return round(number, precision)
  if (method !== 'ceil' && method !== 'floor') throw valueError('method must be common, ceil or floor')
  const scale = arithmetic('**', 10, precision) as Int | Float
  const scaled = toDouble(arithmetic('*', number, scale) as Int | Float)
  if (!Number.isFinite(scaled)) throw valueError('cannot convert float infinity or NaN to integer')
  const whole = normalized(BigInt(method === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled)))
  return arithmetic('/', whole, scale)
}
