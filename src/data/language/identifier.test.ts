// An identifier learns to tell languages by their words and endings, says when it cannot, and is the same after a file.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { loadLanguageIdentifier, saveLanguageIdentifier } from './identifier-file.ts'
import type { LanguageModel } from './language-model.ts'
import { Features, featuresOf, lettersOf } from './ngrams.ts'
import { calibrationError, fitTemperature, quantized } from './quantize-identifier.ts'
import { type LanguageSample, trainLanguageIdentifier } from './train-identifier.ts'

/** Two languages of the same letters: words of one end in -en and -ar, of the other in -et and -ur. Half the words belong to both. */
function sentences(label: 'x' | 'y', count: number, from = 0): LanguageSample[] {
  const stems = ['bal', 'dom', 'kir', 'luf', 'mot', 'nab', 'pil', 'rus', 'sag', 'tov']
  const ends = label === 'x' ? ['en', 'ar'] : ['et', 'ur']
  let state = (label === 'x' ? 17 : 99) + 7919 * from
  const draw = (size: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * size)
  }
  return Array.from({ length: count }, () => {
    const words = Array.from(
      { length: 4 + draw(8) },
      () => stems[draw(10)]! + stems[draw(10)]! + (draw(2) === 0 ? '' : ends[draw(2)]!),
    )
    return { text: words.join(' '), label }
  })
}

const model = trainLanguageIdentifier([...sentences('x', 200), ...sentences('y', 200)], { name: 'toy', bits: 12 })
const fresh = [...sentences('x', 100, 1), ...sentences('y', 100, 1)]

describe('features', () => {
  it('are those of letters alone', () => {
    expect(lettersOf('Se https://a.dk/b, @ole #tag 123 «Ræv»  mail@x.dk d’Or!')).toBe("se ræv d'or")
  })
  it('are n-grams within words, words and pairs of words', () => {
    // " ab ": a blank alone is none; 3 n-grams begin at the first blank, 3 at a, 2 at b, none at the last; and the word.
    expect(featuresOf('ab', 16, new Features()).length).toBe(9)
    // Twice the word, and the pair.
    expect(featuresOf('ab ab', 16, new Features()).length).toBe(19)
    expect(featuresOf('', 16, new Features()).length).toBe(0)
    const long = featuresOf('a'.repeat(3000), 10, new Features())
    expect(long.length).toBeGreaterThan(10_000)
    expect(long.ids.subarray(0, long.length).every((id) => id >= 0 && id < 1024)).toBe(true)
  })
})

describe('a trained identifier', () => {
  it('tells two languages apart on texts that it has not seen', () => {
    const right = fresh.filter(({ text, label }) => model.identify(text).ranking[0]!.language === label)
    expect(right.length).toBeGreaterThan(190)
  })
  it('has probabilities that sum to 1 and mean what they say', () => {
    const { ranking, probability } = model.identify(fresh[0]!.text)
    expect(ranking.reduce((sum, label) => sum + label.probability, 0)).toBeCloseTo(1, 12)
    expect(probability).toBe(ranking[0]!.probability)
    const sure = fresh.map(({ text }) => model.identify(text).probability).reduce((a, b) => a + b, 0) / fresh.length
    const right = fresh.filter(({ text, label }) => model.identify(text).ranking[0]!.language === label).length
    expect(Math.abs(sure - right / fresh.length)).toBeLessThan(0.05)
  })
  it('answers und for what is too short, unsure, or like nothing that it knows', () => {
    expect(model.identify('balen')).toMatchObject({ language: 'und', undetermined: 'too short' })
    expect(model.identify('balen', { minLetters: 3 }).language).toBe('x')
    expect(model.identify('balen domar kiren ruset saget tovur', { minProbability: 1 }).undetermined).toBe('unsure')
    expect(model.identify('щ ъй цзы жфх ыыы щъ эюя чсм фыв йцу кен', { minProbability: 0 }).undetermined).toBe(
      'unlike anything known',
    )
    expect(model.identify('')).toMatchObject({ language: 'und', undetermined: 'too short' })
  })
  it('shares probability out among the labels that there may be', () => {
    expect(model.identify('baldomen kirlufar motnaben', { among: ['y'] })).toMatchObject({
      language: 'y',
      probability: 1,
      ranking: [{ language: 'y', probability: 1 }],
    })
    expect(() => model.identify('balen', { among: ['z'] })).toThrow(InputError)
    expect(() => model.identify('balen', { among: [] })).toThrow(/among: expected one label/)
  })
  it('finds both languages plausible for a text that is good in both', () => {
    expect(model.plausible('baldomen kirlufar motnaben', 'x')).toBe(1)
    expect(model.plausible('baldomen kirlufar motnaben', 'y')).toBeLessThan(0.1)
    const [x, y] = ['x', 'y'].map((label) => model.plausible('bal dom', label))
    expect(Math.min(x!, y!)).toBeGreaterThan(0.1)
    expect(model.plausible('щъй цзы жфх ыыы щъэ', 'x')).toBe(0)
  })
  it('is the same for the same texts, and another one for another seed', () => {
    const again = (seed: number): LanguageModel =>
      trainLanguageIdentifier([...sentences('x', 50), ...sentences('y', 50)], { bits: 10, seed })
    expect(again(0).parts).toEqual(again(0).parts)
  })
  it('needs two labels of two texts', () => {
    expect(() => trainLanguageIdentifier(sentences('x', 5))).toThrow(/two labels or more, got x/)
    expect(() => trainLanguageIdentifier([...sentences('x', 5), { text: 'una', label: 'y' }])).toThrow(
      /at least two different texts of y, got 1/,
    )
  })
})

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-lid-'))
  const file = join(folder, 'toy.lid')
  saveLanguageIdentifier(model, file)
  it('gives the same answers, and the same bytes when written again', () => {
    const read = loadLanguageIdentifier(file)
    for (const { text } of fresh) expect(read.identify(text)).toEqual(model.identify(text))
    saveLanguageIdentifier(read, join(folder, 'again.lid'))
    expect(readFileSync(join(folder, 'again.lid')).equals(readFileSync(file))).toBe(true)
  })
  it('is refused where it is cut, damaged, another one or absent', () => {
    const bytes = readFileSync(file)
    const refused = (content: Uint8Array): (() => void) => {
      writeFileSync(join(folder, 'bad.lid'), content)
      return () => loadLanguageIdentifier(join(folder, 'bad.lid'))
    }
    expect(refused(bytes.subarray(0, -5))).toThrow(/expected \d+ bytes of weights/)
    const damaged = Uint8Array.from(bytes)
    damaged[damaged.length - 9]! ^= 1
    expect(refused(damaged)).toThrow(/hash in the header/)
    expect(refused(Buffer.from('text'))).toThrow(/expected a language identifier/)
    expect(refused(bytes.subarray(0, 60))).toThrow(InputError)
    expect(() => loadLanguageIdentifier(join(folder, 'none.lid'))).toThrow(/got nothing/)
  })
})

describe('quantization and calibration', () => {
  it('keeps values within half a step of 1/127 of the largest', () => {
    const values = Float32Array.of(1, -0.5, 0.25, 2, -2, 0.1)
    const { values: integers, scales } = quantized(values, 2)
    for (const [i, value] of values.entries())
      expect(Math.abs(integers[i]! * scales[i % 2]! - value)).toBeLessThanOrEqual(1.01 * scales[i % 2]!)
  })
  it('finds the temperature under which probabilities are shares of what is right', () => {
    // Logit 5 always, right in 3 of 4, each with a doubt of 1/6: softmax must give (3 · 5/6 + 1/6) / 4 = 2/3, so 5 / T = ln 2.
    const logits = Array.from({ length: 4 }, () => [5, 0])
    expect(fitTemperature(logits, [0, 0, 0, 1])).toBeCloseTo(5 / Math.log(2), 4)
    // All right: (4 · 5/6) / 4 = 5/6.
    expect(fitTemperature(logits, [0, 0, 0, 0])).toBeCloseTo(5 / Math.log(5), 4)
    expect(calibrationError(logits, [0, 0, 0, 1], 5 / Math.log(3))).toBeCloseTo(0, 8)
    expect(calibrationError(logits, [0, 0, 0, 1], 1)).toBeCloseTo(1 / (1 + Math.exp(-5)) - 0.75, 8)
  })
})
