// `a.b`, `a[b]` and `a[b:c]` as Jinja's sandbox looks things up: attributes before items for a dot, items before attributes for
// brackets. What would change a value, and Python's inner names, are hidden: they read as undefined and fail when used.

import { braceFormat, type Lookup } from './brace-format.ts'
import { checked, checkSize } from './budget.ts'
import { DICT_METHODS, LIST_METHODS } from './container-methods.ts'
import { typeError, unsupported, valueError } from './errors.ts'
import { indexOf } from './numbers.ts'
import { repr, str } from './print.ts'
import { STRING_METHODS, UNSUPPORTED_STRING_METHODS } from './string-methods.ts'
import { codePoints } from './text.ts'
import {
  Dict,
  DictView,
  type Keywords,
  Markup,
  NativeFunction,
  PyObject,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.ts'

/** `object.name` */
export function getAttribute(object: Value, name: string): Value {
  const isInner = INNER_NAME.test(name) && INNER_NAMES.has(name.slice(2, -2))
  if (object instanceof Undefined) {
    if (isInner) return hidden(object, name)
    throw object.fail()
  }
  const found = attribute(object, name)
  return found === undefined ? orUndefined(item(object, name), object, name) : found
}

function orUndefined(value: Value | undefined, object: Value, key: Value): Value {
  return value === undefined ? missing(object, key) : value
}

/** `object[key]` */
export function getItem(object: Value, key: Value): Value {
  if (object instanceof Undefined) throw object.fail()
  const found = item(object, key)
  if (found !== undefined) return found
  const name = textOf(key)
  return orUndefined(name === undefined ? undefined : attribute(object, name), object, key)
}

/** An attribute and nothing else, as the filter `attr` gives it. */
export function getOnlyAttribute(object: Value, name: string): Value {
  if (object instanceof Undefined) throw object.fail()
  return orUndefined(attribute(object, name), object, name)
}

function missing(object: Value, key: Value): Undefined {
  const owner = object === null ? 'None' : `${typeName(object)} object`
  if (typeof key !== 'string') return new Undefined(`${owner} has no element ${repr(key)}`)
  return new Undefined(`'${owner}' has no attribute '${key}'`)
}

const INNER_NAME = /^__\w+__$/
// Python's own names that every value has; a name between underscores that is none of them may be a key of a mapping.
const INNER_NAMES: ReadonlySet<string> = new Set(
  (
    'class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex repr ' +
    'setattr sizeof str subclasshook len iter getitem contains add mul rmul mod rmod getnewargs setitem delitem iadd imul ' +
    'reversed class_getitem or ror ior call globals code dict mro subclasses base bases module name self next'
  ).split(' '),
)
const LIST_CHANGES: ReadonlySet<string> = new Set('append clear pop reverse insert sort extend remove'.split(' '))
const DICT_CHANGES: ReadonlySet<string> = new Set('clear pop popitem setdefault update'.split(' '))
const NUMBER_ATTRIBUTES: ReadonlySet<string> = new Set(
  'real imag numerator denominator conjugate bit_length bit_count to_bytes from_bytes as_integer_ratio is_integer hex fromhex'.split(
    ' ',
  ),
)

function attribute(object: Value, name: string): Value | undefined {
  if (INNER_NAME.test(name) && INNER_NAMES.has(name.slice(2, -2))) return hidden(object, name)
  const text = textOf(object)
  if (text !== undefined) return stringAttribute(object, text, name)
  if (object instanceof Dict) {
    if (DICT_CHANGES.has(name)) return hidden(object, name)
    return bound(DICT_METHODS.get(name), object, name)
  }
  if (Array.isArray(object)) {
    if (LIST_CHANGES.has(name)) return hidden(object, name)
    return bound(LIST_METHODS.get(name), object, name)
  }
  if (object instanceof Tuple) {
    const at = object.names.indexOf(name)
    if (at !== -1) return object.items[at]
    return name === 'copy' ? undefined : bound(LIST_METHODS.get(name), object, name)
  }
  if (object instanceof PyObject) return name.startsWith('_') ? undefined : object.member(name)
  if (object instanceof Range) {
    if (name === 'start' || name === 'stop' || name === 'step') return object[name]
    return name === 'copy' ? undefined : bound(LIST_METHODS.get(name), object, name)
  }
  if (object instanceof DictView && /^(mapping|isdisjoint)$/.test(name)) throw unsupported(`'.${name}' of a view`)
  if (typeof object === 'number' && NUMBER_ATTRIBUTES.has(name)) throw unsupported(`'.${name}' of a number`)
  return undefined
}

/** What the sandbox does not show: nothing to look at, an error to use. */
function hidden(object: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe`, 'security')
}

type Method<T> = (self: T, args: readonly Value[], keywords: Keywords) => Value

function bound<T extends Value>(method: Method<T> | undefined, self: T, name: string): NativeFunction | undefined {
  if (method === undefined) return undefined
  return new NativeFunction(name, (args, keywords) => method(self, args, keywords))
}

function stringAttribute(object: Value, text: string, name: string): Value | undefined {
  if (UNSUPPORTED_STRING_METHODS.has(name)) throw unsupported(`'.${name}' of a text`)
  const method = name === 'format' ? format : name === 'format_map' ? formatMap : STRING_METHODS.get(name)
  if (method === undefined) return undefined
  if (!(object instanceof Markup)) return bound(method, text, name)
  if (/^(join|format|format_map|replace|[lr]just|center|zfill)$/.test(name))
    throw unsupported(`'.${name}' of an escaped text`)
  return new NativeFunction(name, (args, keywords) => escapedAgain(method(text, args, keywords)))
}

const LOOKUP: Lookup = { attribute: getAttribute, item: getItem }

function format(self: string, args: readonly Value[], keywords: Keywords): string {
  return checked(braceFormat(self, args, keywords, LOOKUP))
}

function formatMap(self: string, args: readonly Value[]): string {
  const [mapping] = args
  if (!(mapping instanceof Dict) || args.length !== 1) throw typeError('format_map takes one mapping')
  return format(self, [], new Map(Array.from(mapping.entries(), ([key, value]) => [str(key), value] as const)))
}

/** Parts of an escaped text are escaped texts. */
function escapedAgain(value: Value): Value {
  if (typeof value === 'string') return new Markup(value)
  if (Array.isArray(value)) return value.map(escapedAgain)
  return value instanceof Tuple ? new Tuple(value.items.map(escapedAgain)) : value
}

/** The item of a key or index, or undefined where there is none. */
function item(object: Value, key: Value): Value | undefined {
  if (object instanceof Dict) {
    if (Array.isArray(key) || key instanceof Dict) return undefined
    return object.get(key)
  }
  const index = indexOf(key)
  if (index === undefined) return undefined
  if (Array.isArray(object)) return object.at(index)
  if (object instanceof Tuple) return object.items.at(index)
  const text = textOf(object)
  if (text !== undefined) return codePoints(text).at(index)
  if (object instanceof Range) {
    const at = index < 0 ? index + object.length : index
    return at >= 0 && at < object.length ? object.at(at) : undefined
  }
  return undefined
}

/** `object[start:stop:step]`; None stands for a bound that is left out. */
export function getSlice(object: Value, start: Value, stop: Value, step: Value): Value {
  if (object instanceof Undefined) throw object.fail()
  const text = textOf(object)
  const items =
    text !== undefined
      ? codePoints(text)
      : Array.isArray(object)
        ? object
        : object instanceof Tuple
          ? object.items
          : undefined
  if (items === undefined && !(object instanceof Range))
    throw typeError(`'${typeName(object)}' object cannot be sliced`)
  const length = items === undefined ? (object as Range).length : items.length
  const stride = step === null ? 1 : sliceBound(step)
  if (stride === 0) throw valueError('slice step cannot be zero')
  const clamp = (bound: Value, fallback: number): number => {
    if (bound === null) return fallback
    const at = sliceBound(bound)
    const absolute = at < 0 ? at + length : at
    return stride > 0 ? Math.min(Math.max(absolute, 0), length) : Math.min(Math.max(absolute, -1), length - 1)
  }
  const from = clamp(start, stride > 0 ? 0 : length - 1)
  const to = clamp(stop, stride > 0 ? length : -1)
  if (object instanceof Range) {
    return new Range(object.start + from * object.step, object.start + to * object.step, object.step * stride)
  }
  let picked: Value[] | string
  if (stride === 1) picked = (items as Value[]).slice(from, Math.max(from, to))
  else {
    picked = []
    for (let i = from; stride > 0 ? i < to : i > to; i += stride) picked.push(items![i]!)
  }
  if (text !== undefined) {
    const part = typeof picked === 'string' ? picked : picked.join('')
    return object instanceof Markup ? new Markup(part) : part
  }
  checkSize(picked.length)
  return object instanceof Tuple ? new Tuple(picked as Value[]) : picked
}

function sliceBound(value: Value): number {
  const index = indexOf(value)
  if (index === undefined) throw typeError('slice indices must be integers or None')
  return index
}
