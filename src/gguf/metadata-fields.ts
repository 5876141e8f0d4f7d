// Typed access to the metadata of a GGUF file. A missing key is undefined; one of another kind is an InputError that names it.

import { InputError } from '../errors.ts'
import type { GgufHeader } from './read.ts'
import type { GgufValue } from './values.ts'

/** A text. */
export function stringAt(header: GgufHeader, key: string): string | undefined {
  const entry = header.metadata.get(key)
  if (entry === undefined || entry.type === 'string') return entry?.value
  return wrong(header, key, 'a string', entry)
}

/** True or false. */
export function booleanAt(header: GgufHeader, key: string): boolean | undefined {
  const entry = header.metadata.get(key)
  if (entry === undefined || entry.type === 'bool') return entry?.value
  return wrong(header, key, 'a boolean', entry)
}

/** Any number. */
export function numberAt(header: GgufHeader, key: string): number | undefined {
  const entry = header.metadata.get(key)
  if (entry === undefined) return undefined
  return typeof entry.value === 'number' ? entry.value : wrong(header, key, 'a number', entry)
}

/** A whole number of at least 0. */
export function integerAt(header: GgufHeader, key: string): number | undefined {
  const value = numberAt(header, key)
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value
  return wrong(header, key, 'a whole number of at least 0', header.metadata.get(key)!)
}

/** A list of texts. */
export function stringsAt(header: GgufHeader, key: string): readonly string[] | undefined {
  const entry = header.metadata.get(key)
  if (entry === undefined) return undefined
  return entry.type === 'array' && entry.of === 'string' ? entry.value : wrong(header, key, 'a list of strings', entry)
}

/** A list of `length` numbers. */
export function numbersAt(header: GgufHeader, key: string, length: number): ArrayLike<number> | undefined {
  const entry = header.metadata.get(key)
  if (entry === undefined) return undefined
  const isList = entry.type === 'array' && entry.of !== 'string' && entry.value.length === length
  if (isList && (entry.value.length === 0 || typeof entry.value[0] === 'number'))
    return entry.value as ArrayLike<number>
  return wrong(header, key, `a list of ${length} numbers`, entry)
}

/** A whole number for each of `count` layers: one for all, or a list. */
export function perLayerAt(header: GgufHeader, key: string, count: number): number[] | undefined {
  const entry = header.metadata.get(key)
  if (entry?.type !== 'array') {
    const value = integerAt(header, key)
    return value === undefined ? undefined : Array(count).fill(value)
  }
  const list = Array.from(numbersAt(header, key, count)!)
  return list.every((value) => Number.isSafeInteger(value) && value >= 0)
    ? list
    : wrong(header, key, 'whole numbers of at least 0', entry)
}

function wrong(header: GgufHeader, key: string, expected: string, entry: GgufValue): never {
  const got =
    entry.type === 'array' ? `a list of ${entry.value.length} ${entry.of}` : `${entry.type} ${String(entry.value)}`
  throw new InputError(`${header.file}:${key}: expected ${expected}, got ${got.slice(0, 60)}. Get the file again`)
}
