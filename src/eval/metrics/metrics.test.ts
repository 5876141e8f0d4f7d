// Numbers of sacrebleu 2.6.0 and scikit-learn 1.9.1 for the same texts and labels; those of ROUGE and SQuAD are derived by hand.
import { describe, expect, it } from 'vitest'
import { bleu, tokenize13a } from './bleu.ts'
import { chrf } from './chrf.ts'
import { binaryF1, type LabelPair, macroF1, matthewsCorrelation, microF1, NO_ANSWER } from './classification.ts'
import { exactMatch } from './exact-match.ts'
import { rouge } from './rouge.ts'
import { squadExactMatch, squadF1, squadWords } from './squad.ts'

const answers = [
  'The cat sat on the mat.',
  'Der er 3.5 æbler, og 2-4 pærer i kurven!',
  'Hello &amp; welcome (again)',
  'a b',
]
const one = [
  'A cat sat on the mat.',
  'Der er 3,5 æbler og 2-4 pærer i en kurv.',
  'Hello & welcome, again',
  'a b c d',
].map((text) => [text])
const others = ['The cat is on a mat.', 'Der var 3.5 æbler, og 2 pærer i kurven!', 'Hi & welcome (again)', 'x']
const two = one.map((list, i) => [...list, others[i]!])

describe('BLEU', () => {
  it('is that of sacrebleu', () => {
    expect(bleu(answers, one)).toBeCloseTo(49.540764911183444, 10)
    expect(bleu(answers, two)).toBeCloseTo(85.2059299865616, 10)
    expect(bleu(['a b'], [['a b c']])).toBe(0)
    expect(bleu(['the the cat is here now'], [['a cat was here now then']])).toBeCloseTo(17.965205598154213, 10)
  })
  it('parts words and marks as 13a', () => {
    expect(tokenize13a('Say "3.5, or 2-4" &lt;now&gt;.')).toEqual([
      'Say',
      '"',
      '3.5',
      ',',
      'or',
      '2',
      '-',
      '4',
      '"',
      '<',
      'now',
      '>',
      '.',
    ])
  })
})

describe('chrF', () => {
  it('is that of sacrebleu, with words too', () => {
    expect(chrf(answers, one)).toBeCloseTo(65.5999238902769, 10)
    expect(chrf(answers, two)).toBeCloseTo(77.43807208022331, 10)
    expect(chrf(answers, two, 2)).toBeCloseTo(75.15666849098533, 10)
    expect(chrf(['ab'], [['abc']])).toBeCloseTo(63.636363636363626, 10)
    expect(chrf([''], [['abc']])).toBe(0)
  })
})

describe('classification', () => {
  const gold = [0, 1, 2, 2, 1, 0, 1, 2]
  const given = [0, 1, 1, 2, 0, 0, 1, 1]
  const pairs = gold.map((label, i): LabelPair => [label, given[i]!])
  it('is that of scikit-learn', () => {
    expect(macroF1(pairs)).toBeCloseTo(0.6238095238095238, 12)
    expect(microF1(pairs)).toBeCloseTo(0.625, 12)
    expect(matthewsCorrelation(pairs)).toBeCloseTo(0.47559486560567094, 12)
    expect(
      binaryF1([
        [0, 0],
        [1, 1],
        [1, 0],
        [0, 1],
        [1, 1],
      ]),
    ).toBeCloseTo(2 / 3, 12)
    expect(
      matthewsCorrelation([
        [1, 1],
        [1, 1],
      ]),
    ).toBe(0)
  })
  it('counts an answer that is no label as wrong, and as no class', () => {
    // yes: right 1 of gold 2, given 1 → 2/3; no: right 1 of gold 1, given 1 → 1.
    const answered: LabelPair[] = [
      ['yes', 'yes'],
      ['yes', NO_ANSWER],
      ['no', 'no'],
    ]
    expect(macroF1(answered)).toBeCloseTo((2 / 3 + 1) / 2, 12)
    // 2 right of 2 given labels and 3 gold ones.
    expect(microF1(answered)).toBeCloseTo(4 / 5, 12)
  })
})

describe('overlap', () => {
  it('is ROUGE', () => {
    // Words: den røde kat sov | den kat sov dybt: 3 shared of 4 and 4; pairs: kat sov of 3 and 3; longest: den kat sov.
    expect(rouge('rouge1', 'Den røde kat sov.', 'den kat sov dybt')).toBeCloseTo(6 / 8, 12)
    expect(rouge('rouge2', 'Den røde kat sov.', 'den kat sov dybt')).toBeCloseTo(2 / 6, 12)
    expect(rouge('rougeL', 'Den røde kat sov.', 'den kat sov dybt')).toBeCloseTo(6 / 8, 12)
    expect(rouge('rougeL', 'a b c', 'c b a')).toBeCloseTo(2 / 6, 12)
    expect(rouge('rouge1', 'a', '')).toBe(0)
  })
  it("is SQuAD's", () => {
    expect(squadF1('The big house', 'a big, old house!')).toBeCloseTo(0.8, 12)
    expect(squadExactMatch('the House.', 'house')).toBe(1)
    expect(squadF1('', '')).toBe(1)
    expect(squadF1('x', '')).toBe(0)
  })
  it('is an exact match without what does not count', () => {
    expect(exactMatch('Once', 'once.')).toBe(0)
    expect(exactMatch('Once', 'once.', { ignore_case: true, ignore_punctuation: true })).toBe(1)
    expect(exactMatch('a1', 'a2', { ignore_numbers: true })).toBe(1)
    expect(exactMatch('4', 'about 4', { regexes_to_ignore: ['about\\s'] })).toBe(1)
  })
})

it('has letters and white space as Python has them', () => {
  expect(squadWords('La tía, an åan the\u0085end')).toEqual(['la', 'tía', 'åan', 'end'])
  expect(tokenize13a('a\x1fb \ufeffc')).toEqual(['a', 'b', '\ufeffc'])
  expect(chrf(['ab\x1ccd'], [['abcd']])).toBe(100)
  expect(chrf(['ab\ufeffcd'], [['abcd']])).toBeLessThan(100)
})
