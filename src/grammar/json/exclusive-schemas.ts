// Whether a value that is made by one of several schemas cannot satisfy another one: what `oneOf` asks, found by what masks make of each.

import { isValid } from './is-valid.ts'
import type { Schema } from './schema-keywords.ts'

/** True where it is certain. */
export function areExclusive(schemas: readonly unknown[]): boolean {
  return schemas.every((one, i) => schemas.slice(i + 1).every((other) => apart(one, other)))
}

function apart(one: unknown, other: unknown): boolean {
  if (one === false || other === false) return true
  if (one === true || other === true) return false
  const [a, b] = [one as Schema, other as Schema]
  const [valuesA, valuesB] = [valuesOf(a), valuesOf(b)]
  if (valuesA !== undefined && valuesB !== undefined) return !valuesA.some((value) => isValid({ enum: valuesB }, value))
  const [typesA, typesB] = [kinds(a), kinds(b)]
  if (typesA !== undefined && typesB !== undefined && !typesA.some((type) => typesB.includes(type))) return true
  const isObject = (types: readonly string[] | undefined): boolean => types?.length === 1 && types[0] === 'object'
  return isObject(typesA) && isObject(typesB) && (constantsApart(a, b) || (lacks(a, b) && lacks(b, a)))
}

function valuesOf(schema: Schema): readonly unknown[] | undefined {
  return 'const' in schema ? [schema.const] : (schema.enum as unknown[] | undefined)
}

/** Types, `integer` as `number`; of constants those that they have; an object where properties are named. */
function kinds(schema: Schema): readonly string[] | undefined {
  const values = valuesOf(schema)
  if (values !== undefined)
    return values.map((value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value))
  if (schema.type !== undefined)
    return [schema.type].flat().map((type) => (type === 'integer' ? 'number' : String(type)))
  return 'properties' in schema ? ['object'] : undefined
}

/** A property that both require, with other constants. */
function constantsApart(a: Schema, b: Schema): boolean {
  const needed = (schema: Schema): string[] => (schema.required ?? []) as string[]
  const of = (schema: Schema, name: string): readonly unknown[] | undefined =>
    valuesOf(((schema.properties ?? {}) as Record<string, Schema>)[name] ?? {})
  return needed(a).some((name) => {
    const [one, other] = [of(a, name), of(b, name)]
    return (
      needed(b).includes(name) &&
      one !== undefined &&
      other !== undefined &&
      !one.some((value) => isValid({ enum: other }, value))
    )
  })
}

/** `b` requires a property that what is made for `a` never has. */
function lacks(a: Schema, b: Schema): boolean {
  const isClosed = (a.additionalProperties ?? !('properties' in a)) === false && !('patternProperties' in a)
  const names = Object.keys((a.properties ?? {}) as Schema)
  return (
    isClosed &&
    ((b.required ?? []) as string[]).some(
      (name) => !names.includes(name) && !((a.required ?? []) as string[]).includes(name),
    )
  )
}
