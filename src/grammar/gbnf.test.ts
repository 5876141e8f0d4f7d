// Grammars in GBNF: what they allow, and what is refused with its line.
import { describe, expect, it } from 'vitest'
import { compileGrammar } from './grammar.ts'
import { StructuredText } from './structured-text.ts'

function accepts(grammar: string, text: string): boolean {
  const structured = new StructuredText(compileGrammar({ grammar }))
  return structured.push(text) && structured.isWhole
}

describe('GBNF', () => {
  it.each([
    ['root ::= "a" | "b"+', ['a', 'b', 'bbb'], ['', 'ab', 'c']],
    [
      'root ::= expr\nexpr ::= term ("+" term)*\nterm ::= [0-9]+ | "(" expr ")"',
      ['1+2', '((1)+22)+3'],
      ['1+', '(1', '+1'],
    ],
    [
      '# a remark\nroot ::= x # one\n  | y\nx ::= "é\\n"\ny ::= [^a-z\\n]{2,3}',
      ['é\n', '12', '日本語'],
      ['ab', '1', '1234', '1\n'],
    ],
    ['root ::= "(" root ")" | ""', ['', '()', '((()))'], ['(()', ')(']],
    ['root ::= (\n  "a"\n  | "b"\n)? "c"\n\nother-rule ::= "x"', ['c', 'ac', 'bc'], ['abc', 'a']],
    ['root ::= "\\x41\\u00e9\\U0001F600" .', ['Aé😀!'], ['Aé😀']],
    // A long list that ends in its own rule, and one whose parts may be empty.
    ['root ::= item root | ""\nitem ::= [a-z] ","', ['', 'a,'.repeat(500)], ['a']],
    ['root ::= a b a\na ::= "x"?\nb ::= a "y"?', ['', 'x', 'xx', 'xyx', 'xxyx'], ['yy', 'xxxx']],
  ])('%j', (grammar, good, bad) => {
    expect(good.filter((text) => !accepts(grammar, text))).toEqual([])
    expect(bad.filter((text) => accepts(grammar, text))).toEqual([])
  })

  it.each([
    ['x ::= "a"', "expected a rule 'root'"],
    ['root ::= x', "grammar:1: expected a rule 'x', got none"],
    ['root ::= "a"\nroot ::= "b"', "grammar:2: expected one rule 'root', got a second one"],
    ['root ::= "a', "expected a '\"' at the end of the text, got the end"],
    ['root ::= ("a"', "expected a ')' for each '('"],
    ['root = "a"', "expected '::=' behind 'root', got '= \"a\"'"],
    ['root ::= [z-a]', 'from a smaller to a larger character'],
    ['root ::= "a"{5,2}', 'the smaller number first'],
    ['root ::= "\\q"', "a known character behind '\\'"],
    ['root ::= root "a" | "b"', "got 'root', which begins with itself"],
    ['root ::= x\nx ::= y? x\ny ::= "a"', "got 'x', which begins with itself"],
    ['root ::= "a" root', 'some text has, got one that none has'],
    ['root ::= "a" ::= "b"', 'expected the end of the line'],
    [`root ::= ${'('.repeat(300)}`, 'nested at most 100 deep'],
  ])('%j is refused', (grammar, why) => {
    expect(() => accepts(grammar, '')).toThrow(why)
  })

  it('is followed where its readings stay few, and says so where they do not', () => {
    expect(accepts('root ::= ("a" | "aa" | "aaa")* "b"', `${'a'.repeat(2000)}b`)).toBe(true)
    const many = Array.from({ length: 1200 }, (_, i) => `"a" r${i}`).join(' | ')
    const rules = Array.from({ length: 1200 }, (_, i) => `r${i} ::= [ab] r${i} "${i}" | "x"`).join('\n')
    expect(() => accepts(`root ::= ${many}\n${rules}`, 'ab')).toThrow('expected at most 1024 readings')
  })
})
