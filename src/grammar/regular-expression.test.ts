// Regular expressions against JavaScript's own, and what is refused.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from './code-points.ts'
import { Expressions } from './expressions.ts'
import { regularExpression } from './regular-expression.ts'

const encoder = new TextEncoder()
function compiled(pattern: string, isSearch = false): (text: string) => boolean {
  const x = new Expressions()
  const one = regularExpression(x, pattern, (set) => utf8(x, set), isSearch)
  return (text) => x.matches(one, encoder.encode(text))
}

const atom = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'é',
    '日',
    '[ab]',
    '[^a]',
    '[a-c]',
    '.',
    '\\d',
    '\\w',
    '(?:)',
    '\\u00e9',
    '\\x61',
    '[^\\s😀]',
  ),
)
const pattern: fc.Arbitrary<string> = fc.letrec<{ whole: string; part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc.tuple(atom, fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,3}', '{2,}')).map((two) => two.join('')),
    tie('whole').map((one) => `(?:${one})`),
  ),
  whole: fc.oneof(
    { maxDepth: 3 },
    fc.array(tie('part'), { maxLength: 4 }).map((parts) => parts.join('')),
    fc.tuple(tie('part'), tie('part')).map((two) => two.join('|')),
  ),
})).whole
const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'é', '日', '😀', ' ', '1', '\n'), { maxLength: 6 })
  .map((all) => all.join(''))

describe('regular expressions', () => {
  it('match what JavaScript matches, as a whole and anywhere', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 4, maxLength: 12 }), (source, texts) => {
        const [whole, search] = [compiled(source), compiled(source, true)]
        for (const each of texts) {
          expect([source, each, whole(each)]).toEqual([source, each, new RegExp(`^(?:${source})$`, 'u').test(each)])
          expect([source, each, search(each)]).toEqual([source, each, new RegExp(source, 'u').test(each)])
        }
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['^ab', 'abX', 'Xab'],
    ['ab$', 'Xab', 'abX'],
    ['^a|b$', 'aX', 'ba'],
    ['^a$', 'a', 'a\n'],
  ])('%s holds where its anchors say', (source, good, bad) => {
    expect([compiled(source, true)(good), compiled(source, true)(bad)]).toEqual([true, false])
  })

  it('know classes of Unicode and count to large numbers without building them', () => {
    expect(compiled('\\p{Lu}\\p{Script=Greek}+')('Ωμέγα')).toBe(true)
    expect(compiled('\\P{L}')('x')).toBe(false)
    expect(compiled('(?:a{0,1000}b){0,100000}')(`${'a'.repeat(1000)}bb`)).toBe(true)
    expect(compiled('a{3,50000}')('aa')).toBe(false)
  })

  it.each([
    ['(a', "expected a ')' for each '('"],
    ['a)', "expected no ')' here"],
    ['[a', "expected a ']' for each '['"],
    ['*a', "expected something before '*'"],
    ['a{3,2}', 'the smaller one first'],
    ['a{x}', 'a count such as {2,5}'],
    ['(?=a)', 'lookarounds'],
    ['(?i)a', 'lookarounds, flags'],
    ['(a)\\1', 'no back-reference'],
    ['a\\b', 'no word boundary'],
    ['(a$)b', 'only at the beginning or the end'],
    ['[z-a]', 'from a smaller to a larger'],
    ['\\p{Nope}', 'a property that Unicode has'],
    ['\\q', "no '\\q'"],
    ['a++', 'no possessive count'],
    ['[[:alpha:]]', 'no class of POSIX'],
    ['a{999999999}', 'from 0 to 100000'],
    [`${'('.repeat(200)}${')'.repeat(200)}`, 'nested at most 100 deep'],
  ])('%s is refused', (source, why) => {
    expect(() => compiled(source)).toThrow(why)
  })
})
