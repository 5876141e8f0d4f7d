import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BAD_WORD_LANGUAGES, hasBadWord } from './bad-words.ts'
import { preset } from './presets.ts'
import { judge } from './quality.ts'
import { NO_RULES, withOverrides } from './rules.ts'
import { TextView } from './text-view.ts'

it('finds words and phrases between signs that are no letters, and nothing inside of words', () => {
  const words = ['bunga', 'two bad words', 'a&b', '☠']
  for (const text of ['Bunga!', 'x (BUNGA)', 'they said two bad words', 'an a&b.', 'so ☠ it', '☠', 'bunga_ bunga'])
    expect([text, hasBadWord(text, words)]).toEqual([text, true])
  for (const text of ['bungas', 'xbunga', 'bunga_', 'éBunga', 'two bad  words', 'two bad wordsmiths', 'a&bc', 'x☠', ''])
    expect([text, hasBadWord(text, words)]).toEqual([text, false])
})

it('finds words anywhere in scripts without spaces, but for those that C4 allows', () => {
  expect(hasBadWord('これは裸です', 'ja')).toBe(true)
  expect(hasBadWord('男性和女性', 'zh')).toBe(false)
  expect(hasBadWord('これは禁句です', ['禁句'])).toBe(true)
})

it('has the lists that it names', () => {
  for (const language of BAD_WORD_LANGUAGES)
    expect(
      existsSync(fileURLToPath(new URL(`../../../node_modules/naughty-words/${language}.json`, import.meta.url))),
    ).toBe(true)
  expect(() => hasBadWord('x', 'xx')).toThrow(/rules.bad_words: expected a list of words or one of ar .*got 'xx'/)
})

it('is a rule of the preset c4 alone, and takes a language or words', () => {
  expect(['gopher', 'c4', 'mc4', 'fineweb'].map((name) => preset(name).bad_words)).toEqual([null, 'en', null, null])
  const rules = withOverrides(NO_RULES, { bad_words: ['bunga'] })
  expect(judge(new TextView('Oh bunga, they said.'), rules)).toEqual({ reason: 'bad_words' })
  expect(judge(new TextView('Oh dear, they said.'), rules)).not.toHaveProperty('reason')
  expect(withOverrides(NO_RULES, { bad_words: 'da' }).bad_words).toBe('da')
  expect(() => withOverrides(NO_RULES, { bad_words: 'dansk' })).toThrow(
    /rules.bad_words: expected a list of words, one of ar/,
  )
})
