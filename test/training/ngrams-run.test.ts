// A classifier of character n-grams from training to what it is worth as a scorer: `anneal train`, `classify` and `toxicity`.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annealHere, type Ended } from './tiny-run.ts'

const root = mkdtempSync(join(tmpdir(), 'ngrams-run-'))
const at = (name: string): string => join(root, name)
const WORDS = 'the dog cat house tree good blue run over small cake lamp song'.split(' ')
const BAD = ['blorpish', 'zarking', 'snorfed']

/** Sentences of which every other one has a bad word; the third language has bad words that nobody learnt. */
function rows(count: number, seed: number, bad: readonly string[] = BAD, language = 'en'): string {
  let state = seed
  const draw = (size: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * size)
  }
  return Array.from({ length: count }, (_, i) => {
    const words = Array.from({ length: 7 }, () => WORDS[draw(WORDS.length)]!)
    if (i % 2 === 0) words[draw(7)] = bad[draw(bad.length)]!
    const row = {
      text: words.join(' '),
      label: i % 2 === 0 ? 'toxic' : 'neutral',
      language,
      group: i % 3 === 0 ? 'g,h' : '',
    }
    return `${JSON.stringify(row)}\n`
  }).join('')
}

const train = (keys: Readonly<Record<string, string>>): Promise<Ended> => {
  const usual = { stage: 'classify', model: '{"model_type":"ngrams"}', dataset: at('train.jsonl') }
  return annealHere(['train', ...Object.entries({ ...usual, ...keys }).flatMap(([key, value]) => [`--${key}`, value])])
}

beforeAll(async () => {
  writeFileSync(at('train.jsonl'), rows(300, 1))
  writeFileSync(at('held.jsonl'), rows(60, 2) + rows(60, 3, ['fnurp', 'gulk'], 'da'))
  writeFileSync(at('words.txt'), 'blorpish\nzarking\n')
  const { code, err } = await train({ eval_dataset: at('held.jsonl'), output_dir: at('toxic') })
  expect(code, err).toBe(0)
})
afterAll(() => rmSync(root, { recursive: true }))

describe('a classifier of n-grams', () => {
  it('is the directory of a classifier, with what was measured in its card', async () => {
    const config = JSON.parse(readFileSync(at('toxic/config.json'), 'utf8'))
    expect(config).toMatchObject({ model_type: 'ngrams', id2label: { 0: 'neutral', 1: 'toxic' } })
    expect(readFileSync(at('toxic/README.md'), 'utf8')).toMatch(/300 texts[\s\S]*\| macro_f1 \| 0\.\d+ \|/)
    writeFileSync(at('texts.txt'), 'the zarking house\nthe small blue house\n')
    const { out, code } = await annealHere(['classify', '--model', at('toxic'), '--text', at('texts.txt'), '--json'])
    expect(code).toBe(0)
    const { labels, probabilities } = JSON.parse(out)
    expect(labels).toEqual(['toxic', 'neutral'])
    expect(probabilities[0][0] + probabilities[0][1]).toBeCloseTo(1, 6)
    writeFileSync(at('ids.json'), '[[1]]')
    const ids = await annealHere(['classify', '--model', at('toxic'), '--ids', at('ids.json')])
    expect(ids).toMatchObject({ code: 3, err: expect.stringContaining('got one of n-grams, which has no tokens') })
  })
  it('is the same for the same data, trained from the configuration that it left', async () => {
    const again = await annealHere(['train', at('toxic/train_config.yaml'), '--output_dir', at('again')])
    expect(again.code, again.err).toBe(0)
    expect(readFileSync(at('again/ngrams.lid'))).toEqual(readFileSync(at('toxic/ngrams.lid')))
  })
  it('is checked as what it is', async () => {
    expect((await annealHere(['check', at('toxic')])).code).toBe(0)
    const weights = readFileSync(at('again/ngrams.lid'))
    writeFileSync(at('again/ngrams.lid'), weights.subarray(0, weights.length - 1))
    const { code, out } = await annealHere(['check', at('again')])
    expect(code).not.toBe(0)
    expect(out).toMatch(/ngrams\.lid.*bytes of weights/)
  })
  it('holds texts out by their hash', async () => {
    const { err, code } = await train({ val_split: '0.2', output_dir: at('split') })
    expect(code).toBe(0)
    expect(err).toMatch(/notice: 2[0-5]\d texts to train on[\s\S]*eval_macro_f1 (?:1|0\.9)/)
  })
  it.each([
    [{ learning_rate: '0.1' }, /learning_rate: expected nothing with model_type: ngrams/],
    [{ max_length: '64' }, /max_length: expected nothing with model_type: ngrams/],
    [{ num_train_epochs: '1.5' }, /num_train_epochs: expected a whole number/],
    [{ model: '{"model_type":"ngrams","bits":40}' }, /model: expected bits as an integer from 8 to 24, got 40/],
    [
      { model: '{"model_type":"ngrams","hidden_size":40}' },
      /model: expected model_type: ngrams and bits, got hidden_size/,
    ],
    [{ stage: 'pretrain' }, /stage: expected classify with model_type: ngrams/],
  ] as const)('refuses what it has not: %j', async (keys, message) => {
    const { code, err } = await train({ ...keys, output_dir: at('refused') })
    expect(err).toMatch(message)
    expect(code).toBe(2)
  })
  it('refuses one label, another one in what is held out, and a folder that has a model', async () => {
    writeFileSync(at('one.jsonl'), rows(40, 1).replaceAll('neutral', 'toxic'))
    expect((await train({ dataset: at('one.jsonl'), output_dir: at('one') })).err).toContain('at least two labels')
    writeFileSync(at('odd.jsonl'), rows(4, 1).replaceAll('neutral', 'fine'))
    const odd = await train({ eval_dataset: at('odd.jsonl'), output_dir: at('odd') })
    expect(odd.err).toContain('eval_dataset: expected the labels that are trained on (neutral, toxic), got fine')
    expect((await train({ output_dir: at('toxic') })).err).toContain('expected a folder without a model')
  })
})

describe('anneal toxicity', () => {
  const measure = (...words: string[]): Promise<Ended> => annealHere(['toxicity', at('held.jsonl'), ...words])
  it('tells what a classifier is worth in each language and about each group, and keeps it', async () => {
    const columns = ['--language-column', 'language', '--group-column', 'group']
    const { out, code, err } = await measure('--scorer', at('toxic'), ...columns, '--save', '--json')
    expect(code, err).toBe(0)
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const { languages, subgroups, texts } = events.at(-1)
    expect(texts).toBe(120)
    expect(languages.en.auc).toBeGreaterThan(0.99)
    expect(languages.da.auc).toBeLessThan(languages.en.auc)
    expect(Object.keys(subgroups)).toEqual(['g', 'h'])
    expect(JSON.parse(readFileSync(at('toxic/toxicity.json'), 'utf8')).languages).toEqual(languages)
  })
  it('tells what a list of words is worth', async () => {
    const { out, code } = await measure('--scorer', at('words.txt'))
    expect(code).toBe(0)
    // No harmless text has a word; of the 30 toxic ones in English about two thirds have, of the others none.
    expect(out).toMatch(/^AUC 0\.6\d\d on 120 texts, 60 of them toxic/)
  })
  it.each([
    [
      ['--label-column', 'language'],
      2,
      /--positive-label: expected the labels in column 'language' .* none is called toxic \(da, en\)/,
    ],
    [
      ['--positive-label', 'rude'],
      2,
      /--positive-label: expected labels of column 'label' \(neutral, toxic\), got rude/,
    ],
    [['--group-column', 'who'], 3, /expected a column 'who', got columns text, label, language, group/],
    [['--scorer', 'https://a.example', '--save'], 2, /--save: expected a list of words or a directory/],
    [['--toxic-label', 'toxic'], 2, /--toxic-label: expected it with a classifier, got a list of words/],
  ])('says in one line what is wrong: %s', async (words, code, message) => {
    const ended = await measure(...(words[0] === '--scorer' ? [] : ['--scorer', at('words.txt')]), ...words)
    expect(ended.err).toMatch(message)
    expect(ended.code).toBe(code)
  })
})
