import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../../../test/processor-time.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { parseJsonRow } from './json-row.ts'

const parse = (text: string | Buffer) => parseJsonRow(Buffer.from(text as string), DEFAULT_LIMITS)

describe('parseJsonRow', () => {
  it('gives the row that JSON.parse gives', () => {
    const row = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme' }))
    fc.assert(
      fc.property(row, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        if (/\\u0000/.test(text)) return
        expect(parse(text)).toEqual({ row: JSON.parse(text) })
      }),
    )
  })

  it('is not confused by quotes, backslashes, colons and braces inside strings', () => {
    const row = { 'a": {"': '\\', 'b\\': '"}: [', c: ['":', '\\"'], ':': ':' }
    expect(parse(JSON.stringify(row))).toEqual({ row })
    expect(parse('{"a" \t:\n1}')).toEqual({ row: { a: 1 } })
  })

  it('finds a key given twice at any depth, also when it is spelt with escapes', () => {
    expect(parse('{"a": 1, "a": 1}')).toEqual({ reason: 'duplicate-key' })
    expect(parse('{"a": [{"b": {"c": 1, "\\u0063": 2}}]}')).toEqual({ reason: 'duplicate-key' })
    expect(parse('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}')).toHaveProperty('row')
  })

  it('takes __proto__ as an ordinary key', () => {
    const parsed = parse('{"__proto__": {"polluted": true}}') as { row: object }
    expect(Object.keys(parsed.row)).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('polluted')
  })

  it('says what is wrong with each kind of bad row', () => {
    expect(parse(Buffer.from([0x22, 0xc0, 0x80, 0x22]))).toEqual({ reason: 'invalid-utf8' })
    expect(parse('"\0"')).toEqual({ reason: 'nul' })
    expect(parse('{"a": ["\\u0000"]}')).toEqual({ reason: 'nul' })
    expect(parse('{"a": "\\uDC00"}')).toEqual({ reason: 'lone-surrogate' })
    expect(parse('{"\\ud800": 1}')).toEqual({ reason: 'lone-surrogate' })
    expect(parse('{"a": "\\ud83d\\ude42 \\\\ud800"}')).toHaveProperty('row')
    expect(parse('12')).toMatchObject({ reason: 'not-a-row' })
    expect(parse('null')).toMatchObject({ reason: 'not-a-row' })
    expect(parse('{"a": Infinity}')).toMatchObject({ reason: 'bad-json' })
  })

  it('bounds depth and number of keys in linear time', () => {
    expect(parse(`{"a": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`)).toMatchObject({ reason: 'too-deep' })
    const keys = Array.from({ length: 1e6 }, (_, i) => `"k${i}":0`)
    expect(parse(`{${keys.join()}}`)).toMatchObject({ reason: 'too-many-columns', detail: '1000000 keys, limit 10000' })
    const spent = startProcessorTime()
    expect(parse(`{"a": "${'\\\\'.repeat(2e6)}"}`)).toHaveProperty('row')
    expect(parse(`{"a": "${'\\"'.repeat(2e6)}"}`)).toHaveProperty('row')
    expect(spent()).toBeLessThan(3000)
  })
})
