import { expect, it } from 'vitest'
import { bareWords, WordRuns } from './word-runs.ts'

const words = (count: number, name = 'w'): string => Array.from({ length: count }, (_, i) => `${name}${i}`).join(' ')

it('compares words without case, punctuation and way of encoding, and keeps digits', () => {
  expect(bareWords('  The quick -- "brown" FOX•jumps_over 3.5 dogs!')).toBe('the quick brown fox jumps over 3 5 dogs')
  expect(bareWords('A\u030Arhus \uFF11\uFF12 na\u00EFve')).toBe(bareWords('\u00C5rhus 12 nai\u0308ve'))
  expect(bareWords('我愛你 ok')).toBe('我 愛 你 ok')
  expect(bareWords('…')).toBe('')
})

it('finds a run of thirteen words, and not one of twelve', () => {
  const runs = new WordRuns()
  expect(runs.add(words(20), 7)).toBe(true)
  expect(runs.find(`before ${words(13)} after`)).toEqual(new Set([7]))
  expect(runs.find(`before ${words(12)} after`)).toEqual(new Set())
})

it('looks for a short text as a whole, and not for fewer than five words', () => {
  const runs = new WordRuns()
  expect(runs.add('one two three four', 0)).toBe(false)
  expect(runs.add('one two three four five', 1)).toBe(true)
  expect(runs.find('zero one two, three four five six')).toEqual(new Set([1]))
  // Shorter than any run: the whole of it is hashed elsewhere, but it is no run of five.
  expect(runs.find('one two three four')).toEqual(new Set())
})

it('tells items of arithmetic apart', () => {
  const runs = new WordRuns()
  runs.add('Anna has 12 apples and buys 30 more.', 0)
  runs.add('Anna has 13 apples and buys 30 more.', 1)
  expect(runs.find('They said: Anna has 13 apples and buys 30 more. How many?')).toEqual(new Set([1]))
  expect(runs.find('They said: Anna has 14 apples and buys 30 more. How many?')).toEqual(new Set())
})

it('names every item that has a run, also among thousands', () => {
  const runs = new WordRuns(5)
  for (let item = 0; item < 3000; item++) runs.add(words(6, `item${item}x`), item)
  runs.add(words(6, 'item17x'), 5000)
  expect(runs.find(`a ${words(5, 'item17x')} b ${words(5, 'item2999x')}`)).toEqual(new Set([17, 5000, 2999]))
  expect(runs.find(words(100))).toEqual(new Set())
})
