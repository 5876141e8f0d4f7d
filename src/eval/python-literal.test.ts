import { expect, it } from 'vitest'
import { pythonLiteral } from './python-literal.ts'

it.each([
  ["['a', \"it's\"]", ['a', "it's"]],
  ["('x',)", ['x']],
  ['(1)', 1],
  ["{'a': 1, 'b': [True, None]}", { a: 1, b: [true, null] }],
  ["'\\n\\x41\\u00e6\\\\'", '\nAæ\\'],
  ['[1, -2.5, 1_000, 1e3]', [1, -2.5, 1000, 1000]],
  ["['a' 'b']", ['ab']],
  ['[]', []],
])('reads %s', (text, value) => {
  expect(pythonLiteral(text)).toEqual(value)
})

it.each(['[a]', "['a'", '', '[1] 2', '__import__("os")', '['.repeat(1000)])('takes %s for none', (text) => {
  expect(pythonLiteral(text)).toBeUndefined()
})
