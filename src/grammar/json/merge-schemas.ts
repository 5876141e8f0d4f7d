// Two schemas of which a value must satisfy both, as one: what `allOf` says, and what stands beside a `$ref`, an `anyOf` or a `oneOf`.

import { isDeepStrictEqual } from 'node:util'
import { UsageError } from '../../errors.ts'
import type { JsonType, Schema } from './schema-keywords.ts'

/** The schema of what both allow. `true` and `false` are schemas too. UsageError for two that no one schema can say. */
export function mergeSchemas(one: unknown, other: unknown, path: string): Schema | boolean {
  if (one === false || other === false) return false
  if (one === true || other === true) return (one === true ? other : one) as Schema | boolean
  const [a, b] = [one as Schema, other as Schema]
  const merged: Record<string, unknown> = { ...a, ...b }
  for (const key of Object.keys(a)) {
    if (!Object.hasOwn(b, key) || isDeepStrictEqual(a[key], b[key])) continue
    const rule = Object.hasOwn(RULES, key) ? RULES[key] : undefined
    if (rule !== undefined) merged[key] = rule(a[key], b[key], path)
    else if (LISTS.has(key)) {
      // Both lists hold: one stays, the other goes on as a part of its own.
      merged[key] = a[key]
      merged.allOf = [...((merged.allOf ?? []) as unknown[]), { [key]: b[key] }]
    } else if (Object.hasOwn(SAME, key))
      throw new UsageError(
        `json_schema ${path}/allOf: expected one '${key}', got two that differ. Write the schema that holds both`,
      )
  }
  if ('properties' in a || 'properties' in b || 'additionalProperties' in a || 'additionalProperties' in b)
    mergeProperties(a, b, merged, path)
  // No type and no constant in common: no value, which may be one alternative of several.
  const isNone = [merged.type, merged.enum].some((list) => Array.isArray(list) && list.length === 0)
  return isNone ? false : merged
}

/** Keywords whose two lists both hold. */
const LISTS = new Set(['anyOf', 'oneOf', '$ref'])
/** Keywords of which there can be one only. */
const SAME: Readonly<Record<string, true>> = {
  pattern: true,
  format: true,
  propertyNames: true,
  patternProperties: true,
  prefixItems: true,
  multipleOf: true,
  additionalItems: true,
}

const most = (a: unknown, b: unknown): number => Math.max(a as number, b as number)
const least = (a: unknown, b: unknown): number => Math.min(a as number, b as number)
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value])

const RULES: Readonly<Record<string, (a: unknown, b: unknown, path: string) => unknown>> = {
  minimum: most,
  exclusiveMinimum: most,
  maximum: least,
  exclusiveMaximum: least,
  minLength: most,
  maxLength: least,
  minItems: most,
  maxItems: least,
  minProperties: most,
  maxProperties: least,
  uniqueItems: (a, b) => a === true || b === true,
  required: (a, b) => [...new Set([...(a as string[]), ...(b as string[])])],
  allOf: (a, b) => [...(a as unknown[]), ...(b as unknown[])],
  items: (a, b, path) => mergeSchemas(a, b, path),
  enum: (a, b) => (a as unknown[]).filter((one) => (b as unknown[]).some((other) => isDeepStrictEqual(one, other))),
  const: (a, _, path) => {
    throw new UsageError(
      `json_schema ${path}/allOf: expected one constant, got ${JSON.stringify(a)} and another one. No value is both`,
    )
  },
  type: (a, b) => {
    const [one, other] = [listOf(a), listOf(b)] as JsonType[][]
    const isIn = (type: JsonType, types: readonly JsonType[]): boolean =>
      types.includes(type) || (type === 'integer' && types.includes('number'))
    return [...new Set([...one!.filter((type) => isIn(type, other!)), ...other!.filter((type) => isIn(type, one!))])]
  },
}

function mergeProperties(a: Schema, b: Schema, merged: Record<string, unknown>, path: string): void {
  const [one, other] = [a, b].map((schema) => (schema.properties ?? {}) as Schema) as [Schema, Schema]
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  const rest = (schema: Schema): unknown => schema.additionalProperties ?? true
  const of = (schema: Schema, named: Schema, name: string): unknown =>
    Object.hasOwn(named, name) ? named[name] : rest(schema)
  const both = [...names].map((name) => [name, mergeSchemas(of(a, one, name), of(b, other, name), path)] as const)
  merged.properties = Object.fromEntries(both)
  if ('additionalProperties' in a || 'additionalProperties' in b)
    merged.additionalProperties = mergeSchemas(rest(a), rest(b), path)
}
