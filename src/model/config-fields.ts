// Typed reading of a JSON object from outside: every access checks the type, and what was never read can be listed.
// It knows nothing of models; `config-read.ts` asks it for fields and refuses the ones nobody asked for.

import { InputError, UnsupportedError } from '../errors.ts'

/** Any value that JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue
}

/** Bounds of a number, inclusive unless `above` is used. */
export interface Bounds {
  readonly min?: number
  readonly max?: number
  /** Exclusive lower bound. */
  readonly above?: number
}

/**
 * One JSON object being read. A missing key and `null` both give the fallback; without one they are an error.
 * `path` prefixes the key in messages (`rope_scaling.factor`).
 */
export class ConfigFields {
  readonly file: string
  readonly path: string
  private readonly values: Map<string, JsonValue>
  private readonly wasRead = new Set<string>()

  /** Throws {@link InputError} unless `json` is a plain object. */
  constructor(json: unknown, file: string, path = '') {
    this.file = file
    this.path = path
    if (!isObject(json)) {
      throw new InputError(`model config in ${file}: ${path || 'top level'}: expected an object, got ${show(json)}`)
    }
    this.values = new Map(Object.entries(json))
  }

  /** True when the key is there with a value other than null. Does not count as reading it. */
  has(key: string): boolean {
    return (this.values.get(key) ?? null) !== null
  }

  /** True when the key is absent; a key that is there with null is not. */
  isMissing(key: string): boolean {
    return !this.values.has(key)
  }

  /** The raw value, null when missing. */
  raw(key: string): JsonValue {
    this.wasRead.add(key)
    return this.values.get(key) ?? null
  }

  /** A whole number within bounds. */
  integer(key: string, bounds: Bounds, fallback?: number): number {
    const value = this.number(key, bounds, fallback)
    if (!Number.isSafeInteger(value)) this.fail(key, describe('a whole number', bounds), value)
    return value
  }

  /** A finite number within bounds. */
  number(key: string, bounds: Bounds, fallback?: number): number {
    const value = this.raw(key) ?? fallback
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = bounds
    if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max && value > above)
      return value
    return this.fail(key, describe('a number', bounds), value)
  }

  /** A number within bounds, or null when the key is missing or null. */
  optionalNumber(key: string, bounds: Bounds): number | null {
    return this.raw(key) === null ? null : this.number(key, bounds)
  }

  /** A whole number within bounds, or null when the key is missing or null. */
  optionalInteger(key: string, bounds: Bounds): number | null {
    return this.raw(key) === null ? null : this.integer(key, bounds)
  }

  /** True or false. */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.raw(key) ?? fallback
    return typeof value === 'boolean' ? value : this.fail(key, 'true or false', value)
  }

  /** A string. */
  string(key: string, fallback?: string): string {
    const value = this.raw(key) ?? fallback
    return typeof value === 'string' ? value : this.fail(key, 'a string', value)
  }

  /** A list whose entries all satisfy `accepts`; `expected` names them in the error. Null when missing. */
  list<T extends JsonValue>(key: string, expected: string, accepts: (entry: JsonValue) => entry is T): T[] | null {
    const value = this.raw(key)
    if (value === null) return null
    if (Array.isArray(value) && value.every(accepts)) return value
    return this.fail(key, `a list of ${expected}`, value)
  }

  /** A list of numbers within bounds, of exactly `length` entries. */
  numbers(key: string, length: number, bounds: Bounds): number[] {
    const value = this.list(key, 'numbers', isNumber) ?? this.fail(key, `a list of ${length} numbers`, null)
    if (value.length !== length) this.fail(key, `${length} entries`, value.length)
    const outside = value.find((entry) => entry < (bounds.min ?? entry) || entry <= (bounds.above ?? entry - 1))
    if (outside !== undefined) this.fail(key, describe('numbers', bounds), outside)
    return value
  }

  /** A nested object, null when missing. */
  child(key: string): ConfigFields | null {
    const value = this.raw(key)
    return value === null ? null : new ConfigFields(value, this.file, this.name(key))
  }

  /** Keys present that nothing has read; null says nothing. */
  unread(): string[] {
    return [...this.values].filter(([key, value]) => value !== null && !this.wasRead.has(key)).map(([key]) => key)
  }

  /** The key as it appears in messages. */
  name(key: string): string {
    const short = key.length > 80 ? `${key.slice(0, 77)}...` : key
    return this.path === '' ? short : `${this.path}.${short}`
  }

  /** Throws the one-line error for a wrong value. */
  fail(key: string, expected: string, got: unknown): never {
    throw new InputError(`model config in ${this.file}: ${this.name(key)}: expected ${expected}, got ${show(got)}`)
  }

  /** Throws the one-line error for a value that is well formed and not implemented. */
  refuse(key: string, expected: string, got: unknown, advice = ''): never {
    throw new UnsupportedError(
      `model config in ${this.file}: ${this.name(key)}: expected ${expected}, got ${show(got)}${advice && `. ${advice}`}`,
    )
  }
}

/** True for a JSON object, not an array or null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** True for a finite JSON number. */
export function isNumber(value: JsonValue): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function describe(kind: string, { min, max, above }: Bounds): string {
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`
  if (min !== undefined) return `${kind} of at least ${min}`
  if (above !== undefined) return `${kind} above ${above}`
  return max === undefined ? kind : `${kind} of at most ${max}`
}

/** A value as messages show it: short, on one line. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'number') return String(value)
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
