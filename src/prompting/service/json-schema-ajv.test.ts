// The check of JSON Schemas against Ajv's, on schemas and values at random; what ours does not know of must never make it refuse.

import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { standardSchema } from './json-schema.ts'

const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false })
const issues = (schema: object, value: unknown): number => {
  const result = standardSchema(schema as Record<string, unknown>)['~standard'].validate(value)
  return result instanceof Promise ? Number.NaN : (result.issues?.length ?? 0)
}

const name = fc.constantFrom('a', 'b', 'c')
const leaf = fc.constantFrom(null, true, 0, -0, 1, 2, -1, 0.5, '', 'a', 'ab', 'é', '😀')
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))

const { schema } = fc.letrec<{ schema: unknown }>((tie) => {
  const one = tie('schema')
  const two = fc.tuple(one, one)
  const words = {
    type: fc.constantFrom('string', 'number', 'integer', 'boolean', 'null', 'array', 'object'),
    enum: fc.tuple(value, value),
    const: value,
    minLength: fc.nat(2),
    maxLength: fc.nat(2),
    pattern: fc.constantFrom('^a', 'b$'),
    minimum: fc.nat(1),
    maximum: fc.nat(2),
    exclusiveMinimum: fc.constant(0),
    exclusiveMaximum: fc.constant(2),
    multipleOf: fc.constantFrom(1, 2, 0.5), // Ajv takes quotients of doubles as they are
    minItems: fc.nat(2),
    maxItems: fc.nat(2),
    uniqueItems: fc.constant(true),
    items: one,
    prefixItems: two,
    contains: one,
    minContains: fc.nat(2),
    maxContains: fc.constantFrom(1, 2),
    properties: fc.record({ a: one, b: one }),
    required: fc.tuple(name),
    additionalProperties: one,
    patternProperties: fc.record({ '^[bc]$': one }),
    propertyNames: fc.constant({ pattern: '^[ab]' }),
    minProperties: fc.nat(2),
    maxProperties: fc.nat(2),
    dependentRequired: fc.constant({ a: ['b'] }),
    dependentSchemas: fc.record({ a: one }),
    allOf: two,
    anyOf: two,
    oneOf: two,
    not: one,
    if: one,
    // biome-ignore lint/suspicious/noThenProperty: it is a word of JSON Schema
    then: one,
    else: one,
  }
  const word = fc.constantFrom(...Object.keys(words)).chain((key) => words[key as 'not'].map((what) => [key, what])) // biome-ignore format: a line
  const part = fc.array(word, { minLength: 1, maxLength: 3 }).map((all) => Object.fromEntries(all) as object)
  return { schema: fc.oneof({ maxDepth: 3, depthSize: 'small' }, fc.boolean(), part) }
})

describe('the check of a JSON Schema', () => {
  it('says what Ajv says', () => {
    fc.assert(
      fc.property(schema, fc.array(value, { minLength: 4, maxLength: 4 }), (written, values) => {
        if (typeof written !== 'object') return
        const fits = ajv.compile(written as object)
        for (const one of values) expect([one, issues(written as object, one) === 0]).toEqual([one, fits(one)])
      }),
      { numRuns: 200 },
    )
  })
  it.each([
    { not: { format: 'email' } },
    { not: { $ref: 'https://elsewhere' } },
    { not: { pattern: '(?<!a)b' } },
    { oneOf: [{ format: 'email' }, { type: 'string' }] },
    // biome-ignore lint/suspicious/noThenProperty: it is a word of JSON Schema
    { if: { format: 'email' }, then: false },
  ])('does not refuse what it cannot know: %j', (written) => {
    expect(issues(written, 'b')).toBe(0)
  })
  it('takes fields in any order, and minus zero, for the same', () => {
    expect(issues({ const: { a: 1, b: 0 } }, { b: -0, a: 1 })).toBe(0)
    expect(issues({ uniqueItems: true }, [{ a: 1, b: 2 }, { b: 2, a: 1 }])).toBe(1) // biome-ignore format: a line
    expect([issues({ multipleOf: 0.1 }, 0.3), issues({ multipleOf: 1 }, 1e-10)]).toEqual([0, 1])
  })
  it('tells ten faults of very many, without falling over', () => {
    const many = Array.from({ length: 200_000 }, () => 1)
    expect(issues({ allOf: [{ anyOf: [{ items: { type: 'string' } }] }] }, many)).toBe(10)
  })
})
