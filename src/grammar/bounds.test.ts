// Structures that would take a process for ever, or all of its memory: each is followed, or refused in one line, in bounded steps.
import { describe, expect, it } from 'vitest'
import { compileGrammar, type Structure } from './grammar.ts'
import { GrammarMasks } from './grammar-mask.ts'
import { StructuredText } from './structured-text.ts'
import { TokenTrie } from './token-trie.ts'

const encoder = new TextEncoder()
const texts = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...['aa', 'aaaa', 'aaaaaaaa', 'ab', 'ba', '{"', '":'].map((text) => encoder.encode(text)),
  new Uint8Array(0),
]
const END = texts.length - 1
const trie = new TokenTrie(texts)

/** Forty tokens of the longest that may come; the end only where nothing else may. */
function written(structure: Structure): string {
  const mask = new GrammarMasks(compileGrammar(structure), trie, { endTokenIds: [END] }).mask({ maxNewTokens: 2000 })
  const ids: number[] = []
  while (ids.length < 40) {
    const bits = mask(ids)
    const allowed = [...texts.keys()].filter((id) => ((bits[id >>> 5]! >>> (id & 31)) & 1) === 1 && id !== END)
    if (allowed.length === 0) break
    ids.push(allowed.at(-1)!)
  }
  return Buffer.concat(ids.map((id) => texts[id]!)).toString()
}

const rules = (count: number, body: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => `r${i + 1} ::= ${body(i)}`).join('\n')

describe('what is followed', () => {
  it.each([
    ['(a{0,1000}){0,1000}', 'a'.repeat(320)],
    ['((a{1,100000}){1,100000}){1,100000}', 'a'.repeat(320)],
    ['(a+)+', 'a'.repeat(320)],
    ['(a|b)*a(a|b){100}', 'ba'.repeat(40)],
  ])('%s', (regex, text) => {
    expect(written({ regex })).toBe(text)
  })

  it('thousands of choices, by what they begin with alike', () => {
    const choice = Array.from({ length: 6000 }, (_, i) => `c${i}`)
    const text = new StructuredText(compileGrammar({ choice }))
    expect([text.push('c'), text.isWhole, text.allows('6000'), text.push('5999'), text.isWhole]).toEqual([
      true,
      false,
      false,
      true,
      true,
    ])
    expect(written({ choice: ['', 'a', 'aab', 'aab', 'é'] })).toBe('aab')
  })

  it('rules that call each other in either order', () => {
    for (const grammar of [
      `root ::= r1\n${rules(1000, (i) => `r${i + 2}`)}\nr1001 ::= "x"`,
      `root ::= r1000\nr0 ::= "x"\n${rules(1000, (i) => `r${i}`)}`,
    ])
      expect(written({ grammar })).toBe('x')
  })
})

describe('what is refused', () => {
  const anyOf = (i: number): unknown => ({
    anyOf: ['a', 'b'].map((name) => ({ properties: { [name + i]: { type: 'integer' } }, required: [name + i] })),
  })
  let nested: Structure = { text: 'a' }
  for (let i = 0; i < 3000; i++) nested = { sequence: [nested] }
  const REFUSED: readonly (readonly [name: string, structure: Structure, why: string])[] = [
    ['a text of 10¹⁰ bytes', { regex: '(a{100000}){100000}' }, 'shortest text has at most 8192 bytes'],
    ['a text of 2⁶⁰ bytes', { grammar: `root ::= r60\nr0 ::= "x"\n${rules(60, (i) => `r${i} r${i}`)}` }, 'shortest text has at most 8192 bytes'],
    ['2³⁰ readings of one byte', { grammar: `root ::= r30\nr0 ::= "x"?\n${rules(30, (i) => `r${i} r${i}`)}` }, 'expected at most 1024 readings'],
    ['rows of optional parts', { regex: `${'a?'.repeat(2000)}a{2000}` }, 'expected a place whose next bytes are found in'],
    ['names with a count over anything', { json_schema: { type: 'object', propertyNames: { pattern: 'a.{40}b' } } }, 'expected a place whose next bytes are found in'],
    ['20,000 optional parts', { regex: 'a?'.repeat(20_000) }, 'expected parts that are not nested so deep'],
    ['3000 structures within each other', nested, 'expected parts that are not nested so deep'],
    ['2¹⁴ alternatives', { json_schema: { allOf: Array.from({ length: 14 }, (_, i) => anyOf(i)) } }, 'expected at most 8000 schemas'],
    ['a list of 100,000', { json_schema: { type: 'array', items: { type: 'integer' }, minItems: 100_000 } }, 'shortest text has at most 8192 bytes'],
  ] // biome-ignore format: a table
  it.each(REFUSED)('%s', (_, structure, why) => {
    expect(() => written(structure)).toThrow(why)
  })

  it('a constant is held to its pattern without trying for ever', () => {
    const schema = { enum: [`${'a'.repeat(40)}!`], pattern: '^(a+)+$' }
    expect(() => compileGrammar({ json_schema: schema })).toThrow(
      'expected a constant that the rest of its schema allows',
    )
    expect(written({ json_schema: { const: 'hello!', pattern: '^hello\\!$' } })).toBe('"hello!"')
  })

  it('what is no structure', () => {
    const bad: readonly (readonly [unknown, string])[] = [
      [null, 'structure: expected one of json_schema, regex'],
      [{}, 'structure: expected one of json_schema, regex'],
      [{ regex: 5 }, 'regex: expected a text, got 5'],
      [{ regex: 'a', choice: ['b'] }, 'got regex and choice'],
      [{ choice: [1] }, 'choice: expected a list of texts, got [1]'],
      [{ sequence: 'abc' }, 'sequence: expected a list of structures'],
      [{ repeat: { text: 'a' }, min: -3 }, 'repeat: expected a whole number from 0 for min, got -3'],
      [{ repeat: { text: 'a' }, max: 2.5 }, 'repeat: expected a whole number from 0 for max, got 2.5'],
      [{ json_schema: true, whitespace: 'none' }, 'whitespace: expected compact or any'],
      [{ regex: 'a', min: 3 }, "expected regex alone, got 'min' too"],
    ]
    for (const [structure, why] of bad) expect(() => compileGrammar(structure as Structure)).toThrow(why)
  })
})
