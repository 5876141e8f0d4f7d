// Python's values as a template sees them. None, bool, str, list and small integers are JavaScript's null, boolean, string, array
// and number; what JavaScript has no twin of (a float that is whole, a tuple, a dict with any keys) is a class here.

import { checkSize, LIMITS, limitError } from './budget.ts'
import { TemplateError, typeError } from './errors.ts'
import { isStrict } from './strictness.ts'

/** Any value. A `number` is always a whole number within ±2^53, larger ones are `bigint`. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Value[]
  | Float
  | Tuple
  | Dict
  | DictView
  | Range
  | Stream
  | Markup
  | Undefined
  | PyObject

/** Arguments by name. */
export type Keywords = ReadonlyMap<string, Value>

/** A floating-point number, also when it is whole: 1.0 is not 1. */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** An immutable list. `names` are those of a named tuple, such as groupby's. */
export class Tuple {
  readonly items: readonly Value[]
  readonly names: readonly string[]
  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items
    this.names = names
  }
}

/** A text that counts as escaped already: what `safe` and `escape` give. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What a missing variable, attribute or item evaluates to: prints as nothing, iterates as nothing, and fails at anything else. */
export class Undefined {
  readonly message: string
  readonly kind: 'undefined' | 'security'
  constructor(message: string, kind: 'undefined' | 'security' = 'undefined') {
    this.message = message
    this.kind = kind
  }

  fail(): TemplateError {
    return new TemplateError(this.kind, this.message)
  }

  /** What it counts as where it is printed, gone through or compared; where undefined values are errors, one. */
  as<T>(nothing: T): T {
    if (isStrict()) throw this.fail()
    return nothing
  }
}

/** A mapping in order of insertion with any hashable keys; 1, 1.0 and true are one key, as in Python. */
export class Dict {
  readonly #entries = new Map<string | number, readonly [Value, Value]>()

  static of(entries: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict()
    for (const [key, value] of entries) dict.set(key, value)
    return dict
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value of a key, or undefined; throws where the key is of a kind that cannot be one. */
  get(key: Value): Value | undefined {
    return this.#entries.get(typeof key === 'string' ? key : hashOf(key))?.[1]
  }

  set(key: Value, value: Value): void {
    const hash = typeof key === 'string' ? key : hashOf(key)
    const known = this.#entries.get(hash)
    this.#entries.set(hash, [known === undefined ? key : known[0], value])
  }

  keys(): Value[] {
    return Array.from(this.#entries.values(), ([key]) => key)
  }

  values(): Value[] {
    return Array.from(this.#entries.values(), ([, value]) => value)
  }

  entries(): IterableIterator<readonly [Value, Value]> {
    return this.#entries.values()
  }
}

/** What `keys()`, `values()` and `items()` of a mapping give: sized, iterable, not indexable. */
export class DictView {
  readonly kind: 'keys' | 'values' | 'items'
  readonly dict: Dict
  constructor(kind: 'keys' | 'values' | 'items', dict: Dict) {
    this.kind = kind
    this.dict = dict
  }

  items(): Value[] {
    if (this.kind === 'keys') return this.dict.keys()
    if (this.kind === 'values') return this.dict.values()
    return Array.from(this.dict.entries(), (pair) => new Tuple(pair))
  }
}

/** Python's range object. */
export class Range {
  readonly start: number
  readonly stop: number
  readonly step: number
  readonly length: number
  constructor(start: number, stop: number, step: number) {
    this.start = start
    this.stop = stop
    this.step = step
    this.length = Math.max(0, Math.ceil((stop - start) / step))
    if (!(this.length <= LIMITS.range)) throw limitError('range', LIMITS.range)
  }

  at(index: number): number {
    return this.start + index * this.step
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let i = 0; i < this.length; i++) yield this.at(i)
  }
}

/** A generator: what `map`, `select` and their kin give. It can be gone through once. */
export class Stream {
  readonly typeName: string
  readonly iterator: Iterator<Value>
  constructor(items: Iterable<Value>, typeName = 'generator') {
    this.iterator = items[Symbol.iterator]()
    this.typeName = typeName
  }

  /** Does not close the generator when a loop over it ends early: Python goes on where it stopped. */
  [Symbol.iterator](): IterableIterator<Value> {
    const { iterator } = this
    return {
      next: () => iterator.next(),
      [Symbol.iterator]() {
        return this
      },
    }
  }
}

/** Everything else: functions, macros, namespaces, `loop`. */
export abstract class PyObject {
  abstract readonly typeName: string

  /** An attribute, or undefined. */
  member(_name: string): Value | undefined {
    return undefined
  }

  /** What calling it gives. */
  call(_args: readonly Value[], _keywords: Keywords): Value {
    throw typeError(`'${this.typeName}' object is not callable`)
  }

  get isCallable(): boolean {
    return this.call !== PyObject.prototype.call
  }

  /** How it prints. */
  print(): string {
    return `<${this.typeName}>`
  }
}

/** A function of ours: a filter's, a global's or a bound method. */
export class NativeFunction extends PyObject {
  readonly typeName = 'function'
  readonly name: string
  readonly #body: (args: readonly Value[], keywords: Keywords) => Value

  constructor(name: string, body: (args: readonly Value[], keywords: Keywords) => Value) {
    super()
    this.name = name
    this.#body = body
  }

  override call(args: readonly Value[], keywords: Keywords): Value {
    return this.#body(args, keywords)
  }

  override print(): string {
    return `<function ${this.name}>`
  }
}

/** Attributes that a template may set: `namespace(found=false)`. */
export class Namespace extends PyObject {
  readonly typeName = 'Namespace'
  readonly attributes: Dict
  constructor(attributes: Dict) {
    super()
    this.attributes = attributes
  }

  override member(name: string): Value | undefined {
    return this.attributes.get(name)
  }
}

/** Python's name for a value's type, for messages. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number' || typeof value === 'bigint') return 'int'
  if (typeof value === 'string') return 'str'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Float) return 'float'
  if (value instanceof Tuple) return 'tuple'
  if (value instanceof Dict) return 'dict'
  if (value instanceof DictView) return `dict_${value.kind}`
  if (value instanceof Range) return 'range'
  if (value instanceof Markup) return 'Markup'
  if (value instanceof Undefined) return 'Undefined'
  return value.typeName
}

/** The text of a string, escaped or not; undefined for anything else. */
export function textOf(value: Value): string | undefined {
  if (typeof value === 'string') return value
  return value instanceof Markup ? value.text : undefined
}

/** Goes through a value's items; throws where it has none. Strings give code points, mappings their keys. */
export function iterate(value: Value): Iterable<Value> {
  if (typeof value === 'string' || Array.isArray(value)) return value
  if (value instanceof Tuple) return value.items
  if (value instanceof Dict) return value.keys()
  if (value instanceof DictView) return value.items()
  if (value instanceof Range || value instanceof Stream) return value
  if (value instanceof Undefined) return value.as([])
  if (value instanceof Markup) return value.text
  throw typeError(`'${typeName(value)}' object is not iterable`)
}

/** A value's items as a list of their own. */
export function listOf(value: Value): Value[] {
  const items: Value[] = []
  for (const item of iterate(value)) {
    items.push(item)
    if (items.length > LIMITS.items) throw limitError('items', LIMITS.items)
  }
  checkSize(items.length)
  return items
}

/** A key under which equal values, and only they, are found. */
export function hashOf(value: Value): string | number {
  // Strings are their own keys; whatever else is written as a string starts with a character that ends no template.
  if (typeof value === 'string') return value
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'bigint') return `\0i${value}`
  if (value === null) return '\0n'
  if (value instanceof Float) return Number.isSafeInteger(value.value) ? value.value + 0 : `\0f${value.value}`
  if (value instanceof Markup) return value.text
  if (value instanceof Undefined) return '\0u'
  if (value instanceof Tuple) {
    const parts = value.items.map((item) => {
      const hash = hashOf(item)
      return `${typeof hash === 'string' ? 's' : 'd'}${String(hash).length}:${hash}`
    })
    const hash = `\0(${parts.join('')}`
    checkSize(hash.length)
    return hash
  }
  if (value instanceof PyObject || value instanceof Range || value instanceof Stream) return `\0o${identityOf(value)}`
  throw typeError(`unhashable type: '${typeName(value)}'`)
}

const identities = new WeakMap<object, number>()
let lastIdentity = 0

function identityOf(value: object): number {
  const known = identities.get(value)
  if (known !== undefined) return known
  identities.set(value, ++lastIdentity)
  return lastIdentity
}
