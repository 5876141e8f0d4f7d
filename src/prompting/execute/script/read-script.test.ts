import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printScript } from './print-script.ts'
import { readScript } from './read-script.ts'
import { ScriptError } from './script-error.ts'

const read = (text: string) => readScript({ name: 'a.ps', text }).statements
const printed = (text: string) => printScript(read(text))
const faultOf = (text: string) => {
  try {
    read(text)
  } catch (error) {
    expect(error).toBeInstanceOf(ScriptError)
    return error as ScriptError
  }
  throw new Error(`expected a fault of ${text.slice(0, 40)}`)
}

describe('readScript', () => {
  it('reads every statement, and prints it in one form', () => {
    const script = String.raw`# Reviews.
temperature 0.7
input review
input limit: int = 3   # a number
system "Be \"brief\"."
user "Review: {review}\n\[{ limit+1 }\]"
assistant "Stars: [ stars : int ]\n"    where 1 <= stars <= 5 and not (stars in [2, 4])
"[why] [kind:"a"|"b"][id: /[A-Z]{2}\d\/{6}/][pick: one of words(review)][x: json {"type":
   "object"}]" where len(words(why)) < 20
if stars < 3: "Sorry: [sorry]"
elif stars==3 or stars - 1 - (2 - 1) == 1:
    for word in [
      "a",  # one
      "b{stars}"]:

      "{word}"
    repeat 2: "x"
else:
  let rest = words(why)[0] + "!"
return [stars, -stars, true, null, 1.5, matches(why, /a#b/)]
`
    expect(printed(script)).toBe(String.raw`temperature 0.7
input review: str
input limit: int = 3
system "Be \"brief\"."
user "Review: {review}\n\[{limit + 1}\]"
assistant "Stars: [stars: int]\n" where 1 <= stars <= 5 and not stars in [2, 4]
"[why] [kind: "a" | "b"][id: /[A-Z]{2}\d\/{6}/][pick: one of words(review)][x: json {"type":"object"}]" where len(words(why)) < 20
if stars < 3:
  "Sorry: [sorry]"
elif stars == 3 or stars - 1 - (2 - 1) == 1:
  for word in ["a", "b{stars}"]:
    "{word}"
  repeat 2:
    "x"
else:
  let rest = words(why)[0] + "!"
return [stars, -stars, true, null, 1.5, matches(why, /a#b/)]
`)
  })

  it.each([
    ['"a[b: itn]"', '1:7', /expected a type \(str, int.*got 'itn'\. Did you mean 'int'\?$/],
    ['iff x: "a"', '1:1', /got 'iff'\. Did you mean 'if'\?$/],
    ['if x\n "a"', '1:5', /expected ':', got the end of the line/],
    ['if x:\n"a"', '2:1', /expected a line with more than 0 spaces/],
    ['if x:\n  "a"\n "b"', '3:2', /expected no spaces before this line/],
    ['if x: for y in z: "a"', '1:7', /expected a new line before for/],
    ['"a"\n  "b"', '2:3', /expected no spaces.* got 2$/],
    ['\t"a"', '1:1', /expected spaces.* got a tab/],
    ['else: "b"', '1:1', /expected an if before this else/],
    ['"a[b]" where b = 2', '1:16', /expected '==' to compare/],
    ['let x = (1 +\n 2', '2:3', /expected '\)', got the end of the script/],
    ['"Zoë: \\q"', '1:7', /expected \\n, \\t/],
    ['"a', '1:3', /expected a closing "/],
    ['"{}"', '1:3', /expected a value between \{ and \}/],
    ['"[]"', '1:3', /the name of a hole after \[, or \\\[ for a plain bracket/],
    ['let x = "a [b]"', '1:12', /expected a text without holes/],
    ['let if = 2', '1:5', /got the word 'if'/],
    ['temperature 200', '1:13', /expected a number from 0 to 100 for temperature, got 200/],
    ['max_tokens 2.5', '1:12', /expected a whole number/],
    ['"[a: /b]"', '1:6', /expected a closing \/ of this pattern/],
    ['"[a: "{b}"]"', '1:7', /For values write `one of LIST`/],
    ['"[a: json {"b": }]"', '1:11', /expected JSON, got /],
    ['"a" "b"', '1:5', /expected the end of the line, got '"'/],
  ])('%s', (text, place, message) => {
    const error = faultOf(text)
    expect(error.message).toMatch(new RegExp(`^a\\.ps:${place}: `))
    expect(error.message).toMatch(message)
    expect(error.exitCode).toBe(2)
  })

  it('shows the line and a mark under the place', () => {
    expect(faultOf('"fine"\n"Zoë: [x: it]"').faults[0]).toMatchObject({
      line: 2,
      column: 11,
      excerpt: `"Zoë: [x: it]"\n          ^`,
    })
    const long = faultOf(`"${'a'.repeat(500)}\\q"`).faults[0]!
    const [line, mark] = long.excerpt.split('\n')
    expect([line!.length, line![mark!.length - 1]]).toEqual([53, '\\'])
  })

  it('refuses what is nested or long without end in one line', () => {
    const bombs = [
      `let x = ${'('.repeat(100_000)}`,
      `let x = ${'not '.repeat(60_000)}`,
      `let x = ${'-'.repeat(200_000)}1`,
      `let x = 1${'+1'.repeat(100_000)}`,
      `let x = x${'[0]'.repeat(80_000)}`,
      `"${'{"'.repeat(60_000)}`,
      `"[a: json ${'['.repeat(200_000)}]"`,
      `"[a: json {"b":${'['.repeat(200_000)}]"`,
      Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}repeat 2:\n`).join(''),
      `let x = ${'f('.repeat(90_000)}`,
      '"a"\n'.repeat(500_000),
      '\u0000'.repeat(2_000_000),
    ]
    for (const bomb of bombs) {
      const { message } = faultOf(bomb)
      expect(message).toMatch(/^a\.ps:\d+:\d+: expected /)
      expect(message).not.toContain('\n')
      expect(message.length).toBeLessThan(400)
    }
  })

  it('reads or refuses any text, and what it prints is what it read', () => {
    const piece = fc.constantFrom(
      ...[
        '"',
        '[',
        ']',
        '{',
        '}',
        '(',
        ')',
        ':',
        '|',
        '/',
        '\\',
        '\n',
        '\n  ',
        '\n    ',
        ' ',
        '#',
        ',',
        '=',
        '==',
        '<',
      ],
      ...['if ', 'elif ', 'else', 'for ', 'in ', 'repeat ', 'let ', 'return ', 'where ', 'not ', 'and ', 'input '],
      ...['x', 'why', 'int', 'json', '1', '2.5', '-', '+', '*', 'len(', 'true', '"a"', '"[x: int]"', 'user ', 'é', '𝒳'],
      ...['\r\n', '\u0000', '\ud800', '/a/', 'seed 1', 'one of ', 'if x:\n  "a"\n', 'let x = 1\n', 'x < 2', '\\n'],
    )
    let read_ = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        let form: string
        try {
          form = printed(pieces.join(''))
        } catch (error) {
          expect(error).toBeInstanceOf(ScriptError)
          return
        }
        read_++
        expect(printed(form)).toBe(form)
      }),
      { numRuns: 3_000, seed: 16 },
    )
    expect(read_).toBeGreaterThan(100)
  })

  it('prints what any expression means', () => {
    const { expression } = fc.letrec((tie) => ({
      expression: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom('x', '1', '0.5', '"a\\{b"', 'true', 'null', '/a\\/[b\\/]/', '"{x}!"'),
        fc
          .tuple(
            tie('expression'),
            fc.constantFrom('and', 'or', '+', '-', '*', '/', '%', '<', '<=', '==', '!=', 'in', 'not in'),
            tie('expression'),
          )
          .map(([a, o, b]) => `(${a}) ${o} (${b})`),
        fc
          .tuple(tie('expression'), fc.constantFrom('+', '<', '-', 'and'), tie('expression'))
          .map(([a, o, b]) => `${a} ${o} ${b}`),
        tie('expression').map((a) => `(not ${a})`),
        tie('expression').map((a) => `-(${a})`),
        tie('expression').map((a) => `(${a})[0]`),
        fc.array(tie('expression'), { maxLength: 3 }).map((all) => `f(${all.join(', ')})`),
        fc.array(tie('expression'), { maxLength: 3 }).map((all) => `[${all.join(',')}]`),
      ),
    }))
    const bare = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (name, part: unknown) => (name === 'at' ? undefined : part)))
    fc.assert(
      fc.property(expression as fc.Arbitrary<string>, (text) => {
        const statements = read(`let y = ${text}`)
        const form = printScript(statements)
        expect(bare(read(form))).toEqual(bare(statements))
      }),
      { numRuns: 500, seed: 16 },
    )
  })
})
