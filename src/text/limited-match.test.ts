import { expect, it } from 'vitest'
import { limitedMatch } from './limited-match.ts'

const HOPELESS = '(a+)+$'
const text = `${'a'.repeat(40)}b`

it('ends a match that would take years, with one line', () => {
  expect(() => limitedMatch(HOPELESS, () => new RegExp(HOPELESS).exec(text), 100)).toThrow(
    "regular expression '(a+)+$': expected it to be done with a text within 0.1 s, got no end",
  )
})
it('gives what is found, and errors as they are', () => {
  expect(limitedMatch('(\\d+) (\\d+)', () => /(\d+) (\d+)/.exec('1 22')?.[2], 1000)).toBe('22')
  const error = new TypeError('as it is')
  const fail = (): never => {
    throw error
  }
  expect(() => limitedMatch('a+b+', fail)).toThrow(error)
})
