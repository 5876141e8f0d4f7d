import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { JsonScanner } from './json-scanner.ts'

function scan<T>(text: string | Uint8Array, read: (scanner: JsonScanner) => T): T {
  const scanner = new JsonScanner(typeof text === 'string' ? Buffer.from(text) : text, 'f.json', 100)
  const value = read(scanner)
  scanner.end()
  return value
}

function accepts(text: string): boolean {
  try {
    scan(text, (scanner) => scanner.skip())
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return false
  }
}

describe('JsonScanner', () => {
  it('reads strings with every escape', () => {
    const text = '"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude42é🙂"'
    expect(scan(text, (scanner) => scanner.string())).toBe('a"\\/\b\f\n\r\té🙂é🙂')
  })

  it.each([
    ['a lone surrogate', '"\\ud800"'],
    ['a control character', '"a\nb"'],
    ['an unknown escape', '"\\x41"'],
    ['no end', '"abc'],
    ['a backslash at the end', '"abc\\'],
    ['overlong UTF-8', Buffer.from([0x22, 0xc0, 0x80, 0x22])],
    ['UTF-8 of a surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ])('refuses a string with %s', (_, text) => {
    expect(() => scan(text, (scanner) => scanner.string())).toThrow(InputError)
  })

  it('reads integers exactly up to 2^53 - 1', () => {
    for (const value of [0, 7, 10, Number.MAX_SAFE_INTEGER]) {
      expect(scan(String(value), (scanner) => scanner.unsignedInteger())).toBe(value)
    }
  })

  it.each(['9007199254740992', '9007199254740993', '18446744073709551614', '-1', '01', '1.0', '1e3', '', '+1', 'NaN'])(
    'refuses %s as an integer',
    (text) => {
      expect(() => scan(text, (scanner) => scanner.unsignedInteger())).toThrow(InputError)
    },
  )

  it('refuses a key that repeats, also when one of them is escaped', () => {
    expect(() => scan('{"a":1,"\\u0061":2}', (scanner) => scanner.skip())).toThrow(
      /expected each key once, got "a" again/,
    )
  })

  it('names the byte of the file at fault', () => {
    expect(() => scan('{"a":1,]', (scanner) => scanner.skip())).toThrow('f.json:107: expected a string, got "]"')
  })

  it('refuses deep nesting before the stack ends', () => {
    expect(() => scan('['.repeat(1_000_000), (scanner) => scanner.skip())).toThrow(/levels of nesting/)
  })

  it('accepts what JSON.parse accepts, when keys are distinct', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(accepts(text)).toBe(true)
      }),
    )
  })

  it('accepts nothing that JSON.parse refuses', () => {
    const alphabet = [...'{}[]:,"\\ 019-+.eEtrufalsn\n\u0000é']
    const noise = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 12 })
    fc.assert(
      fc.property(noise, (text) => {
        if (accepts(text)) expect(() => JSON.parse(text)).not.toThrow()
      }),
      { numRuns: 20_000 },
    )
  })
})
