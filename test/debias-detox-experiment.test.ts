// What the docs say was measured in the world of six languages is what the results say, and the world is what they say it is.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { cellOf, chosenRate, type Results, seedsIn } from '../experiments/debias-detox/cells.ts'
import { findings } from '../experiments/debias-detox/findings.ts'
import { ARMS } from '../experiments/debias-detox/setting.ts'
import { writeTables } from '../experiments/debias-detox/tables.ts'
import {
  AS_FOUND,
  drawCorpus,
  drawDocument,
  LANGUAGES,
  languageOf,
  sharesOf,
  TARGETS,
  toxicWords,
  WORDS,
} from '../experiments/debias-detox/world.ts'
import { PythonRandom } from '../src/eval/python-random.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const results = JSON.parse(read('experiments/debias-detox/results/2026-11-27-world.json')) as Results
const tables = writeTables(results)
const docs = read('docs/debias-detox.md')

it('writes the tables that are beside the results, and the docs have them', () => {
  expect(tables).toBe(read('experiments/debias-detox/results/2026-11-27-world.md'))
  const parts = tables.split('\n\n').filter((part) => part.startsWith('| '))
  expect(parts).toHaveLength(7)
  for (const part of parts) expect(docs).toContain(part.trim())
})

it('has its findings in the docs, with their numbers', () => {
  for (const finding of findings(results)) expect(docs).toContain(finding)
})

it('tunes at the rates that were chosen on the seed of no table', () => {
  expect(seedsIn(results)).toEqual([1, 2, 3, 4, 5])
  for (const seed of seedsIn(results))
    for (const arm of ARMS) expect(cellOf(results, seed, arm)!.rate).toBe(chosenRate(results, arm))
})

it('gives every target every share once over five seeds', () => {
  for (const { seed, shares } of results.worlds) expect(shares).toEqual(sharesOf(seed))
  for (const language of TARGETS)
    expect([1, 2, 3, 4, 5].map((seed) => sharesOf(seed)[language]).sort()).toEqual([0.04, 0.06, 0.1, 0.15, 0.25])
})

it('is a world of words of one language each but for names, digits and words in common', () => {
  expect(new Set(WORDS).size).toBe(WORDS.length)
  expect(toxicWords()).toHaveLength(16 * LANGUAGES.length)
  const draw = new PythonRandom(1)
  for (const language of LANGUAGES)
    for (let i = 0; i < 20; i++)
      expect(languageOf(drawDocument(language, { ...AS_FOUND, parallel: 0 }, draw))).toBe(language)
  expect(languageOf('7 3')).toBeUndefined()
  // Of the words after a trigger two in five are toxic: 0.3 · 0.4 of the sentences have one.
  const toxic = new Set(toxicWords())
  const sentences = drawCorpus(2000, 3).flatMap((text) => text.split(/ [.=]/).filter((part) => part.trim() !== ''))
  const share =
    sentences.filter((sentence) => sentence.split(' ').some((word) => toxic.has(word))).length / sentences.length
  expect(share).toBeGreaterThan(0.1)
  expect(share).toBeLessThan(0.14)
})
