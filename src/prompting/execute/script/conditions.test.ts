import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Standing, standing as together } from '../../base/constraint.ts'
import { holeRules } from './conditions.ts'
import type { Scope } from './evaluate.ts'
import { exact } from './known.ts'
import { readScript } from './read-script.ts'
import { ScriptError } from './script-error.ts'
import { conjuncts, type TextStatement } from './syntax.ts'

/** The rules of the hole `h`, of this type and under this condition. */
function rulesOf(condition: string, type = 'str') {
  const text = `"[h: ${type}]" where ${condition}`
  const { source, statements } = readScript({ name: 'a.ps', text })
  const { parts, where } = statements[0] as TextStatement
  const hole = parts.find((part) => part.kind === 'hole')!
  const scope: Scope = { source, look: (name) => (name === 'name' ? exact('Ada') : undefined), spend: () => {} }
  return holeRules(hole, conjuncts(where), scope)
}
const standing = (condition: string, text: string, type?: string): Standing =>
  rulesOf(condition, type).constraints[0]!.check(text)

describe('a condition of a hole', () => {
  it.each([
    ['len(h) < 3', 'ab', 'holds'],
    ['len(h) < 3', 'abc', 'broken'],
    ['len(h) < 3', '𝒳𝒳', 'holds'],
    ['len(h) == 3', 'ab', 'open'],
    ['len(words(h)) <= 2', 'one two', 'holds'],
    ['len(words(h)) <= 2', 'one two ', 'holds'],
    ['len(words(h)) <= 2', 'one two t', 'broken'],
    ['len(words(h)) + 1 == 2', 'one tw', 'broken'],
    ['2 < len(words(h)) < 5', 'one', 'open'],
    ['not contains(h, "no")', 'is n', 'holds'],
    ['not contains(h, "no")', 'is no', 'broken'],
    ['contains(lower(h), "no")', 'NO', 'holds'],
    ['contains(h, "x")', 'abc', 'open'],
    ['h in ["red", "green"]', 're', 'open'],
    ['h in ["red", "green"]', 'red', 'holds'],
    ['h in ["red", "green"]', 'redd', 'broken'],
    ['h not in ["red"]', 're', 'holds'],
    ['h not in ["red"]', 'red', 'open'],
    ['h == "{name}!"', 'Ad', 'open'],
    ['h == "{name}!"', 'Bo', 'broken'],
    ['starts_with(h, name)', 'A', 'open'],
    ['starts_with(h, name)', 'Abel', 'broken'],
    ['starts_with(lower(h), "a") and len(h) < 3', 'B', 'broken'],
    ['starts_with(h, "a") or starts_with(h, "b")', 'c', 'broken'],
    ['ends_with(h, ".")', 'a', 'open'],
    ['ends_with(h, ".")', 'a.', 'holds'],
    ['stops_at(h, ".")', 'a', 'open'],
    ['stops_at(h, ".")', 'a.', 'holds'],
    ['stops_at(h, ".")', 'a. ', 'broken'],
    ['stops_at(h, ".", "!")', 'a!.', 'broken'],
    ['matches(h, /[a-c]{2}/)', 'a', 'open'],
    ['matches(h, /[a-c]{2}/)', 'ab', 'holds'],
    ['matches(h, /[a-c]{2}/)', 'ad', 'broken'],
    ['matches(lower(words(h)[0]), /ab+/)', 'ABB c', 'holds'],
    ['matches(lower(words(h)[0]), /ab+/)', 'Ac', 'broken'],
    ['words(h)[1] == "two"', 'one', 'open'],
    ['words(h)[1] == "two"', 'one tr', 'broken'],
    ['len(sentences(h)) <= 1', 'One. T', 'broken'],
    ['len(sentences(h)) <= 1', 'Pi is 3.14 ', 'holds'],
    ['len(lines(h)) == 1', 'a\n\nb', 'broken'],
    ['join(words(h), "-") == "a-b"', 'a  b', 'holds'],
    ['join(words(h), "-") == "a-b"', 'a  c', 'broken'],
    ['contains(words(h), "b")', 'a b', 'holds'],
    ['contains(words(h), "b")', 'a c', 'open'],
    ['contains(name, h)', 'd', 'holds'],
    ['contains(name, h)', 'x', 'broken'],
    ['len(h) * 2 - 1 < 6', 'abcd', 'broken'],
    ['10 - len(h) > 7', 'abc', 'broken'],
    ['len(h) / 0 > 1', '', 'open'],
    ['not len(h) > 2', 'abc', 'broken'],
    ['starts_with(lower(h), "aσb")', 'AΣ', 'open'],
    ['words(h)[3] == "a"', 'a b', 'open'],
  ] as const)('%s of %j is %s', (condition, text, expected) => {
    expect(standing(condition, text)).toBe(expected)
  })

  it.each([
    ['1 <= h <= 5', 'int', '3', 'holds'],
    ['1 <= h <= 5', 'int', '7', 'broken'],
    ['1 <= h <= 5', 'int', '-', 'broken'],
    ['h >= 10', 'int', '1', 'open'],
    ['h < -3', 'int', '-2', 'open'],
    ['h != 5', 'int', '5', 'open'],
    ['h < 1.5', 'float', '1.49', 'holds'],
    ['h < 1.5', 'float', '1.5', 'broken'],
    ['h > 0.25', 'float', '0.2', 'open'],
    ['h > 0.25', 'float', '0.1', 'broken'],
    ['h', 'bool', 'true', 'holds'],
    ['len(h["a"]) > 1', 'json', '{"a": [1', 'open'],
    ['len(h["a"]) > 1', 'json', '{"a": [1, 2]}', 'holds'],
  ] as const)('%s of %s %j is %s', (condition, type, text, expected) => {
    expect(standing(condition, text, type)).toBe(expected)
  })

  it('is kept to by masks where that can be', () => {
    const structure = (condition: string, type?: string) => rulesOf(condition, type).structure
    expect(structure('1 <= h and h < 6', 'int')).toEqual({ json_schema: { type: 'integer', minimum: 1, maximum: 5 } })
    expect(structure('len(name) >= h > 0.5', 'int')).toEqual({
      json_schema: { type: 'integer', minimum: 1, maximum: 3 },
    })
    expect(structure('len("a") < 2', '"x" | "y"')).toEqual({ choice: ['x', 'y'] })
    expect(structure('len(h) > 1', 'one of words("b c")')).toEqual({ choice: ['b', 'c'] })
    expect(structure('len(h) < 9 and stops_at(h, ".")')).toEqual({
      sequence: [{ until: ['.'] }, { any_of: [{ text: '.' }] }],
    })
    expect(structure('matches(h, /a+/)')).toEqual({ regex: 'a+' })
    expect(structure('h in ["a", name]')).toEqual({ choice: ['a', 'Ada'] })
    expect(structure('len(h) < 9')).toBeUndefined()
    expect(rulesOf('len(h) < 9', 'json {"type": "array"}')).toMatchObject({
      structure: { json_schema: { type: 'array' } },
      schema: { type: 'array' },
    })
  })

  it('says its name, and reads what was written', () => {
    const { constraints, read } = rulesOf('len(h)<9 and (h>2)', 'int')
    expect(constraints.map(({ name }) => name)).toEqual(['len(h) < 9', 'h > 2'])
    expect([read('12'), read('-0'), read('012'), read('')]).toEqual([12, -0, undefined, undefined])
    expect(rulesOf('h["a"]', 'json').read('{"a')).toBeUndefined()
  })

  // What is broken stays broken: no longer text holds.
  const texts = fc
    .array(fc.constantFrom('a', 'b', 'A', 'no', ' ', '\n', '.', '! ', 'é', '𝒳', '\ud835', 'İ', 'AΣ', 'Σ', '3'), {
      maxLength: 8,
    })
    .map((parts) => parts.join(''))
  const {
    text: textOf,
    number: numberOf,
    list: listOf,
    condition,
  } = fc.letrec<{ text: string; number: string; list: string; condition: string }>((tie) => ({
    text: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      fc.constantFrom('h', 'h', 'h', '"a"', '"no"', '"ab."', '" "', '""'),
      fc.tuple(fc.constantFrom('upper', 'lower', 'trim'), tie('text')).map(([f, t]) => `${f}(${t})`),
      fc.tuple(tie('text'), tie('text')).map(([a, b]) => `(${a} + ${b})`),
      tie('text').map((t) => `"x{${t}}y"`),
      tie('list').map((list) => `join(${list}, "-")`),
      fc.tuple(tie('list'), fc.constantFrom('0', '1')).map(([list, i]) => `${list}[${i}]`),
    ),
    list: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom('["a", "no"]', 'words(h)', 'sentences(h)', 'lines(h)'),
      fc.tuple(fc.constantFrom('words', 'sentences', 'lines'), tie('text')).map(([f, t]) => `${f}(${t})`),
      fc.tuple(tie('list'), tie('list')).map(([a, b]) => `(${a} + ${b})`),
    ),
    number: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom('0', '1', '2', '5'),
      tie('text').map((t) => `len(${t})`),
      tie('list').map((list) => `len(${list})`),
      fc
        .tuple(tie('number'), fc.constantFrom('+', '-', '*', '%'), tie('number'))
        .map(([a, o, b]) => `(${a} ${o} ${b})`),
      tie('number').map((n) => `-${n}`),
    ),
    condition: fc.oneof(
      { maxDepth: 3 },
      fc
        .tuple(tie('number'), fc.constantFrom('<', '<=', '>', '>=', '==', '!='), tie('number'))
        .map(([a, o, b]) => `${a} ${o} ${b}`),
      fc
        .tuple(tie('text'), fc.constantFrom('==', '!=', 'in', 'not in'), tie('text'))
        .map(([a, o, b]) => `${a} ${o} ${b}`),
      fc.tuple(tie('text'), fc.constantFrom('in', 'not in'), tie('list')).map(([a, o, b]) => `${a} ${o} ${b}`),
      fc.tuple(tie('list'), fc.constantFrom('==', '!='), tie('list')).map(([a, o, b]) => `${a} ${o} ${b}`),
      fc
        .tuple(fc.constantFrom('contains', 'starts_with', 'ends_with', 'stops_at'), tie('text'), tie('text'))
        .map(([f, a, b]) => `${f}(${a}, ${b})`),
      fc
        .tuple(tie('text'), fc.constantFrom('[ab]+', '(a|no)*', '.\\.', '[^n]*'))
        .map(([t, p]) => `matches(${t}, /${p}/)`),
      fc.tuple(tie('condition'), fc.constantFrom('and', 'or'), tie('condition')).map(([a, o, b]) => `(${a} ${o} ${b})`),
      tie('condition').map((c) => `not (${c})`),
    ),
  }))
  void [textOf, numberOf, listOf]

  it('is never broken where a longer text holds', () => {
    let broken = 0
    fc.assert(
      fc.property(condition, fc.array(texts, { minLength: 2, maxLength: 4 }), (written, several) => {
        const { constraints } = rulesOf(written)
        // Each text, and all behind each other, at every place.
        for (const text of [...several, several.join('')]) {
          const found: Standing[] = []
          try {
            for (let end = 0; end <= text.length; end++) found.push(together(text.slice(0, end), constraints).standing)
          } catch (error) {
            expect(error).toBeInstanceOf(ScriptError) // a fault whatever the hole is, such as a division by 0
            return
          }
          const first = found.indexOf('broken')
          if (first >= 0)
            expect([text, first, found.slice(first)]).toEqual([text, first, expect.not.arrayContaining(['holds'])])
          if (first >= 0 && first < text.length) broken++
        }
      }),
      { numRuns: 3_000, seed: 16 },
    )
    expect(broken).toBeGreaterThan(1_000)
  }, 60_000)

  it('is never broken where a longer number holds', () => {
    const comparison = fc.tuple(
      fc.constantFrom('h', '-h', 'h * 2', 'h + 1', '3 - h', 'h * h', 'h * -1'),
      fc.constantFrom('<', '<=', '>', '>=', '==', '!='),
      fc.integer({ min: -30, max: 130 }).map((n) => n / 2),
    )
    const digits = fc.tuple(
      fc.constantFrom('', '-'),
      fc.integer({ min: 0, max: 400 }),
      fc.constantFrom('', '.5', '.04', '.999999'),
    )
    fc.assert(
      fc.property(comparison, digits, ([left, operator, right], [sign, whole, decimals]) => {
        for (const type of ['int', 'float']) {
          const text = `${sign}${whole}${type === 'int' ? '' : decimals}`
          const [constraint] = rulesOf(`${left} ${operator} ${right}`, type).constraints
          const found = Array.from({ length: text.length + 1 }, (_, end) => constraint!.check(text.slice(0, end)))
          const first = found.indexOf('broken')
          if (first >= 0) expect(found.slice(first)).not.toContain('holds')
        }
      }),
      { numRuns: 2_000, seed: 16 },
    )
  })
})
