import { describe, expect, it } from 'vitest'
import { pythonEscape, pythonFindAll, pythonSub } from './python-regex.ts'

describe("Python's regular expressions", () => {
  it.each([
    ['#### (\\-?[0-9\\.\\,]+)', 'so #### -1,234.5 it is', ['-1,234.5']],
    [
      '(\\w+)=(\\d+)',
      'æ=1 b=22',
      [
        ['æ', '1'],
        ['b', '22'],
      ],
    ],
    ['(?P<a>x)(?P=a)', 'xx', ['x']],
    ['(?i)answer: ([a-d])', 'ANSWER: B', ['B']],
    ['[^\\s,]+', 'a, b', ['a', 'b']],
    ['end$', 'end\n', ['end']],
    ['a{2}|\\{x}', 'aa{x}', ['aa', '{x}']],
    ['a.b', 'a\nb a\rb', ['a\rb']],
    ['[\\]x[]', '[]x', ['[', ']', 'x']],
    ['\\Aa\\Z', 'a', ['a']],
    ["'(.*?)'", "'x' 'y'", ['x', 'y']],
  ] as const)('finds %j in %j', (pattern, text, found) => {
    expect(pythonFindAll(pattern, text)).toEqual(found)
  })

  it('substitutes groups by number and name, so many times', () => {
    expect(pythonSub('(?P<w>\\w)(\\d)', '\\2\\g<w>!', 'a1 b2')).toBe('1a! 2b!')
    expect(pythonSub('a', 'b', 'aaa', 2)).toBe('bba')
    expect(pythonSub('\\[.*?\\]', '', 'How [step] to')).toBe('How  to')
  })

  it('escapes what has a meaning', () => {
    const text = 'a.b (c) [d]-{e} #&~ $^|\\'
    expect(pythonFindAll(pythonEscape(text), `x${text}y`)).toEqual([text])
  })

  it('names a pattern that is malformed', () => {
    expect(() => pythonFindAll('(a', 'a')).toThrow("regular expression '(a'")
  })
})
