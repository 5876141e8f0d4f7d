import { describe, expect, it } from 'vitest'
import type { LanguageIdentifier } from '../../data/language/identifier.ts'
import { distinctShares, isRepeated } from './distinct.ts'
import { answerLines, englishWords } from './language-lines.ts'
import { meanOfAll, medianOfAll } from './of-all.ts'

describe('numbers of all answers', () => {
  it('weigh each answer alike', () => {
    expect(meanOfAll([[1, 2, 3], [], [6]])).toBe(3)
    expect(medianOfAll([[9, 1], [2]])).toBe(2)
    expect(medianOfAll([[9, 1], [], [2, 4]])).toBe(3)
    expect(meanOfAll([[]])).toBeNaN()
    expect(medianOfAll([])).toBeNaN()
  })
})

describe('what is said anew', () => {
  it('is n-grams that the prompt does not have, by the tokens of the continuation', () => {
    // a b | a c c a: 1-grams c; 2-grams ac cc ca; 3-grams acc cca.
    expect(distinctShares(['a', 'b'], ['a', 'c', 'c', 'a'])).toEqual([1 / 4, 3 / 4, 2 / 4])
    expect(distinctShares([1, 2, 3], [1, 2, 3])).toEqual([0, 0, 0])
    expect(distinctShares([1], [])).toBeUndefined()
    // Tokens are not glued together: 1 23 is not 12 3.
    expect(distinctShares([1, 23], [12, 3])).toEqual([1, 1 / 2, 0])
  })
  it('is repeated where half of its 3-grams have come before', () => {
    expect(isRepeated([...'ababab'])).toBe(true) // aba bab aba bab
    expect(isRepeated([...'ababa'])).toBe(false) // three 3-grams say nothing
    expect(isRepeated([...'ababcde'])).toBe(false)
    expect(isRepeated([])).toBe(false)
  })
})

/** Lines with z are in xx, others in yy. */
const asked: unknown[] = []
const identifier = {
  name: 'made up',
  labels: ['xx', 'yy'],
  identify: (text: string, options: unknown) => {
    asked.push(options)
    return { language: text.includes('z') ? 'xx' : text.includes('?') ? 'marks' : 'yy' }
  },
} as unknown as LanguageIdentifier
const lines = (text: string, language = 'yy', english?: ReadonlySet<string>) =>
  answerLines(text, language, identifier, english)

describe('the language of an answer', () => {
  it('is told line by line, of lines with five words, without marks and what a next question begins', () => {
    expect(lines('a b c d e\na b c z e\nz z')).toEqual({ lines: 2, right: 1 })
    expect(lines('a b c d e?')).toEqual({ lines: 1, right: 1 })
    expect(lines('a b - - - c')).toEqual({ lines: 0, right: 0 })
    expect(lines('a b c—d e')).toEqual({ lines: 1, right: 1 })
    expect(lines('a b c d e\nQ: z z z z z')).toEqual({ lines: 1, right: 1 })
    expect(lines('')).toEqual({ lines: 0, right: 0 })
    expect(asked[0]).toEqual({ minLetters: 0, minProbability: 0.3 })
  })
  it('is passed by words where no English one is in it, in scripts that are not Latin', () => {
    const words = englishWords('house\ncat\nParis\n123\nwind\n')
    expect([...words]).toEqual(['house', 'wind'])
    const russian = { ...identifier, identify: () => ({ language: 'ru' }) } as unknown as LanguageIdentifier
    const of = (text: string) => answerLines(text, 'ru', russian, words).hasEnglish
    expect(of('a b c d house')).toBe(true)
    expect(of('a b c d House')).toBe(false)
    expect(of('a b c d cat')).toBe(false)
    expect(of('a b house')).toBeUndefined()
    expect(lines('a b c d house', 'yy', words).hasEnglish).toBeUndefined()
  })
  it('counts words where there are no blanks between them', () => {
    const chinese = { ...identifier, identify: () => ({ language: 'zh' }) } as unknown as LanguageIdentifier
    expect(answerLines('我们今天去公园散步', 'zh', chinese).lines).toBe(1)
    expect(answerLines('你好', 'zh', chinese).lines).toBe(0)
  })
})
