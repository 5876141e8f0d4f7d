// What of JSON Schema (2020-12, and draft 7's spellings) masks can keep, and what they cannot: nothing that a schema asks for is left out
// without a word.

import { UsageError } from '../../errors.ts'

/** A schema that is an object. */
export type Schema = Readonly<Record<string, unknown>>
export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object'

/** Say something to a reader, and nothing of what is valid. */
const ANNOTATIONS = new Set([
  'title', 'description', 'default', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly', '$comment', '$schema', '$id', '$defs', 'definitions', '$anchor',
]) // biome-ignore format: a list

/** By keyword: the type of which it speaks. */
export const SPEAKS_OF: Readonly<Record<string, JsonType>> = {
  properties: 'object', required: 'object', additionalProperties: 'object', patternProperties: 'object', propertyNames: 'object', minProperties: 'object', maxProperties: 'object',
  items: 'array', prefixItems: 'array', additionalItems: 'array', minItems: 'array', maxItems: 'array', uniqueItems: 'array',
  minLength: 'string', maxLength: 'string', pattern: 'string', format: 'string',
  minimum: 'number', maximum: 'number', exclusiveMinimum: 'number', exclusiveMaximum: 'number', multipleOf: 'number',
} // biome-ignore format: a table
const OTHERS = new Set(['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf', '$ref'])
/** Known to JSON Schema, and not to masks. */
const REFUSED = new Set([
  'not', 'if', 'then', 'else', 'contains', 'minContains', 'maxContains', 'dependentRequired', 'dependentSchemas', 'dependencies', 'unevaluatedItems',
  'unevaluatedProperties', 'contentEncoding', 'contentMediaType', 'contentSchema', '$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor', '$vocabulary',
]) // biome-ignore format: a list

const TYPES = new Set(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'])

/** An object as a schema whose keywords are known and have values of their kind; UsageError with the place where not. */
export function checkedSchema(value: unknown, path: string): Schema {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(path, 'a schema (an object, true or false)', value)
  const schema = value as Schema
  for (const [key, given] of Object.entries(schema)) {
    if (ANNOTATIONS.has(key) || key.startsWith('x-')) continue
    const at = `${path}/${key}`
    if (REFUSED.has(key))
      throw new UsageError(
        `json_schema ${at}: expected a keyword that masks can keep, got '${key}'. Leave it out, and check the answer by it`,
      )
    if (!Object.hasOwn(SPEAKS_OF, key) && !OTHERS.has(key))
      throw new UsageError(
        `json_schema ${at}: expected a keyword of JSON Schema, got '${key}'. Correct it, or begin it with 'x-' where it is a remark`,
      )
    const expected = CHECKS[key]?.(given)
    if (expected !== undefined) throw wrong(at, expected, given)
  }
  return schema
}

export function wrong(path: string, expected: string, got: unknown): UsageError {
  return new UsageError(
    `json_schema ${path === '' ? '/' : path}: expected ${expected}, got ${JSON.stringify(got)?.slice(0, 60)}`,
  )
}

type Check = (value: unknown) => string | undefined
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const object: Check = (value) => (isObject(value) ? undefined : 'an object')
const list: Check = (value) => (Array.isArray(value) && value.length > 0 ? undefined : 'a list that is not empty')
const count: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100_000
    ? undefined
    : 'a whole number from 0 to 100000'
const bound: Check = (value) =>
  typeof value === 'number' && Math.abs(value) <= 1e30 && (value === 0 || Math.abs(value) >= 1e-12)
    ? undefined
    : 'a number, 0 or from 1e-12 to 1e30 in size'
const text: Check = (value) => (typeof value === 'string' ? undefined : 'a text')
const isName = (value: unknown): boolean => typeof value === 'string'

const CHECKS: Readonly<Record<string, Check>> = {
  properties: object,
  patternProperties: object,
  required: (value) => (Array.isArray(value) && value.every(isName) ? undefined : 'a list of names'),
  minProperties: count,
  maxProperties: count,
  minItems: count,
  maxItems: count,
  minLength: count,
  maxLength: count,
  prefixItems: list,
  uniqueItems: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  pattern: text,
  format: text,
  $ref: text,
  minimum: bound,
  maximum: bound,
  exclusiveMinimum: bound,
  exclusiveMaximum: bound,
  multipleOf: bound,
  anyOf: list,
  oneOf: list,
  allOf: list,
  enum: list,
  type: (value) => {
    const types = Array.isArray(value) ? value : [value]
    return types.length > 0 && types.every((type) => TYPES.has(type as string))
      ? undefined
      : `one or several of ${[...TYPES].join(', ')}`
  },
}
