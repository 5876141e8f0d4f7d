import { describe, expect, it } from 'vitest'
import { checkScript } from './check-script.ts'
import { readScript } from './read-script.ts'
import { ScriptError } from './script-error.ts'
import type { ScriptType } from './script-type.ts'

function check(text: string, given: Record<string, ScriptType> = {}) {
  const { source, statements } = readScript({ name: 'a.ps', text })
  return checkScript(source, statements, new Map(Object.entries(given)))
}
const faultsOf = (text: string, given?: Record<string, ScriptType>): string[] => {
  try {
    check(text, given)
  } catch (error) {
    expect(error).toBeInstanceOf(ScriptError)
    return (error as ScriptError).faults.map(({ line, column, message }) => `${line}:${column}: ${message}`)
  }
  return []
}

describe('checkScript', () => {
  it('finds no fault in the script of the book', () => {
    const checked = check(`"Review: {review}\\n"
"Stars (1-5): [stars: int]\\n"            where 1 <= stars <= 5
"In one sentence: [why]"                 where len(words(why)) < 20 and stops_at(why, ".")
if stars < 3: "\\nApology: [sorry]"       where not contains(sorry, "unfortunately")`)
    expect([...checked.variables.keys()]).toEqual(['review'])
    expect([...checked.names.keys()]).toEqual(['stars', 'why', 'sorry'])
    expect(checked.hasTurns).toBe(false)
  })

  it.each([
    ['input a\n"{b}"', /^2:3: expected a name that the script knows, got 'b'\. Declare it with `input b`$/],
    ['input review\n"{reveiw}"', /Did you mean 'review'\?$/],
    [
      '"[a]" where len(words(a)) < 3 and wrds(a) == 2',
      /^1:35: expected a function that there is .* Did you mean 'words'\?$/,
    ],
    [
      '"{stars}[stars: int]"',
      /^1:3: expected a hole that is filled before it is read, got 'stars', which comes in line 1$/,
    ],
    [
      'if x == "a": "[a]"\n"{a}"',
      /^2:3: expected a hole that is filled .* got 'a', whose line 1 may not have been run$/,
    ],
    ['for x in ["a"]: "[a]"\n"{a}"', /^2:3: .* line 1 may not have been run$/],
    [
      '"[a]"\n"[b]" where len(a) < 3',
      /^2:13: expected a condition on a hole of this text \(b\), got one on 'a', which is filled elsewhere$/,
    ],
    ['"[b]" where 1 < 2', /^1:13: expected a condition on a hole of this text \(b\), got one without$/],
    ['"b" where 1 < 2', /^1:11: expected a condition on a hole, and a text that has one/],
    ['"[a: int]" where a < "5"', /^1:20: expected two numbers or two texts to compare, got a number and a text$/],
    ['"[a: int]" where a', /^1:18: expected true or false as a condition, got a number$/],
    ['"[a]" where len(a, a) < 2', /^1:13: expected 1 value for len, got 2$/],
    ['"[a]" where len(3) < len(a)', /^1:17: expected a text or a list for len, got a number$/],
    ['"[a: "x" | "y"]"\nif a == "z": "b"', /^2:9: expected one of the choices \("x", "y"\), got "z"$/],
    ['"[a: "good" | "bad"]"\nif "goood" == a: "b"', /Did you mean 'good'\?$/],
    ['"[a: "x" | "x"]"', /expected choices that differ/],
    ['"[a: one of "xy"]"', /^1:13: expected a list of texts after one of, got a text$/],
    ['"[a: /(b/]"', /^1:2: regular expression '\(b'/],
    ['"[a]" where matches(a, /(?=b)/)', /^1:24: .*look/],
    ['"[a]" where matches(a, "b")', /expected a \/pattern\/ for matches, got a text/],
    ['let a = /b/', /^1:9: expected a value, got a \/pattern\//],
    ['"[a] [a]"', /^1:6: expected a name that this text has once/],
    ['let a = 1\n"[a]"', /^2:2: expected a name that is free, got 'a', which is a name of let in line 1$/],
    ['let a = 1\nlet a = "b"', /^2:1: expected a number for 'a', as in line 1, got a text$/],
    ['for x in "abc": "a"', /^1:10: expected a list after in, got a text$/],
    ['repeat "2": "a"', /^1:8: expected a number after repeat/],
    ['let x = 1 + "a"', /^1:11: expected two numbers, two texts or two lists for \+, got a number and a text$/],
    ['let x = 1 - "a"', /^1:13: expected a number after -, got a text$/],
    ['let x = not 1', /expected true or false after not, got a number/],
    ['let x = 1 in 2', /expected a list or a text after in, got a number/],
    ['return 1\n"a"', /^2:1: expected nothing behind return/],
    [
      'user "a"\nassistant "b"\nuser "[c]"',
      /^3:7: expected holes in turns of the assistant alone, got 'c' in one of the user$/,
    ],
    ['"a"\nuser "b"', /^1:1: expected system, user or assistant before the first text/],
    ['assistant "a"\nrepeat 2:\n  "[x]"\n  user "b"', /^3:4: expected holes in turns of the assistant alone/],
    ['user "a"\nif "a" == b:\n  assistant "[x]"\n"[y]"', /^4:2: expected holes in turns of the assistant alone/],
    ['input a: int = "b"', /^1:16: expected a number for a: int, got a text$/],
    ['if true:\n  input a', /^2:3: expected input outside of blocks/],
    ['input a\ninput a', /^2:1: expected one input of this name/],
    ['"[a: json {"type": "nothing"}]"', /^1:2: /],
  ])('%s', (text, fault) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(fault)])
  })

  it('follows what is filled through branches and loops', () => {
    expect(faultsOf('if a == "b": "[x]"\nelif a == "c": "[x: int]"\nelse: "[x]"')).toHaveLength(1)
    expect(faultsOf('if a == "b": "[x]"\nelse: "[x]"\n"{x}"')).toEqual([])
    expect(faultsOf('if a == "b":\n  "[x]"\nelse:\n  return\n"{x}"')).toEqual([])
    expect(faultsOf('repeat 2: "[x]"\n"{x}"')).toEqual([])
    expect(faultsOf('repeat n: "[x]"\n"{x}"')).toHaveLength(1)
    expect(faultsOf('for x in ["a"]:\n  "{x}[y: int]" where y > len(x)\n  let z = y + 1')).toEqual([])
    expect(faultsOf('let all = []\nrepeat 2:\n  "[x]"\n  let all = all + [x]\nreturn all')).toEqual([])
    expect(faultsOf('user "a"\nassistant "[x]"\nrepeat 2:\n  user "{x}"\n  assistant "[y]"\n"[z]"')).toEqual([])
  })

  it('knows the types of variables that are given', () => {
    expect(faultsOf('if n < 3: "a"', { n: 'number' })).toEqual([])
    expect(faultsOf('if n < 3: "a"', { n: 'str' })).toEqual([expect.stringMatching(/got a text and a number$/)])
    expect(faultsOf('for x in xs: "{x + 1}"', { xs: { list: 'str' } })).toHaveLength(1)
  })

  it('tells all faults, to a number', () => {
    expect(faultsOf('"{len(1)}"\n"{len(2)}"')).toHaveLength(2)
    expect(faultsOf('"{len(1)}"\n'.repeat(100))).toHaveLength(20)
    expect(() => check('"{len(1)}"\n"{len(2)}"')).toThrow(/\(and 1 more\)$/)
  })

  it('takes time in proportion to the text', () => {
    const many = Array.from({ length: 4_000 }, (_, i) => `if x == "a": "[h${i}]"\nelse: "[h${i}]"`).join('\n')
    expect(check(many).names.size).toBe(4_000)
  })
})
