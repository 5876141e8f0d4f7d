// Whether a value satisfies a schema, for the keywords that masks keep: what the tests of masks and the constants of a schema are checked by.

import { isDeepStrictEqual } from 'node:util'
import { utf8 } from '../code-points.ts'
import { Expressions } from '../expressions.ts'
import { regularExpression } from '../regular-expression.ts'
import type { JsonType, Schema } from './schema-keywords.ts'

/** Keywords of a schema, whose values have been looked at. */
interface Constraints extends Schema {
  minLength?: number
  maxLength?: number
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  multipleOf?: number
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  required?: readonly string[]
  minProperties?: number
  maxProperties?: number
  propertyNames?: unknown
}

/** References are looked up in `root`. Formats are not looked at. */
export function isValid(schema: unknown, value: unknown, root: unknown = schema): boolean {
  if (typeof schema === 'boolean') return schema
  const {
    $ref,
    allOf,
    anyOf,
    oneOf,
    type,
    enum: values,
    ...rest
  } = schema as Constraints & {
    $ref?: string
    allOf?: readonly unknown[]
    anyOf?: readonly unknown[]
    oneOf?: readonly unknown[]
    type?: JsonType | readonly JsonType[]
    enum?: readonly unknown[]
  }
  const holds = (one: unknown): boolean => isValid(one, value, root)
  if ($ref !== undefined && !holds(pointed(root, $ref))) return false
  if (allOf !== undefined && !allOf.every(holds)) return false
  if (anyOf !== undefined && !anyOf.some(holds)) return false
  if (oneOf !== undefined && oneOf.filter(holds).length !== 1) return false
  if (type !== undefined && ![type].flat().some((one) => isOf(one, value))) return false
  if (values !== undefined && !values.some((one) => isDeepStrictEqual(one, value))) return false
  if ('const' in (schema as Schema) && !isDeepStrictEqual((schema as Schema).const, value)) return false
  if (typeof value === 'string') return isString(rest, value)
  if (typeof value === 'number') return isNumber(rest, value)
  if (Array.isArray(value)) return isArray(rest, value, root)
  return typeof value !== 'object' || value === null || isObject(rest, value as Schema, root)
}

function isOf(type: JsonType, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function isString(
  { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern }: Constraints,
  value: string,
): boolean {
  const length = [...value].length
  return length >= minLength && length <= maxLength && (pattern === undefined || hasMatch(pattern, value))
}

/** Read as masks read it: what they take is not refused here, and no pattern makes it try without end. */
function hasMatch(pattern: string, text: string): boolean {
  const expressions = new Expressions()
  const whole = regularExpression(expressions, pattern, (set) => utf8(expressions, set), true)
  return expressions.matches(whole, new TextEncoder().encode(text))
}

function isNumber(schema: Constraints, value: number): boolean {
  const {
    minimum = -Infinity,
    maximum = Infinity,
    exclusiveMinimum = -Infinity,
    exclusiveMaximum = Infinity,
    multipleOf,
  } = schema
  const isWithin = value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum
  return isWithin && (multipleOf === undefined || Number.isInteger(value / multipleOf))
}

function isArray(schema: Constraints, value: readonly unknown[], root: unknown): boolean {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems = false } = schema
  const isTuple = Array.isArray(schema.items)
  const first = ((isTuple ? schema.items : schema.prefixItems) ?? []) as unknown[]
  const rest = (isTuple ? schema.additionalItems : schema.items) ?? true
  const isUnique =
    !uniqueItems || value.every((one, i) => value.slice(0, i).every((other) => !isDeepStrictEqual(one, other)))
  return (
    value.length >= minItems &&
    value.length <= maxItems &&
    isUnique &&
    value.every((one, i) => isValid(first[i] ?? rest, one, root))
  )
}

function isObject(schema: Constraints, value: Schema, root: unknown): boolean {
  const { required = [], minProperties = 0, maxProperties = Number.POSITIVE_INFINITY, propertyNames = true } = schema
  const names = Object.keys(value)
  if (names.length < minProperties || names.length > maxProperties) return false
  if (!required.every((name) => Object.hasOwn(value, name))) return false
  const named = (schema.properties ?? {}) as Schema
  const patterns = Object.entries((schema.patternProperties ?? {}) as Schema)
  return names.every((name) => {
    const fitting = [
      ...(Object.hasOwn(named, name) ? [named[name]] : []),
      ...patterns.filter(([pattern]) => hasMatch(pattern, name)).map(([, one]) => one),
    ]
    const all = fitting.length > 0 ? fitting : [schema.additionalProperties ?? true]
    return isValid(propertyNames, name, root) && all.every((one) => isValid(one, value[name], root))
  })
}

function pointed(root: unknown, ref: string): unknown {
  let at = root
  for (const part of ref.slice(1).split('/').slice(1))
    at = (at as Record<string, unknown> | undefined)?.[
      decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    ]
  return at ?? false
}
