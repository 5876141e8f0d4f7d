// JSON Schema: which texts a schema allows, that ajv finds valid whatever can be written, and that what cannot be kept is refused by name.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { PythonRandom } from '../../eval/python-random.ts'
import { compileGrammar } from '../grammar.ts'
import { GrammarMasks } from '../grammar-mask.ts'
import { StructuredText } from '../structured-text.ts'
import { TokenTrie } from '../token-trie.ts'
import { isValid } from './is-valid.ts'

const encoder = new TextEncoder()

function accepts(schema: unknown, text: string, whitespace: 'compact' | 'any' = 'compact'): boolean {
  const structured = new StructuredText(compileGrammar({ json_schema: schema, whitespace }))
  return structured.push(text) && structured.isWhole
}

const person = {
  type: 'object',
  title: 'Person',
  properties: { name: { type: 'string', description: 'all of it' }, age: { type: 'integer', minimum: 0, default: 3 } },
  required: ['name'],
}
const tree = { $defs: { node: { type: 'object', properties: { v: { type: 'integer' }, kids: { type: 'array', items: { $ref: '#/$defs/node' } } }, required: ['v'] } }, $ref: '#/$defs/node' } // biome-ignore format: a schema

const CASES: readonly (readonly [schema: unknown, good: readonly string[], bad: readonly string[]])[] = [
  [person, ['{"name":"é\\n\\"\\u00e9\\ud83d\\ude00"}', '{"name": "x", "age": 41}'], ['{}', '{"age":1,"name":"x"}', '{"name":"x","age":-1}', '{"name":"x",}', '{"name":"x","z":1}', '{ "name":"x"}', '{"name":"\n"}', '{"name":"\\ud83d"}']],
  [{ type: 'object', properties: { a: {}, b: {}, c: {} } }, ['{}', '{"b":1}', '{"a":1,"c":[]}'], ['{"c":1,"a":2}', '{,"a":1}']],
  [{ type: 'object', additionalProperties: { type: 'integer' }, minProperties: 1, maxProperties: 2 }, ['{"x":1}', '{"x":1,"y":2}'], ['{}', '{"x":1,"y":2,"z":3}', '{"x":"1"}']],
  [{ properties: { a: { type: 'integer' }, b: { type: 'integer' } }, additionalProperties: { type: 'string' }, minProperties: 2 }, ['{"a":1,"b":2}', '{"a":1,"z":"2"}', '{"x":"","y":""}'], ['{"a":1}', '{"z":""}', '{"a":"x"}', '{"a":1,"a":"x"}']],
  [{ type: 'object', required: ['z'], properties: { a: { type: 'null' } } }, ['{"z":[1]}', '{"a":null,"z":2}'], ['{"a":null}']],
  [{ patternProperties: { '^n_': { type: 'integer' }, '^s_': { type: 'string' } }, additionalProperties: false }, ['{"n_a":1,"s_b":"x"}', '{}'], ['{"n_a":"x"}', '{"q":1}']],
  [{ properties: { n_a: { minimum: 3 } }, patternProperties: { '^n_': { type: 'integer' } } }, ['{"n_a":3,"n_b":1}'], ['{"n_a":2}']],
  [{ type: 'object', propertyNames: { pattern: '^[a-c]+$', maxLength: 2 } }, ['{"ab":1}', '{}'], ['{"abc":1}', '{"d":1}']],
  [{ type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 2 }, ['[true]', '[true, false]'], ['[]', '[true,true,true]', '[1]']],
  [{ prefixItems: [{ type: 'integer' }, { type: 'string' }], items: { type: 'null' } }, ['[]', '[1]', '[1,"x",null,null]'], ['["x"]', '[1,null]']],
  [{ type: 'array', items: [{ type: 'integer' }], additionalItems: false, minItems: 1 }, ['[1]'], ['[]', '[1,2]']],
  [{ type: 'array', uniqueItems: true, maxItems: 1 }, ['[]', '[{"a":1}]'], ['[1,2]']],
  [{ type: ['string', 'null'], maxLength: 2 }, ['null', '"日本"', '"\\ud83d\\ude00x"', '"😀😀"'], ['"abc"', '1']],
  [{ type: 'string', pattern: 'b+', minLength: 3 }, ['"abc"', '"bbb"', '"a\\nb"'], ['"b"', '"aaa"']],
  [{ type: 'string', pattern: '^["\\\\]$' }, ['"\\""', '"\\\\"'], ['""', '"x"']],
  [{ type: 'string', format: 'date' }, ['"2026-11-27"', '"2024-02-28"'], ['"2026-13-01"', '"2026-02-30"', '"2026-1-1"']],
  [{ type: 'string', format: 'ipv4' }, ['"192.168.0.255"'], ['"256.0.0.1"', '"1.2.3"']],
  [{ type: 'string', format: 'uuid' }, ['"123e4567-e89b-12d3-a456-426614174000"'], ['"123e4567"']],
  [{ type: 'number', minimum: -1, exclusiveMaximum: 2.5 }, ['-1', '2.49', '0'], ['-1.1', '2.5', '3']],
  [{ type: 'number', multipleOf: 1, maximum: 10 }, ['10', '-3'], ['1.5', '11']],
  [{ enum: ['a', 'b', 1, null, { x: [1, 'y'] }] }, ['"a"', '1', 'null', '{"x":[1,"y"]}'], ['"c"', '2', '{"x":[1]}']],
  [{ type: 'string', enum: ['a', 1, 'bb'], maxLength: 1 }, ['"a"'], ['1', '"bb"']],
  [{ const: 'é"' }, ['"é\\""'], ['"é"']],
  [{ anyOf: [{ type: 'string' }, { $ref: '#/$defs/n' }], $defs: { n: { type: 'integer', maximum: 9 } } }, ['"x"', '9'], ['10', 'null']],
  [{ type: 'object', properties: { k: {} }, required: ['k'], anyOf: [{ properties: { k: { const: 1 } } }, { properties: { k: { const: 2 } } }] }, ['{"k":1}', '{"k":2}'], ['{"k":3}', '{}']],
  [{ oneOf: [{ properties: { t: { const: 'a' }, x: { type: 'integer' } }, required: ['t'] }, { properties: { t: { const: 'b' } }, required: ['t'] }] }, ['{"t":"a","x":1}', '{"t":"b"}'], ['{"t":"b","x":1}']],
  [{ oneOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' } }, { enum: ['all'] }] }, ['1', '[1]', '"all"'], ['"none"']],
  [{ allOf: [{ properties: { a: { type: 'integer' } }, required: ['a'] }, { properties: { a: { minimum: 5 }, b: { type: 'null' } } }] }, ['{"a":5}', '{"a":7,"b":null}'], ['{"a":4}', '{"b":null}']],
  [{ allOf: [{ $ref: '#/$defs/base' }], properties: { y: { type: 'integer' } }, $defs: { base: { properties: { x: { type: 'integer' } } } } }, ['{"y":1,"x":2}'], ['{"z":1}']],
  [tree, ['{"v":1}', '{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}'], ['{"kids":[]}', '{"v":1,"kids":[1]}']],
  [true, ['{"a":[1,{"b":null}],"c":-1.5e3}', '"x"', '[]'], ['', '{a:1}', '[1,]', "'x'", 'nul']],
  [{ type: 'array', items: false }, ['[]'], ['[1]']],
  [{ type: 'object', properties: { 'a/b~"': { type: 'integer' } }, required: ['a/b~"'] }, ['{"a/b~\\"":1}'], ['{}']],
  [{ type: 'number', exclusiveMaximum: 1000 }, ['999.5', '999.99999999999'], ['999.999999999999999', '1000']],
  [{ type: 'number', exclusiveMinimum: -1000, maximum: -3 }, ['-999.5', '-3'], ['-999.999999999999999', '-1000']],
  [{ type: 'number', exclusiveMinimum: 1e15 }, ['1000000000000001'], ['1000000000000000.000000000000001']],
  [{ type: 'number', minimum: 1e21 }, ['1000000000000000000000'], ['1e+21', '1e+21.5']],
  [{ type: 'integer', exclusiveMinimum: 9007199254740992 }, ['9007199254740994'], ['9007199254740992', '9007199254740993']],
  [{ required: ['constructor'], properties: { toString: { type: 'integer' } } }, ['{"toString":1,"constructor":"x"}'], ['{}']],
  [{ allOf: [{ properties: { a: {} }, additionalProperties: false }, { properties: { constructor: {} } }] }, ['{"a":1}'], ['{"constructor":1}']],
  [{ allOf: [{ anyOf: [{ type: 'integer' }, { type: 'null' }] }, { anyOf: [{ type: 'integer' }, { type: 'string' }] }] }, ['1'], ['null', '"x"']],
  [{ allOf: [{ enum: [1, 2] }, { anyOf: [{ enum: [2, 3] }, { enum: [4] }] }] }, ['2'], ['1', '3', '4']],
] // biome-ignore format: a table

describe('JSON Schema', () => {
  it.each(CASES.map(([schema, good, bad]) => [JSON.stringify(schema).slice(0, 90), schema, good, bad] as const))(
    '%s',
    (_, schema, good, bad) => {
      expect(good.filter((text) => !accepts(schema, text))).toEqual([])
      expect(bad.filter((text) => accepts(schema, text))).toEqual([])
      for (const text of good) expect([text, isValid(schema, JSON.parse(text))]).toEqual([text, true])
    },
  )

  it('takes white space everywhere where it is asked for, but not without end', () => {
    expect(accepts(person, '{\n  "name" : "x" ,\n  "age": 3\n}', 'any')).toBe(true)
    expect(accepts(person, `{"name":${' '.repeat(9)}"x"}`, 'any')).toBe(false)
  })

  it('counts to thousands and refers to itself without being built', () => {
    expect(accepts({ type: 'string', minLength: 5000, maxLength: 100_000 }, `"${'é'.repeat(5000)}"`)).toBe(true)
    expect(accepts({ type: 'array', items: { type: 'integer' }, maxItems: 50_000 }, `[${'1,'.repeat(3000)}1]`)).toBe(
      true,
    )
    expect(accepts(true, `${'['.repeat(300)}${']'.repeat(300)}`)).toBe(true)
  })

  const trie = new TokenTrie([...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), ...['", "', '":', 'true', '{"', 'null', 'ab', '12'].map((text) => encoder.encode(text)), new Uint8Array(0)]) // biome-ignore format: a list
  const END = trie.vocabSize - 1
  const made = (ids: readonly number[]): string => Buffer.concat(ids.map((id) => trie.texts[id]!)).toString()

  it('allows only what ajv finds valid, whole within any number of tokens', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false, ownProperties: true })
    const random = new PythonRandom(11)
    for (const [schema] of CASES) {
      // Lists of schemas are draft 7's tuples, which draft 2020 does not know.
      const isDraft7 = JSON.stringify(schema).includes('additionalItems')
      const validate = isDraft7 ? (value: unknown) => isValid(schema, value) : ajv.compile(schema as object)
      const masks = new GrammarMasks(compileGrammar({ json_schema: schema }), trie, { endTokenIds: [END] })
      for (let i = 0; i < 12; i++) {
        const maxNewTokens = masks.shortest + random.below(40)
        const mask = masks.mask({ maxNewTokens })
        const ids: number[] = []
        while (ids.length < maxNewTokens) {
          const bits = mask(ids)
          const allowed = [...trie.texts.keys()].filter((id) => ((bits[id >>> 5]! >>> (id & 31)) & 1) === 1)
          if (allowed.length === 0) throw new Error(`${JSON.stringify(schema)}: nothing may come after ${made(ids)}`)
          const id = allowed[random.below(allowed.length)]!
          if (id === END) break
          ids.push(id)
        }
        const text = made(ids)
        const value = JSON.parse(text)
        expect([schema, text, validate(value), isValid(schema, value)]).toEqual([schema, text, true, true])
      }
    }
  })

  const REFUSED: readonly (readonly [schema: unknown, why: string])[] = [
    [{ not: {} }, "json_schema /not: expected a keyword that masks can keep, got 'not'"],
    [{ type: 'array', contains: {} }, "/contains: expected a keyword that masks can keep, got 'contains'"],
    [{ properties: { a: { uniqueItems: true } } }, '/properties/a/uniqueItems: expected a keyword that masks can keep'],
    [
      { type: 'integer', multipleOf: 3 },
      '/multipleOf: expected a keyword that masks can keep (multipleOf: 1 is), got 3',
    ],
    [{ propertes: {} }, "/propertes: expected a keyword of JSON Schema, got 'propertes'"],
    [{ type: 'text' }, '/type: expected one or several of null, boolean'],
    [{ type: 'string', format: 'phone' }, '/format: expected one of date, time'],
    [{ type: 'string', pattern: '(' }, "regular expression '('"],
    [{ $ref: 'https://example.org/x' }, '/$ref: expected a place within this schema'],
    [{ $ref: '#/$defs/none' }, '/$ref: expected a place within this schema such as #/$defs/name, got "#/$defs/none"'],
    [{ properties: { a: { pattern: '([' } } }, "/properties/a/pattern: regular expression '(['"],
    [{ patternProperties: { '([': {} } }, "/patternProperties/([: regular expression '(['"],
    [{ $ref: '#/%zz' }, '/$ref: expected a place within this schema'],
    [{ constructor: {} }, "/constructor: expected a keyword of JSON Schema, got 'constructor'"],
    [{ type: 'string', format: 'toString' }, '/format: expected one of date, time'],
    [{ $ref: '#' }, "got '$ref #', which begins with itself"],
    [
      { oneOf: [{ type: 'integer' }, { type: 'number' }] },
      '/oneOf: expected alternatives of which a value can be one only',
    ],
    [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, 'some text has, got one that none has'],
    [{ type: 'string', enum: [1, 2] }, 'expected a constant that the rest of its schema allows'],
    [{ allOf: [{ pattern: 'a' }, { pattern: 'b' }] }, "expected one 'pattern', got two that differ"],
    [{ minLength: -1 }, '/minLength: expected a whole number from 0'],
    [{ patternProperties: { a: {}, b: { type: 'null' } } }, 'patterns of which a name matches one only'],
    [[], 'expected a schema (an object, true or false)'],
    ['x', 'expected a schema (an object, true or false)'],
    [JSON.parse(`${'{"items":'.repeat(90)}{}${'}'.repeat(90)}`), 'expected schemas at most 64 deep'],
    [{ enum: Array.from({ length: 20_000 }, (_, i) => `v${i}`) }, 'expected at most 65536 characters'],
  ]
  it.each(REFUSED.map(([schema, why]) => [why.slice(0, 90), schema, why] as const))('refuses: %s', (_, schema, why) => {
    expect(() => compileGrammar({ json_schema: schema })).toThrow(why)
  })
})
