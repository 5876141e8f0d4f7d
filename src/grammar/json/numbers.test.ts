// Numbers within bounds: what is written matches exactly where its value is within.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Expressions } from '../expressions.ts'
import { JsonNumbers, type NumberBounds } from './numbers.ts'

function accepts(kind: 'integer' | 'number', bounds: NumberBounds): (text: string) => boolean {
  const x = new Expressions()
  const one = new JsonNumbers(x)[kind](bounds)
  return (text) => x.matches(one, new TextEncoder().encode(text))
}

function isWithin(
  value: number,
  { min = -Infinity, max = Infinity, isMinOpen = false, isMaxOpen = false }: NumberBounds,
): boolean {
  return (isMinOpen ? value > min : value >= min) && (isMaxOpen ? value < max : value <= max)
}

const hundredth = fc.integer({ min: -30_000, max: 30_000 }).map((value) => value / 100)
const bounds = fc.record(
  { min: hundredth, max: hundredth, isMinOpen: fc.boolean(), isMaxOpen: fc.boolean() },
  { requiredKeys: [] },
)

describe('numbers of JSON', () => {
  it('are whole ones between the bounds', () => {
    fc.assert(
      fc.property(bounds, fc.array(fc.integer({ min: -320, max: 320 }), { minLength: 10 }), (given, values) => {
        const isGood = accepts('integer', given)
        for (const value of values)
          expect([given, value, isGood(String(value))]).toEqual([given, value, isWithin(value, given)])
      }),
    )
  })

  it('are decimals between the bounds, however many zeros they end with', () => {
    fc.assert(
      fc.property(
        bounds,
        fc.array(hundredth, { minLength: 10 }),
        fc.integer({ min: 0, max: 3 }),
        (given, values, zeros) => {
          const isGood = accepts('number', given)
          for (const value of [
            ...values,
            given.min ?? 0,
            given.max ?? 0,
            (given.min ?? 0) + 0.01,
            (given.max ?? 0) - 0.01,
          ]) {
            const text = `${value.toFixed(2)}${'0'.repeat(zeros)}`
            if (text.startsWith('-0.00')) continue // the number 0 has no sign
            expect([given, text, isGood(text)]).toEqual([given, text, isWithin(Number(text), given)])
          }
        },
      ),
    )
  })

  it.each([
    ['integer', {}, ['0', '-7', '123456789012345'], ['00', '-0', '+1', '1.0', '1234567890123456', '1e3', '']],
    ['number', {}, ['0', '-0.5', '1.25e-7', '3E+10'], ['.5', '1.', '01', '1e', '1e999', '--1']],
    [
      'integer',
      { min: 1e15, max: 9007199254740991 },
      ['1000000000000000', '9007199254740991'],
      ['999999999999999', '9007199254740992'],
    ],
    ['number', { min: 0.001, max: 0.0015 }, ['0.001', '0.0015', '0.00125'], ['0.0016', '0.0009', '0', '0.00150001']],
    ['number', { min: 1e-7, max: 2e-7 }, ['0.0000001', '0.00000015'], ['0.0000003', '1']],
    ['number', { min: 0, isMinOpen: true }, ['0.1', '5', '0.000001'], ['0', '0.0', '-1']],
    ['integer', { min: 5, max: 4 }, [], ['4', '5']],
  ] as const)('%s %j', (kind, given, good, bad) => {
    const isGood = accepts(kind, given)
    expect(good.filter((text) => !isGood(text))).toEqual([])
    expect(bad.filter((text) => isGood(text))).toEqual([])
  })
})
