import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bleu } from '../metrics/bleu.ts'
import { cutWords, spacedText } from '../metrics/cut-words.ts'
import { countNGrams } from '../metrics/n-grams.ts'
import { distributionOf } from './distribution.ts'
import { measureDiversity } from './measure-diversity.ts'
import { selfBleu } from './self-bleu.ts'
import { cutTexts, wordRuns } from './word-runs.ts'

const texts = fc.array(
  fc.array(fc.constantFrom('a', 'b', 'c', 'd.', '我', '们,'), { maxLength: 9 }).map((words) => words.join(' ')),
  { minLength: 2, maxLength: 9 },
)

describe('words', () => {
  it('are characters where a script has no spaces', () => {
    expect(cutWords("It's 3.5, 我很OK。ฉัน")).toEqual(["it's", '3', '5', '我', '很', 'ok', 'ฉ', 'ั', 'น'])
    expect(spacedText('我很OK。').trim().split(/ +/)).toEqual(['我', '很', 'OK', '。'])
    // As sacrebleu's zh: five characters and a sign against four of the same and a sign.
    expect(bleu([spacedText('我今天很好。')], [[spacedText('我今天很好。')]])).toBeCloseTo(100, 10)
    // Dashes, dots and quotation marks among Chinese, by sacrebleu 2 with `zh`.
    const [said, wanted] = ['我说：“好……”——他没来。', '我说：“好吧……”——她没来。'].map(spacedText)
    expect(bleu([said!], [[wanted!]])).toBeCloseTo(58.088877148404045, 8)
    expect(spacedText('It’s so — “well”…')).toBe('It’s so — “well”…')
  })

  it('run by run have one number', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 7 }), (some, n) => {
        const cut = cutTexts(some)
        const { runs, distinct, total } = wordRuns(cut, n)
        const wanted = new Map<string, number>()
        let all = 0
        for (const [text, one] of some.entries()) {
          const words = cutWords(one)
          for (let i = 0; i < words.length; i++) {
            const run = runs[cut.starts[text]! + i]!
            if (i + n > words.length) expect(n === 1 ? 0 : run).toBe(n === 1 ? 0 : -1)
            else {
              const key = words.slice(i, i + n).join(' ')
              expect(wanted.get(key) ?? run).toBe(run)
              wanted.set(key, run)
              all++
            }
          }
        }
        expect([distinct, total]).toEqual([wanted.size, all])
        expect(new Set(wanted.values()).size).toBe(wanted.size)
      }),
    )
  })
})

describe('measureDiversity', () => {
  it('derives every number', () => {
    const some = ['I hear you. What is next today?', 'I hear you, what is next?', 'So it is.', '']
    const found = measureDiversity(some, { topics: ['a', 'a', 'b', 'c'], phrases: 1 })
    // 7 + 6 + 3 words; i hear you what is next today so it = 9 different.
    expect(found).toMatchObject({ texts: 4, words: 16, distinct1: 9 / 16 })
    // Pairs: 6 + 5 + 2; ihear hearyou youwhat whatis isnext nexttoday + soit itis = 8 different.
    expect(found.distinct2).toBe(8 / 13)
    // Runs of four: the first has four, three of which the second has; log(1 + 3) twice, 0 twice. No run of eight.
    expect(found.selfRepetition).toBeCloseTo((2 * Math.log(4)) / 4, 12)
    expect(found.sharedRuns).toBe(0)
    const bytes = Buffer.from(`${some.join('\n')}\n`)
    expect(found.compressionRatio).toBe(bytes.length / gzipSync(bytes, { level: 9 }).length)
    expect(found.openings).toEqual({
      phrases: [{ phrase: 'i hear you', count: 2, share: 2 / 3 }],
      distinct: 2,
      texts: 3,
    })
    expect(found.closings).toEqual({
      phrases: [{ phrase: 'is next today', count: 1, share: 1 / 3 }],
      distinct: 3,
      texts: 3,
    })
    expect(found.lengths).toMatchObject({ count: 4, mean: 4, deviation: Math.sqrt((9 + 4 + 1 + 16) / 4) })
    expect(found.lengths.quantiles).toEqual([0, 0.45, 2.25, 4.5, 6.25, 6.85, 7].map((x) => expect.closeTo(x, 10)))
    // 1/2 · 1 + 2 · 1/4 · 2 bits, of log2(3) at most.
    expect(found.topicEntropy).toBeCloseTo(1.5, 12)
    expect(found.topicEvenness).toBeCloseTo(1.5 / Math.log2(3), 12)
  })

  it('finds long runs that texts share, in Chinese too', () => {
    const found = measureDiversity(['听起来你最近压力很大，', '我想，听起来你最近压力很大！', '听起来你最近很忙'])
    expect(found.sharedRuns).toBeCloseTo(2 / 3, 12)
    expect(found.openings.phrases[0]).toEqual({ phrase: '听 起 来', count: 2, share: 2 / 3 })
  })

  it('counts as plain loops do', () => {
    fc.assert(
      fc.property(texts, (some) => {
        const found = measureDiversity(some)
        const sets = some.map((text) => new Set(countNGrams(cutWords(text), 4).keys()))
        const values = some.map((text, i) => {
          let sum = 0
          for (const [run, count] of countNGrams(cutWords(text), 4))
            sum += count * sets.filter((other, j) => j !== i && other.has(run)).length
          return Math.log(1 + sum)
        })
        expect(found.selfRepetition).toBeCloseTo(values.reduce((a, b) => a + b) / some.length, 10)
      }),
    )
  })

  it('draws with a seed, and takes 20,000 turns', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `turn ${i} of ${i % 7} says ${(i * 7919) % 1000} and no more`)
    const [a, b, c] = [0, 0, 1].map((seed) => measureDiversity(many, { seed, selfBleuTexts: 50 }).selfBleu)
    expect(a).toBe(b)
    expect(a).not.toBe(c)
  })

  it('says what is wrong', () => {
    expect(() => measureDiversity([])).toThrow('texts: expected at least one, got none')
    expect(() => measureDiversity(['a'], { topics: [] })).toThrow('topics: expected one for each of 1 texts, got 0')
    expect(() => measureDiversity(['a'], { phraseWords: 0 })).toThrow('phraseWords: expected a whole number')
  })
})

describe('selfBleu', () => {
  it('is the mean of bleu against all others', () => {
    fc.assert(
      fc.property(texts, (some) => {
        const each = some.map((text, i) =>
          bleu([spacedText(text)], [some.filter((_, j) => j !== i).map((other) => spacedText(other))]),
        )
        expect(selfBleu(some)).toBeCloseTo(each.reduce((a, b) => a + b) / some.length, 9)
      }),
    )
    expect(selfBleu(['same words in each one', 'same words in each one'])).toBeCloseTo(100, 10)
    expect(selfBleu(['alone'])).toBeNaN()
  })
})

describe('distributionOf', () => {
  it('bins what there is', () => {
    expect(distributionOf([1, 2, 2, 9, 14], 5).bins).toEqual([
      { from: 0, to: 5, count: 3 },
      { from: 5, to: 10, count: 1 },
      { from: 10, to: 15, count: 1 },
    ])
    expect(distributionOf([3, 3]).bins.filter(({ count }) => count > 0)).toHaveLength(1)
    expect(distributionOf([]).bins).toEqual([])
  })
})
