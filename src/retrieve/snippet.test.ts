import { expect, it } from 'vitest'
import { snippet } from './snippet.ts'
import { tokenizer } from './tokenize.ts'

const words = tokenizer()

it('shows where the words of the query are', () => {
  const text = `${'Nothing here. '.repeat(50)}Then press reset, and a new\n\npassword comes. ${'Nothing more. '.repeat(50)}`
  const shown = snippet(text, 'reset password', words, 60)
  expect(shown).toMatch(/^….*reset, and a new password.*…$/)
  expect([...shown]).toHaveLength(62)
})
it('shows a short text whole, and the beginning where nothing is found', () => {
  expect(snippet(' a  b\n', 'x', words)).toBe('a b')
  expect(snippet('abc '.repeat(100), 'x', words, 7)).toBe('abc abc…')
  expect(snippet(`${'x '.repeat(100)}end`, 'end', words, 10)).toBe('…x x x end')
})
it('finds Chinese, which has no spaces, and cuts no character in two', () => {
  expect(snippet(`${'天'.repeat(300)}密码重置${'地'.repeat(300)}`, '密码重置', words, 20)).toContain('密码重置')
  expect(snippet('😀'.repeat(300), 'x', words, 5)).toBe(`${'😀'.repeat(5)}…`)
})
