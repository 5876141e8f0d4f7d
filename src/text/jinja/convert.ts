// What a caller passes in → values of a template: JSON-like data by its own properties, nothing callable, no prototypes, no cycles.

import { jsonSpelling } from '../json-spelling.ts'
import { LIMITS, limitError } from './budget.ts'
import { normalized } from './numbers.ts'
import { Dict, Float, type Value } from './values.ts'

/** A deep copy of JSON-like data as template values. A whole number is an int unless the JSON it was read from said `1.0`. */
export function toValue(data: unknown): Value {
  return convert(data, 0) ?? null
}

function convert(data: unknown, depth: number): Value | undefined {
  if (depth > LIMITS.depth) throw limitError('nesting of messages or tools', LIMITS.depth)
  if (typeof data === 'string' || typeof data === 'boolean' || data === null) return data
  if (typeof data === 'number') return Number.isSafeInteger(data) ? data + 0 : new Float(data)
  if (typeof data === 'bigint') return normalized(data)
  if (typeof data !== 'object') return undefined
  const spelling = jsonSpelling(data)
  if (Array.isArray(data)) {
    return data.map(
      (item, i) => spelledNumber(spelling?.numbers.get(String(i)), item) ?? convert(item, depth + 1) ?? null,
    )
  }
  const dict = new Dict()
  for (const key of new Set([...(spelling?.keys ?? []), ...Object.keys(data)])) {
    if (!Object.hasOwn(data, key)) continue
    const item = (data as Record<string, unknown>)[key]
    const value = spelledNumber(spelling?.numbers.get(key), item)
    const converted = value === undefined ? convert(item, depth + 1) : value
    // A property without a value, or with a function, is none.
    if (converted !== undefined) dict.set(key, converted)
  }
  return dict
}

/** The number that a JSON text spelled, where `JSON.parse` gives another or cannot tell; the data may have changed since. */
function spelledNumber(spelled: string | undefined, item: unknown): Value | undefined {
  if (spelled === undefined || Number(spelled) !== item) return undefined
  return /[.e]/i.test(spelled) ? new Float(Number(spelled)) : normalized(BigInt(spelled))
}
