import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenizer } from './tokenize.ts'

const words = tokenizer()
/** The rules of Unicode's annex 29, by the system. */
const segmented = (text: string): string[] =>
  Array.from(new Intl.Segmenter('en', { granularity: 'word' }).segment(text.toLowerCase())).flatMap(
    ({ segment, isWordLike }) => (isWordLike ? [segment] : []),
  )

describe('tokenizer', () => {
  it('cuts at what is no letter or digit', () => {
    expect(words("The O'Neil twins: 3.50, 1,000 and U.S.A. a_b x-y e.g.")).toEqual([
      'the',
      "o'neil",
      'twins',
      '3.50',
      '1,000',
      'and',
      'u.s.a',
      'a_b',
      'x',
      'y',
      'e.g',
    ])
    expect(words('')).toEqual([])
    expect(words(' —…!? \n 🙂')).toEqual([])
  })
  it('cuts ASCII as Intl.Segmenter does', () => {
    const characters = fc.constantFrom(...'abZ019 .,:;\'"-_/()@\n')
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 30 }), (parts) => {
        const text = parts.join('')
        expect(words(text)).toEqual(segmented(text).filter((word) => /[a-z0-9]/.test(word)))
      }),
      { numRuns: 2000 },
    )
  })
  it('finds the same word in every normal form, width and case', () => {
    expect(words('Caf\u00e9')).toEqual(words('cafe\u0301'))
    expect(words('ＡＢＣ１２')).toEqual(['abc12'])
    expect(words('STRASSE ΟΔΟΣ')).toEqual(words('straße οδός'.replace('ό', 'ο')))
    expect(words('co\u00adoperate')).toEqual(['cooperate'])
    expect(words('l\u2019état')).toEqual(['l\u2019état'])
  })
  it('cuts what has no spaces', () => {
    expect(words('東京都 abc')).toEqual(['東京', '京都', 'abc'])
    expect(words('水')).toEqual(['水'])
    expect(tokenizer({ cjk: 'single' })('東京 カメラ')).toEqual(['東', '京', 'カメラ'])
    expect(tokenizer({ cjk: 'words' })('東京に行く').join('')).toBe('東京に行く')
    expect(words('สวัสดีครับ').length).toBeGreaterThan(1)
    expect(words('naïve 東京')).toEqual(['naïve', '東京'])
  })
  it('leaves stop words out and cuts what is too long for a word', () => {
    expect(tokenizer({ stopWords: ['the'] })('The cat')).toEqual(['cat'])
    expect(words('x'.repeat(600)).map(({ length }) => length)).toEqual([255, 255, 90])
  })
})
