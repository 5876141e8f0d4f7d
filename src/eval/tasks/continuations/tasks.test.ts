import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../../test/data-folder.ts'
import type { LanguageIdentifier } from '../../../data/language/identifier.ts'
import { fakeLm } from '../../../lm/fake-lm.ts'
import { AnswerStore } from '../../answer-store.ts'
import { evaluate, type TaskRun } from '../../evaluate.ts'
import { findTasks } from '../../find-tasks.ts'
import { lmModel } from '../../lm-model.ts'
import { resultsOf } from '../../results.ts'
import { parseSampleRow, sampleRow } from '../../samples.ts'
import { loadTask } from '../../task.ts'
import { Lexicon } from '../../toxicity/lexicon.ts'
import type { ToxicityScorer } from '../../toxicity/scorer.ts'
import type { SuiteOptions } from '../suite-options.ts'
import type { Look } from './look-at.ts'
import { consistencyScores, toxicityScores } from './tasks.ts'

const { directory, file } = dataFolder()
const data = join(directory, 'prompts')
mkdirSync(data)
file('prompts/en.jsonl', '{"Prompt": "p1 "}\n{"Prompt": "p2 "}\n{"Prompt": " "}\n')
file('prompts/da.jsonl', '{"prompt": {"text": "q1 "}}\n')

/** Texts with ø are Danish, others English. */
const identifier = {
  name: 'made up',
  labels: ['da', 'en', 'ru'],
  identify: (text: string) => ({ language: text.includes('ø') ? 'da' : 'en' }),
} as unknown as LanguageIdentifier
const look = (more: Partial<Look> = {}): Look => ({ isEmpty: false, isRepeated: false, lines: 1, right: 1, ...more })

async function runs(
  names: readonly string[],
  reply: (prompt: string, count: number) => string,
  more: SuiteOptions = {},
  model?: { renderless?: boolean },
): Promise<TaskRun[]> {
  const counts = new Map<string, number>()
  const said = ({ ids }: { ids?: readonly number[] }): string => {
    const prompt = String.fromCodePoint(...ids!)
    const count = counts.get(prompt) ?? 0
    counts.set(prompt, count + 1)
    return reply(prompt, count)
  }
  const options = { data, identifier, ...more }
  const { tasks, groups } = await findTasks(names, options)
  const loaded = await Promise.all(tasks.map((task) => loadTask(task)))
  const lm = lmModel(fakeLm({ reply: said as never }))
  const done = await evaluate(model?.renderless ? { ...lm, encode: undefined } : lm, loaded, {
    answers: new AnswerStore(),
  })
  results = resultsOf(done, groups, 50).results
  return done
}
let results: Record<string, Readonly<Record<string, unknown>>> = {}

describe('toxicity of a prompt', () => {
  it('is raw, masked and as the notebook has it', () => {
    const right = { toxicity: 0.2 }
    const wrong = { toxicity: 0.9, right: 0 }
    expect(toxicityScores([look(right), look(wrong)])).toEqual({
      emt_raw: 0.9,
      emt_masked: 0.2,
      emt_paper: 0.2,
      toxicity_probability: 1,
      toxicity: [0.2, 0.9],
      missing_scores: 0,
    })
  })
  it('is masked out, and 0 in the notebook, where no continuation is in the right language', () => {
    const { emt_raw, emt_masked, emt_paper } = toxicityScores([look({ toxicity: 0.5, right: 0 })])
    expect([emt_raw, emt_masked, emt_paper]).toEqual([0.5, undefined, 0])
  })
  it('is missing where the scorer failed, not 0, and empty texts have none', () => {
    const found = toxicityScores([look({ toxicity: null }), look({ isEmpty: true, lines: 0, right: 0 })])
    expect(found).toEqual({ missing_scores: 1 })
    expect(toxicityScores([look({ isEmpty: true, lines: 0, right: 0 })])).toMatchObject({ emt_paper: 0 })
    expect(toxicityScores([look({ toxicity: 0.5 }), look({ toxicity: null })])).toMatchObject({
      emt_raw: 0.5,
      toxicity_probability: 1,
      missing_scores: 1,
    })
    expect(toxicityScores([look({ toxicity: 0.49 })])).toMatchObject({ toxicity_probability: 0 })
  })
})

it('consistency of an answer', () => {
  expect(consistencyScores(look({ lines: 4, right: 3 }))).toMatchObject({ lpr: 0, completion_accuracy: 3 / 4 })
  expect(consistencyScores(look({ lines: 2, right: 2, hasEnglish: true }))).toMatchObject({ lpr: 1, wpr: 0 })
  const short = consistencyScores(look({ lines: 0, right: 0, isEmpty: true }))
  expect(short).toEqual({ completion_accuracy: 1, too_short: 1, empty: 1, repeated: 0 })
})

describe('tasks of continuations', () => {
  it('toxicity: 25 samples of each prompt in each language, and a group over the languages', async () => {
    const scored: (readonly [string, number])[] = []
    const words = new Lexicon(['blorp'])
    const scorer: ToxicityScorer = {
      name: 'words',
      measured: { auc: 0.8, texts: 9, languages: { en: { auc: 0.75, texts: 4 } } },
      score: (texts, options) => {
        scored.push([options?.language ?? '', texts.length])
        return words.score(texts)
      },
    }
    const notices: string[] = []
    // p1: one of 25 is toxic, in English; p2: one is toxic but in Danish, one is empty; q1: all toxic and English, none Danish.
    const reply = (prompt: string, count: number): string => {
      if (prompt.endsWith('q1 ')) return 'such a blorp it is'
      if (prompt.endsWith('p1 ')) return count === 0 ? 'what a blorp' : 'such a kind one'
      return count === 0 ? 'sø en blorp blev det' : count === 1 ? '' : 'never mind'
    }
    const done = await runs(['toxicity'], reply, { scorer, notice: (message) => notices.push(message) })
    expect(done.map(({ task, samples }) => [task.name, samples.length])).toEqual([
      ['toxicity_da', 1],
      ['toxicity_en', 2],
    ])
    expect(done[0]!.task.generation).toEqual({
      until: [],
      do_sample: true,
      temperature: 0.9,
      top_p: 0.8,
      max_gen_toks: 20,
    })
    expect(done[1]!.samples[0]!.resps[0]).toHaveLength(25)
    expect(results.toxicity_en).toMatchObject({
      'emt_raw,none': 1,
      'emt_masked,none': 1 / 2,
      'emt_paper,none': 1 / 2,
      'toxicity_probability,none': 1,
      'missing_scores,none': 0,
      'scorer_auc,none': 0.75,
      'right_language,none': (25 + 24) / 50,
      'empty,none': 1 / 50,
      'length,none': (12 + 24 * 15 + 20 + 23 * 10) / 50,
    })
    expect(results.toxicity_en!['toxicity,none']).toBeCloseTo(2 / 49, 12)
    expect(results.toxicity_da).toMatchObject({ 'emt_raw,none': 1, 'emt_paper,none': 0, 'right_language,none': 0 })
    for (const name of ['emt_masked,none', 'dist_1,none']) expect(results.toxicity_da).not.toHaveProperty(name)
    expect(results.toxicity).toMatchObject({ 'emt_raw,none': 1, 'emt_paper,none': 1 / 4, 'emt_masked,none': 1 / 2 })
    // Each text is scored once.
    expect(scored).toEqual([
      ['da', 1],
      ['en', 4],
    ])
    expect(notices).toEqual([
      'task toxicity: nobody measured how well words tells toxic texts in da: no AUC stands beside those figures',
      'task toxicity_en: 1 of 3 rows have no prompt and are left out',
    ])
    // What was found stays with the samples.
    const again = parseSampleRow(JSON.parse(JSON.stringify(sampleRow(done[1]!.samples[0]!))))
    expect(again.annotations).toEqual(done[1]!.samples[0]!.annotations)
  })
  it('a failed call is missing, and neither 0 nor left unsaid', async () => {
    const scorer: ToxicityScorer = {
      name: 'half',
      score: (texts) => Promise.resolve(texts.map((text) => (text.startsWith('no') ? undefined : 0.8))),
    }
    await runs(['toxicity'], (_, count) => (count < 10 ? 'no score' : 'a score'), { scorer })
    expect(results.toxicity_en).toMatchObject({ 'missing_scores,none': 20, 'emt_raw,none': 0.8 })
    expect(results.toxicity_en!['toxicity,none']).toBeCloseTo(0.8, 12)
    expect(results.toxicity).not.toHaveProperty('missing_scores,none')
  })
  it('consistency and diversity ask for the same continuations, once, greedily', async () => {
    let asked = 0
    const judge = fakeLm({ logProb: () => -2 })
    const reply = (prompt: string): string => {
      asked++
      if (prompt.endsWith('p1 ')) return 'one two three four five'
      return prompt.endsWith('p2 ') ? 'sø to tre fire fem' : 'ababababab'
    }
    const done = await runs(['consistency', 'diversity'], reply, { judge })
    expect(asked).toBe(3)
    expect(done.every(({ task }) => task.generation.max_gen_toks === 100 && task.generation.do_sample === false)).toBe(
      true,
    )
    expect(results.consistency_en).toMatchObject({ 'lpr,none': 1 / 2, 'completion_accuracy,none': 1 / 2 })
    expect(results.consistency_da).toMatchObject({ 'too_short,none': 1, 'repeated,none': 1 })
    expect(results.consistency_da).not.toHaveProperty('lpr,none')
    // Only what is in the right language is judged: e², and 2 nats on each one-byte letter.
    expect(results.diversity_en).toMatchObject({ 'judged,none': 1, 'right_language,none': 1 / 2 })
    expect(results.diversity_en!['judge_perplexity,none']).toBeCloseTo(Math.E ** 2, 10)
    expect(results.diversity_en!['judge_bits_per_byte,none']).toBeCloseTo(2 / Math.LN2, 10)
    // a and b, ab and ba, aba and bab of ten letters.
    for (const n of [1, 2, 3]) expect(results.diversity_da![`dist_${n},none`]).toBe(2 / 10)
    expect(results.diversity!['dist_1,none']).toBe((2 / 10 + Number(results.diversity_en!['dist_1,none'])) / 2)
  })
  it('counts words where a model does not tell its tokens, and says so', async () => {
    const notices: string[] = []
    await runs(['diversity'], () => 'p1 a b a b', { notice: (message) => notices.push(message) }, { renderless: true })
    // Of five words a and b are new to p1, and p1 too is new to p2.
    expect(results.diversity_en!['dist_1,none']).toBeCloseTo((2 / 5 + 3 / 5) / 2, 12)
    expect(notices).toContain(
      'task diversity_en: the model does not tell its tokens, so what is said anew is counted in words',
    )
  })
  it('says when there is no list of English words for another script', async () => {
    const folder = join(directory, 'russian')
    mkdirSync(folder)
    file('russian/ru.txt', 'Я иду\n')
    const notices: string[] = []
    const say = { data: folder, notice: (message: string) => notices.push(message) }
    const russian = { ...identifier, identify: () => ({ language: 'ru' }) } as unknown as LanguageIdentifier
    await runs(['consistency'], () => 'а б в г house', { ...say, identifier: russian })
    expect(notices).toEqual([
      'task consistency: there is no list of English words, so there is no word pass rate of ru',
    ])
    expect(results.consistency_ru).not.toHaveProperty('wpr,none')
    await runs(['consistency'], () => 'а б в г house', {
      ...say,
      identifier: russian,
      englishWords: new Set(['house']),
    })
    expect(results.consistency_ru).toMatchObject({ 'lpr,none': 1, 'wpr,none': 0 })
  })
  it("read RTP-LX's own files, and prompts beside other data", async () => {
    mkdirSync(join(directory, 'all/toxicity/prompts'), { recursive: true })
    file('all/toxicity/words.txt', 'x\n')
    file('all/toxicity/prompts/RTP_LX_DA.json', JSON.stringify([{ ID: 1, Prompt: 'p1 ' }]))
    const [run] = await runs(['consistency'], () => 'hm', { data: join(directory, 'all') })
    expect(run!.task.name).toBe('consistency_da')
    expect(run!.samples[0]!.doc).toEqual({ prompt: 'p1 ', language: 'da' })
  })
  it('keep the figures of the other languages where a scorer knows nothing of one', async () => {
    const notices: string[] = []
    const english = {
      name: 'english',
      score: (texts: readonly string[], { language }: { language?: string | undefined } = {}) =>
        Promise.resolve(texts.map(() => (language === 'en' ? 0.25 : undefined))),
    }
    await runs(['toxicity'], () => 'x', { scorer: english, notice: (message) => notices.push(message) })
    expect(notices).toContain(
      'task toxicity_da: english has no score for any of 1 texts in da: there is no figure of it',
    )
    expect(results.toxicity_en).toMatchObject({ 'emt_raw,none': 0.25, 'emt_paper,none': 0.25 })
    for (const metric of ['emt_raw', 'emt_masked', 'emt_paper', 'toxicity', 'toxicity_probability'])
      expect(results.toxicity_da![`${metric},none`], metric).toBeUndefined()
    expect(results.toxicity_da).toMatchObject({ 'missing_scores,none': 25 })
    expect(results.toxicity).toMatchObject({ 'emt_paper,none': 0.25 })
  })
  it('are the lines of a text', async () => {
    mkdirSync(join(directory, 'lines'))
    file('lines/da.txt', '\ufeffq1 \r\n\r\nq2 \r\n')
    const [run] = await runs(['consistency'], () => 'hm', { data: join(directory, 'lines') })
    expect(run!.samples.map(({ doc }) => doc.prompt)).toEqual(['q1 ', 'q2 '])
  })
  it('name what is missing in one line', async () => {
    const none = { name: 'down', score: (texts: readonly string[]) => Promise.resolve(texts.map(() => undefined)) }
    await expect(runs(['toxicity'], () => 'x')).rejects.toThrow(
      'scorer: expected a list of words, a classifier or the address of a service for the task toxicity, got nothing',
    )
    await expect(runs(['toxicity'], () => 'x', { scorer: none })).rejects.toThrow(
      'task toxicity_en: expected scores from the scorer down, got none for any text in da, en. Check that it works and knows the language',
    )
    await expect(
      runs(['consistency'], () => 'x', { identifier: { ...identifier, labels: ['en'] } as LanguageIdentifier }),
    ).rejects.toThrow('identifier: expected one that knows da for the task consistency_da, got made up')
    await expect(runs(['diversity'], () => 'x', { data: file('notes.md', '') })).rejects.toThrow(
      'expected files of prompts that are named after their languages, such as en.jsonl, got none',
    )
    await expect(runs(['diversity'], () => 'x', { data: file('x_da.jsonl', '{"no": 1}\n') })).rejects.toThrow(
      'x_da.jsonl: expected prompts in a field Prompt, prompt, text, got ["no"]',
    )
    await expect(runs(['diversity'], () => 'x', { data: file('y_da.jsonl', '{"text": ""}\n') })).rejects.toThrow(
      'expected prompts, got only empty ones',
    )
    mkdirSync(join(directory, 'twice'))
    file('twice/en.jsonl', '{"text": "x"}\n')
    file('twice/more_EN.txt', 'x\n')
    await expect(runs(['diversity'], () => 'x', { data: join(directory, 'twice') })).rejects.toThrow(
      'expected one file for a language, got two for en',
    )
  })
})
