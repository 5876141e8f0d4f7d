import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { UnsupportedError, UsageError } from '../../errors.ts'
import { fakeEmbedder } from '../../lm/fake-embedder.ts'
import { lowerBound, trialsFor, upperBound } from './binomial.ts'
import { type CacheOptions, cached } from './cached.ts'
import { calibrate, type QuestionPair } from './calibrate.ts'
import { lexicalEmbedder } from './lexical-embedder.ts'
import { modelOf } from './model.ts'
import { ALL_FACTS, differingFact, questionFacts } from './question-facts.ts'
import { trace } from './trace.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-semantic-'))
afterAll(() => rmSync(directory, { recursive: true }))

const usage = { promptTokens: 7, completionTokens: 2, reasoningTokens: 0 }

function counting() {
  let asked = 0
  const model = modelOf({
    name: 'm',
    holds: 'none',
    async *answer() {
      yield { deltas: [{ type: 'text', text: `answer ${++asked}` }], tokenIds: [] }
      yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked: () => asked }
}
const greedy = { temperature: 0 }
const like = (more: Partial<CacheOptions> = {}): CacheOptions => ({ embed: lexicalEmbedder(), threshold: 0.6, ...more })

describe('facts', () => {
  const differs = (a: string, b: string): string | undefined => differingFact(questionFacts(a), questionFacts(b))
  it.each([
    ['How long do I boil 2 eggs?', 'How long do I boil 3 eggs?', 'numbers'],
    ['How long do I boil two eggs?', 'How long do I boil three eggs?', 'numbers'],
    ['What is 1,000 in words?', 'What is 100 in words?', 'numbers'],
    ['What are 5 miles in kilometres?', 'What are 5 kilometres in miles?', 'numbers'],
    ['Is the shop open on Monday?', 'Is the shop open on Sunday?', 'numbers'],
    ['Can I eat this?', 'Can I not eat this?', 'negation'],
    ['Why does it work?', "Why doesn't it work?", 'negation'],
    ['Can I pay with a card?', 'Can I pay without a card?', 'negation'],
    ['Må man parkere her?', 'Må man ikke parkere her?', 'negation'],
    ['Kann ich hier parken?', 'Kann ich hier nicht parken?', 'negation'],
    ['¿Puedo aparcar aquí?', '¿Nunca puedo aparcar aquí?', 'negation'],
    ['Who is the mayor of Aarhus?', 'Who is the mayor of Odense?', 'names'],
    ['Paris weather', 'London weather', 'names'],
    ['What does parse_args do?', 'What does parse_argv do?', 'names'],
    ['What does "ja" mean?', 'What does "nej" mean?', 'names'],
    ['What does `--max-cost` do?', 'What does `--max-heads` do?', 'names'],
    ['Is port 6379 open?', 'Is port 6379 closed?', 'direction'], // semantic-router#2691
    ['How do I turn on dark mode?', 'How do I turn off dark mode?', 'direction'],
    ['Are dogs bigger than cats?', 'Are cats bigger than dogs?', 'direction'],
    ['Say, are dogs really bigger than cats?', 'Are cats bigger than dogs?', 'direction'],
    ['Convert euros to dollars', 'Convert dollars to euros', 'direction'],
    ['A parcel to the coast, how much?', 'A parcel from the coast, how much?', 'direction'],
    ['From EUR to USD', 'To USD from EUR', 'direction'], // the same, but another order: no hit rather than a wrong one
    ['How many cups are in a litre?', 'How many litres are in a cup?', 'direction'],
    ['Who wrote it?', 'When was it written?', 'direction'],
  ])('%s | %s', (a, b, fact) => {
    expect(differs(a, b)).toBe(fact)
    expect(differs(b, a)).toBe(fact)
    // Capitals and marks change nothing about it.
    expect(differs(a, a.replace(/\?$/, ''))).toBeUndefined()
  })
  it('are the same in other words', () => {
    for (const [a, b] of [
      ['How many kilometres are 5 miles?', 'What is five miles in kilometres?'],
      ["Can't I pay?", 'Can I not pay?'],
      ['How do I enable dark mode?', 'How can I turn on dark mode?'],
      ['Is 1,000.50 enough?', 'Is 1000.5 enough?'],
      ['is aarhus big?', 'Is aarhus big'],
    ] as const)
      expect(differs(a, b), a).toBeUndefined()
  })
  it('hold words where that is asked for', () => {
    const of = (a: string, b: string) => differingFact(questionFacts(a), questionFacts(b), ALL_FACTS)
    expect(of('How do I boil an egg?', 'How do I fry an egg?')).toBe('words')
    expect(of('How do I boil an egg?', 'How can I boil eggs?')).toBeUndefined()
    expect(of('How tall is the tower?', 'What is the height of the tower?')).toBeUndefined()
  })
})

describe('bounds', () => {
  it('are those of Clopper and Pearson', () => {
    // None of n: 1 − 0.05^(1/n). One of one: nothing is known above. 2 of 20 by R's binom.test(2, 20, conf.level = 0.9): 0.0181, 0.2826.
    expect(upperBound(0, 2995, 0.95)).toBeCloseTo(1 - 0.05 ** (1 / 2995), 10)
    expect(upperBound(0, 2995, 0.95)).toBeLessThan(0.001)
    expect(upperBound(0, 2994, 0.95)).toBeGreaterThan(0.001)
    expect(trialsFor(0.001, 0.95)).toBe(2995)
    expect([upperBound(1, 1, 0.95), lowerBound(0, 3, 0.95)]).toEqual([1, 0])
    expect(upperBound(2, 20, 0.95)).toBeCloseTo(0.2826, 4)
    expect(lowerBound(2, 20, 0.95)).toBeCloseTo(0.0181, 4)
  })
  it('hold their rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const seen = Math.min(n - 1, Math.floor(share * n))
        const bound = upperBound(seen, n, 0.9)
        return bound > seen / n && bound <= 1 && upperBound(seen + 1, n, 0.9) >= bound
      }),
    )
  })
})

describe('calibrate', () => {
  /** Pairs of given similarity: vectors in a plane, by the text's own number. */
  const embed = async (texts: readonly string[]): Promise<Float32Array[]> =>
    texts.map((text) => {
      const cosine = text.startsWith('q') ? Number(text.slice(1)) : 1
      return Float32Array.of(cosine, Math.sqrt(1 - cosine * cosine))
    })
  const pair = (cosine: number, same: boolean): QuestionPair => ({ a: 'x', b: `q${cosine}`, same })
  const pairs = [
    ...Array.from({ length: 100 }, (_, i) => pair(i / 200, false)), // 0 to 0.495
    ...[0.7, 0.8, 0.9, 0.95].map((cosine) => pair(cosine, false)),
    ...[0.45, 0.75, 0.92, 0.97].map((cosine) => pair(cosine, true)),
  ]
  const exact = [] as const
  it('takes the smallest threshold whose bound holds', async () => {
    // Of 104: none has a bound of 0.0284, one 0.0448, two 0.0594.
    const none = await calibrate(embed, pairs, { falseHits: 0.03, exact })
    expect([none.threshold, none.different.hits, none.same.hits]).toEqual([0.951, 0, 1])
    expect(none.different.upper).toBeCloseTo(1 - 0.05 ** (1 / 104), 8)
    const one = await calibrate(embed, pairs, { falseHits: 0.045, exact })
    expect([one.threshold, one.different.hits, one.same.hits]).toEqual([0.901, 1, 2])
    // It goes no lower than what same pairs need.
    const all = await calibrate(embed, pairs, { falseHits: 0.9, exact })
    expect([all.threshold, all.same.hits]).toEqual([0.45, 4])
    expect(all.same.upper).toBe(1)
  })
  it('refuses what the pairs cannot show, and says how many could', async () => {
    const error = await calibrate(embed, pairs, { exact }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(/at least 2995 pairs .* got 104/)
    const anyway = await calibrate(embed, pairs, { exact, unproven: true })
    expect([anyway.threshold, anyway.different.hits]).toEqual([0.951, 0])
    expect(anyway.different.upper).toBeGreaterThan(0.02)
  })
  it('finds no threshold where different questions look the same', async () => {
    const alike = [...pairs, ...Array.from({ length: 9 }, () => pair(1, false))]
    await expect(calibrate(embed, alike, { falseHits: 0.03, exact })).rejects.toThrow('with a similarity of 1')
  })
  it('counts pairs that differ in a fact as none', async () => {
    const found = await calibrate(
      lexicalEmbedder(),
      [
        ...Array.from({ length: 60 }, (_, i) => ({ a: `Room ${i}?`, b: `Room ${i + 1}?`, same: false })),
        { a: 'How do I get there?', b: 'How can I get there?', same: true },
      ],
      { falseHits: 0.05 },
    )
    expect([found.different.hits, found.same.hits]).toEqual([0, 1])
  })
})

describe('semantic cache', () => {
  it('answers a like question, says which, and not what differs in a fact', async () => {
    const { model, asked } = counting()
    const cheap = cached(model, like())
    const { value, calls } = await trace(async () => [
      await cheap.ask('How do I boil 2 eggs?', greedy),
      await cheap.ask('How can I boil 2 eggs?', greedy),
      await cheap.ask('How can I boil 3 eggs?', greedy),
      await cheap.ask('How can I not boil 2 eggs?', greedy),
    ])
    expect(value).toEqual(['answer 1', 'answer 1', 'answer 2', 'answer 3'])
    const hit = calls.filter(({ parent }) => parent === undefined)[1]!.answer!
    expect(hit.cached).toEqual({
      kind: 'semantic',
      question: 'How do I boil 2 eggs?',
      similarity: expect.closeTo(0.97, 1),
      usage,
    })
    expect(hit.usage.promptTokens).toBe(0)
    expect(cheap.cache).toMatchObject({ exact: 0, semantic: 1, misses: 3 })
    expect(asked()).toBe(3)
  })
  it('takes a question for the same within the same call alone', async () => {
    const { model } = counting()
    const cheap = cached(model, like())
    await cheap.ask('How do I boil eggs?', greedy)
    const other = 'How can I boil eggs?'
    for (const given of [{ system: 'Be brief.' }, { maxTokens: 9 }, { stop: ['.'] }])
      await cheap.ask(other, { ...greedy, ...given })
    await cheap.ask(other) // a draw
    await cheap.ask(
      [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hi' },
        { role: 'user', content: other },
      ],
      greedy,
    )
    expect(cheap.cache.semantic).toBe(0)
    expect(await cheap.ask(other, greedy)).toBe('answer 1')
  })
  it('does not drift: a hit is no question itself', async () => {
    const { model } = counting()
    const vectors: Record<string, number> = { a: 0, b: 0.5, c: 1 } // radians: a is like b, b like c, a not like c
    const embed = (texts: readonly string[]) =>
      texts.map((text) => Float32Array.of(Math.cos(vectors[text]!), Math.sin(vectors[text]!)))
    const cheap = cached(model, { embed, threshold: 0.8 })
    expect([await cheap.ask('a', greedy), await cheap.ask('b', greedy), await cheap.ask('c', greedy)]).toEqual([
      'answer 1',
      'answer 1',
      'answer 2',
    ])
  })
  it('knows its questions from the store, and forgets what is too old', async () => {
    vi.useFakeTimers({ now: 1e6, toFake: ['Date'] })
    try {
      const { model } = counting()
      const store = join(directory, 'store')
      const open = () => cached(model, like({ store, ttlSeconds: 10 }))
      await open().ask('How do I boil eggs?', greedy)
      const later = open()
      expect(await later.ask('How can I boil eggs?', greedy)).toBe('answer 1')
      vi.setSystemTime(1e6 + 10_001)
      expect(await later.ask('How can I boil eggs?', greedy)).toBe('answer 2')
    } finally {
      vi.useRealTimers()
    }
  })
  it('holds as many questions as it may', async () => {
    const cheap = cached(counting().model, like({ maxQuestions: 1 }))
    await cheap.ask('How do I boil eggs?', greedy)
    await cheap.ask('Where is the station?', greedy)
    await cheap.ask('How can I boil eggs?', greedy)
    expect(cheap.cache.semantic).toBe(0)
  })
  it('goes on where the embedder fails, and tells it', async () => {
    const faults: string[] = []
    let isBroken = false
    const good = lexicalEmbedder()
    const embed = async (texts: readonly string[]) => {
      if (isBroken) throw new Error('busy')
      return good(texts)
    }
    const cheap = cached(counting().model, like({ embed, onFault: (fault) => faults.push(fault) }))
    await cheap.ask('How do I boil eggs?', greedy)
    isBroken = true
    expect(await cheap.ask('How can I boil eggs?', greedy)).toBe('answer 2')
    expect(faults).toEqual(['embed: busy'])
  })
  it('takes embedders of all kinds, and refuses what cannot be', async () => {
    const { model } = counting()
    const cheap = cached(model, like({ embed: fakeEmbedder() }))
    await cheap.ask('abc', greedy)
    expect(await cheap.ask('cba', greedy)).toBe('answer 1')
    const wrong = cached(model, like({ embed: async () => [] }))
    await wrong.ask('a', greedy)
    await expect(wrong.ask('b', greedy)).rejects.toThrow('embed: expected 2 vectors')
    const none = cached(model, like({ embed: model }))
    await none.ask('a', greedy)
    await expect(none.ask('b', greedy)).rejects.toThrow(UnsupportedError)
    for (const [options, message] of [
      [{ embed: lexicalEmbedder() }, 'threshold: expected one'],
      [{ threshold: 0.9 }, 'threshold: expected it together'],
      [like({ threshold: 2 }), 'threshold: expected a cosine'],
      [like({ exact: ['name' as never] }), 'exact: expected'],
    ] as const)
      expect(() => cached(model, options)).toThrow(message)
  })
  it('finds nothing for a text without words', async () => {
    const cheap = cached(counting().model, like())
    expect([await cheap.ask('?', greedy), await cheap.ask('!', greedy)]).toEqual(['answer 1', 'answer 2'])
  })
})
