import Ajv from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { standardSchema } from './json-schema.ts'

const issuesOf = (schema: object, value: unknown): string[] => {
  const result = standardSchema(schema as Record<string, unknown>)['~standard'].validate(value)
  if (result instanceof Promise) throw new Error('expected an answer at once')
  return (result.issues ?? []).map(({ message, path = [] }) => `${path.join('.')}: ${message}`)
}

/** As servers of real tools write them. */
const SCHEMAS: Record<string, object> = {
  filters: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    properties: {
      a: {
        type: 'array',
        items: {
          anyOf: [
            { type: 'string', enum: ['x', 'y'] },
            { type: 'object', properties: { b: { type: 'integer', minimum: 1 } }, required: ['b'] },
          ],
        },
      },
      b: { type: ['string', 'null'], maxLength: 3 },
    },
    required: ['a'],
    additionalProperties: false,
  },
  tree: {
    type: 'object',
    properties: { a: { $ref: '#/$defs/node' } },
    $defs: {
      node: {
        type: 'object',
        properties: { b: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 } },
        additionalProperties: { type: 'number' },
      },
    },
  },
  pair: {
    type: 'object',
    properties: { a: { oneOf: [{ type: 'integer' }, { type: 'number', minimum: 2 }] }, b: { const: 'x' } },
  },
  tuple: {
    type: 'object',
    properties: {
      a: {
        type: 'array',
        prefixItems: [{ type: 'string' }, { type: 'number', multipleOf: 0.5 }],
        items: false,
        uniqueItems: true,
      },
    },
  },
  both: {
    allOf: [{ type: 'object', required: ['a'] }, { properties: { a: { not: { type: 'string' } } } }],
    patternProperties: { '^b': { type: 'boolean' } },
  },
  text: {
    type: 'object',
    properties: { a: { type: 'string', pattern: '^[a-z]{1,2}$' }, b: { type: 'string', minLength: 2 } },
  },
}

const leaf = fc.oneof(fc.constantFrom('x', 'y', 'z', 'abcd', '', null, true), fc.constantFrom(0, 1, 1.5, 2, 3, -1, 0.3))
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('any'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any'), { maxKeys: 3, noNullPrototype: true }),
})).any

describe('standardSchema', () => {
  it.each(Object.keys(SCHEMAS))('takes and refuses what ajv does: %s', (name) => {
    const validate = new Ajv.default({ strict: false }).compile({ ...SCHEMAS[name], $schema: undefined } as object)
    let taken = 0
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { maxKeys: 3, noNullPrototype: true }),
        (given) => {
          const isTaken = issuesOf(SCHEMAS[name]!, given).length === 0
          taken += isTaken ? 1 : 0
          expect(isTaken).toBe(validate(given))
        },
      ),
      { numRuns: 400, seed: 16 },
    )
    expect(taken).toBeGreaterThan(0)
  })
  it('says where it is wrong, and of alternatives what comes nearest', () => {
    expect(issuesOf(SCHEMAS.filters!, { a: [{ b: 0 }], c: 1 })).toEqual([
      'a.0.b: expected a number of at least 1, got 0',
      'c: unknown field. There are: a, b',
    ])
    expect(issuesOf(SCHEMAS.filters!, {})).toEqual(['a: expected, got nothing'])
  })
  it('does not hang or fall over hostile schemas and values', () => {
    expect(issuesOf({ $ref: '#' }, { a: 1 })).toEqual([])
    expect(issuesOf({ allOf: [{ $ref: '#' }, { $ref: '#' }] }, {})).toEqual([])
    expect(issuesOf({ properties: { a: { pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(5000)}b` }).length).toBe(1)
    expect(issuesOf({ properties: { a: { pattern: '(?<=x)[' } } }, { a: 'b' })).toEqual([])
    expect(issuesOf({ $ref: 'https://elsewhere.example/x' }, 1)).toEqual([])
    expect(issuesOf({ $ref: '#/__proto__/x' }, 1)).toEqual([])
    expect(issuesOf({ properties: { a: 3 }, required: 'a', items: 4 }, { a: 1 })).toEqual([])
    expect(issuesOf({ required: ['toString'] }, {}).length).toBe(1)
  })
  it('tells the schema as it was written', () => {
    expect(
      standardSchema(SCHEMAS.tree as Record<string, unknown>)['~standard'].jsonSchema!.input({ target: 'x' }),
    ).toEqual(SCHEMAS.tree)
  })
})
