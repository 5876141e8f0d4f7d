import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bleu } from '../metrics/bleu.ts'
import { PythonRandom } from '../python-random.ts'
import type { Sample } from '../samples.ts'
import type { StyleData, StyleDialogue } from '../tasks/style/read-dialogues.ts'
import { styleReport } from './style-report.ts'
import { styleSimilarity } from './style-similarity.ts'
import { StyleSpace } from './style-space.ts'

const CONTENT = 'work sleep mother exam money friends garden winter school music'.split(' ')
/** Three made-up counsellors who speak of the same things. */
const SPEAKERS = {
  asks: (word: string, random: PythonRandom) =>
    random.random() < 0.8 ? `What about ${word}? How does it feel?` : `I see. Tell me of ${word}. What then?`,
  reflects: (word: string, random: PythonRandom) =>
    `It sounds like ${word} weighs on you${random.random() < 0.5 ? ', and that you carry it alone' : ''}. I hear that.`,
  advises: (word: string, random: PythonRandom) =>
    `You should write down each day what ${word} does to you; ${random.random() < 0.5 ? 'then ' : ''}try to walk, and let's look at it again next week!`,
} as const
const turnsOf = (who: keyof typeof SPEAKERS, seed: number, count = 40): string[] => {
  const random = new PythonRandom(seed)
  return Array.from({ length: count }, () => SPEAKERS[who](CONTENT[random.below(CONTENT.length)]!, random))
}
const dialogues = (turns: readonly string[]): string[][] =>
  Array.from({ length: 10 }, (_, i) => turns.slice(i * 4, i * 4 + 4))

describe('styleSimilarity', () => {
  it('is 1 for the reference itself', () => {
    const reference = dialogues(turnsOf('asks', 1))
    const same = styleSimilarity(reference.flat(), reference)
    expect([same.similarity, same.cosine]).toEqual([expect.closeTo(1, 12), expect.closeTo(1, 12)])
    expect(same.floor).toBeNaN()
    expect(same.features.every(({ distance }) => distance === 0)).toBe(true)
  })

  it('derives every group', () => {
    const { similarity, groups } = styleSimilarity(['I eat.'], [['You sleep?'], ['You eat?']])
    // Every turn has two words. The reference always asks, once, and never varies: a spread of 0.1.
    const questions = (2 * Math.exp(-1 / 0.1) + Math.exp(-Math.LN2 / 0.1)) / 3
    expect(groups).toEqual({
      length: 1,
      questions: expect.closeTo(questions, 12),
      phrases: 1,
      openings: 0,
      'function words': 0,
      punctuation: 0,
    })
    expect(similarity).toBeCloseTo((2 + questions) / 6, 12)
    // Half of the turns begin as those, and half of the signs are theirs; of the words with a function "you" is 1 of 2.
    const half = styleSimilarity(['You eat?', 'I eat.'], [['You sleep?'], ['You eat?']]).groups
    expect(half).toMatchObject({ openings: 0.5, punctuation: 0.5, 'function words': 0.5 })
  })

  it('tells made-up counsellors apart, between ceiling and floor', () => {
    for (const who of Object.keys(SPEAKERS) as (keyof typeof SPEAKERS)[]) {
      const reference = dialogues(turnsOf(who, 1))
      const strangers = (Object.keys(SPEAKERS) as (keyof typeof SPEAKERS)[]).filter((one) => one !== who)
      const others = strangers.map((one) => turnsOf(one, 2))
      const own = styleSimilarity(turnsOf(who, 3), reference, { others })
      expect(own.ceiling - own.floor).toBeGreaterThan(0.3)
      expect(own.relative).toBeGreaterThan(0.8)
      for (const one of strangers)
        expect(styleSimilarity(turnsOf(one, 3), reference, { others }).relative).toBeLessThan(0.3)
      // Half of one, half of another: in between.
      const mixed = [...turnsOf(who, 4, 20), ...turnsOf(strangers[0]!, 4, 20)]
      expect(styleSimilarity(mixed, reference, { others }).similarity).toBeLessThan(own.similarity - 0.1)
    }
  })

  it('reads Chinese, and other languages by their most frequent words', () => {
    const space = new StyleSpace(['听起来你很累。你睡得好吗？', '我理解你的感受。'])
    expect(space.language).toBe('zh')
    const at = (name: string): number => space.features.findIndex((feature) => feature.name === name)
    expect(space.mean[at('reflection')]).toBe(1)
    expect(space.mean[at('ends with a question')]).toBe(0.5)
    expect(space.features.filter(({ group }) => group === 'openings').map(({ name }) => name)).toEqual([
      '听 起',
      '我 理',
      'any other',
    ])
    const spanish = new StyleSpace(['Creo que duermes mal. ¿Qué te pasa?', 'Creo que no. ¿Por qué?'])
    expect(spanish.language).toBeUndefined()
    expect(spanish.features.some(({ group, name }) => group === 'function words' && name === 'creo')).toBe(true)
  })

  it('lies in [0, 1], whatever the texts', () => {
    const some = fc.array(fc.string({ unit: 'grapheme', maxLength: 30 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(some, some, (twin, reference) => {
        const { similarity, cosine } = styleSimilarity(twin, [reference], { splits: 1 })
        expect(similarity).toBeGreaterThanOrEqual(0)
        expect(similarity).toBeLessThanOrEqual(1 + 1e-9)
        expect(cosine).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 60 },
    )
    expect(() => styleSimilarity([], [['a']])).toThrow('twin: expected at least one turn, got none')
    expect(() => styleSimilarity(['a'], [[]])).toThrow('reference: expected at least one turn, got none')
  })
})

describe('styleReport', () => {
  const test = Array.from(
    { length: 8 },
    (_, i): StyleDialogue => ({
      id: String(i),
      topic: undefined,
      speaker: '',
      messages: turnsOf('asks', i, 3).flatMap((content) => [
        { role: 'user' as const, content: 'Hello' },
        { role: 'assistant' as const, content },
      ]),
    }),
  )
  const data: StyleData = { test, cases: [], others: [turnsOf('advises', 9)] }
  const samples = (who: keyof typeof SPEAKERS, seed: number): Sample[] =>
    test.flatMap(({ id, messages }, d) =>
      messages.flatMap(({ role, content }, turn) => {
        if (role !== 'assistant') return []
        const answer = turnsOf(who, seed * 100 + d * 10 + turn, 1)[0]!
        return [
          {
            doc_id: d * 10 + turn,
            doc: { dialogue: id, turn, gold: content },
            target: content,
            arguments: [],
            resps: [[answer]],
            filtered_resps: [answer],
            filter: 'none',
            scores: { rougeL: d / 10, bleu: [content, answer] },
          },
        ]
      }),
    )

  it('has figures with intervals, and differences in pairs', () => {
    const arms = [
      { name: 'twin', samples: samples('asks', 1) },
      { name: 'base', samples: samples('advises', 2) },
    ]
    const found = styleReport(arms, data, { draws: 200 })!
    expect([found.dialogues, found.turns, found.reference]).toEqual([8, 24, 24])
    expect(found.arms.map(({ name }) => name)).toEqual(['what was said', 'twin', 'base'])
    const [real, twin, base] = found.arms
    // Without cases the reference is what was said.
    expect(real!.figures.similarity!.value).toBeCloseTo(1, 12)
    expect(twin!.figures.similarity!.low).toBeGreaterThan(base!.figures.similarity!.high)
    expect(twin!.figures.rougeL!.value).toBeCloseTo(0.35, 12)
    const texts = arms[0]!.samples.map(({ filtered_resps: [answer] }) => String(answer))
    expect(twin!.figures.bleu!.value).toBeCloseTo(
      bleu(
        texts,
        arms[0]!.samples.map(({ target }) => [String(target)]),
      ),
      9,
    )
    const [difference] = found.differences
    expect([difference!.to, difference!.from]).toEqual(['twin', 'base'])
    expect(difference!.figures.similarity!.low).toBeGreaterThan(0)
    // The same in every pair: nothing is left of how dialogues differ.
    expect(difference!.figures.rougeL).toEqual({ value: 0, low: 0, high: 0 })
    expect(twin!.openings.texts).toBe(24)
    expect(styleReport(arms, data, { draws: 200 })).toEqual(found)
  })

  it('takes only turns that all have answered', () => {
    const whole = samples('asks', 1)
    const arms = [
      { name: 'a', samples: whole },
      { name: 'b', samples: whole.slice(0, 3).map((one, i) => (i === 0 ? { ...one, failed: 'no answer' } : one)) },
    ]
    const found = styleReport(arms, data, { draws: 10 })!
    expect([found.dialogues, found.turns]).toEqual([1, 2])
    expect(found.arms[1]!.figures.similarity!.low).toBeNaN()
    expect(styleReport([{ name: 'a', samples: [] }], data)).toBeUndefined()
  })
})
