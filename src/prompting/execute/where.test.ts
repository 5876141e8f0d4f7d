import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGrammar } from '../../grammar/grammar.ts'
import { StructuredText } from '../../grammar/structured-text.ts'
import { type Constraint, type Standing, standing } from '../base/constraint.ts'
import { where } from './where.ts'

/** The standing of every beginning of a text, from none of it to all. */
const along = (one: Constraint, text: string): Standing[] =>
  Array.from({ length: text.length + 1 }, (_, i) => one.check(text.slice(0, i)))

describe('where', () => {
  it('breaks at the sixth word, not within the fifth', () => {
    const five = where.words({ max: 5 })
    expect(['a b c d e', 'a b c d eee', 'a b c d e \n'].map(five.check)).toEqual(['holds', 'holds', 'holds'])
    expect(five.check('a b c d e f')).toBe('broken')
    expect(along(where.words({ min: 2, max: 2 }), 'ab c d')).toEqual([
      ...['open', 'open', 'open', 'open'],
      ...['holds', 'holds', 'broken'],
    ])
  })
  it('waits where a pattern at the end may be undone', () => {
    const noCat = where.not(/\bcat\b/)
    expect(['ca', 'cat', 'cats', 'cat ', 'a cat sat'].map(noCat.check)).toEqual([
      ...['holds', 'open', 'holds', 'broken', 'broken'],
    ])
    expect(where.not(/end$/).check('end')).toBe('open')
    expect(where.not(/e/i).check('pEa')).toBe('broken')
    const ahead = where.not(/cat(?!fish)/)
    expect([ahead.check('cat'), ahead.check('catfish'), ahead.check(`cat${'x'.repeat(80)}`)]).toEqual([
      ...['open', 'holds', 'broken'],
    ])
    // A pattern with g remembers where it was; the standing does not.
    const g = where.not(/e/g)
    expect([g.check('e'), g.check('e')]).toEqual(['broken', 'broken'])
  })
  it('counts code points, sentences and what must be there', () => {
    expect(where.characters({ max: 2 }).check('😀😀')).toBe('holds')
    expect(where.characters({ max: 2 }).check('😀😀a')).toBe('broken')
    const two = where.sentences({ min: 1, max: 2 })
    expect(['', 'One', 'One.', 'Pi is 3.14. Yes!', 'A. B? C'].map(two.check)).toEqual([
      ...['open', 'open', 'holds', 'holds', 'broken'],
    ])
    expect(['a', 'a b'].map(where.has('b').check)).toEqual(['open', 'holds'])
    expect(['a', 'a.', 'a.b', 'a.b.'].map(where.endsWith('.').check)).toEqual(['open', 'holds', 'open', 'holds'])
    expect(['a', 'a.', 'a.b'].map(where.stopsAt('.').check)).toEqual(['open', 'holds', 'broken'])
  })
  it('knows at the first digit that a number leaves its range', () => {
    const small = where.number({ min: 10, max: 50, integer: true })
    expect(['1', '15', '9', '60', '510', '1.'].map(small.check)).toEqual([
      ...['open', 'holds', 'broken', 'broken', 'broken', 'broken'],
    ])
    expect(['-', '-0.5', 'x'].map(where.number().check)).toEqual(['open', 'holds', 'broken'])
  })
  it('joins constraints', () => {
    const both = where.all(where.has('a'), where.characters({ max: 3 }))
    expect(['b', 'ba', 'bbaa'].map(both.check)).toEqual(['open', 'holds', 'broken'])
    const either = where.any(where.oneOf(['yes', 'no']), where.matches(/\d+/))
    expect(['y', 'yes', '12', 'yes1'].map(either.check)).toEqual(['open', 'holds', 'holds', 'broken'])
    expect(standing('y', [where.oneOf(['yes'])]).by?.name).toBe('one of "yes"')
  })
  const made: readonly Constraint[] = [
    where.not('ab'),
    where.words({ max: 2 }),
    where.words({ min: 1, max: 3 }),
    where.words({ min: 2 }),
    where.characters({ min: 1, max: 4 }),
    where.oneOf(['ab', 'a b', 'b']),
    where.stopsAt('.'),
    where.any(where.oneOf(['a']), where.stopsAt('b')),
  ]
  it.each(made.map((one) => [one.name, one] as const))('says what its mask says: %s', (_, one) => {
    const grammar = compileGrammar(one.structure!)
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', ' ', '.', '\n', 'é'), maxLength: 8 }), (text) => {
        const followed = new StructuredText(grammar)
        const mask = followed.push(text) ? (followed.isWhole ? 'holds' : 'open') : 'broken'
        expect(one.check(text)).toBe(mask)
      }),
    )
  })
  it('stays broken whatever follows', () => {
    const all = [...made, where.not(/\ba\b/), where.sentences({ max: 1 }), where.number({ max: 20 })]
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '.', '1', '9'), maxLength: 10 })
    fc.assert(
      fc.property(fc.constantFrom(...all), texts, (one, text) => {
        const found = along(one, text)
        const broken = found.indexOf('broken')
        if (broken >= 0) expect(found.slice(broken).every((each) => each === 'broken')).toBe(true)
      }),
    )
  })
  it.each([
    ['words', () => where.words({})],
    ['words', () => where.words({ min: 3, max: 2 })],
    ['not', () => where.not('')],
    ['not', () => where.not(/x*/)],
    ['oneOf', () => where.oneOf([])],
    ['matches', () => where.matches(/a/i)],
    ['regular expression', () => where.matches(/(?=a)b/)],
    ['test', () => where.test('x', undefined as never)],
    ['where', () => where.all((() => 'holds') as never)],
  ])('refuses what makes no %s', (name, make) => {
    expect(make).toThrow(new RegExp(name))
  })
})
