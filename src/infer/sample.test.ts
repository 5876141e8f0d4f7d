import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NonFiniteError, UsageError } from '../errors.ts'
import { Sampler, type SamplingOptions } from './sample.ts'

const NEUTRAL: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 }
interface Golden {
  logits: number[]
  prompt_ids: number[]
  cases: { options: Partial<SamplingOptions>; probabilities: number[] }[]
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../../test/fixtures/infer/sampling.json', import.meta.url), 'utf8'),
)

/** The next token, which the sampler hears of. */
function draw(sampler: Sampler, logits: readonly number[]): number {
  const id = sampler.pick(Float32Array.from(logits))
  sampler.accept(id)
  return id
}

/** How often each id is drawn from the same logits, over seeds 0 … draws − 1. */
function frequencies(
  logits: number[],
  options: Partial<SamplingOptions>,
  draws: number,
  prompt: number[] = [],
): number[] {
  const counts = new Array<number>(logits.length).fill(0)
  for (let seed = 0; seed < draws; seed++)
    counts[new Sampler({ ...NEUTRAL, ...options, seed }, prompt).pick(Float32Array.from(logits))]!++
  return counts.map((count) => count / draws)
}

function expectNear(found: number[], expected: number[], draws: number): void {
  for (const [id, probability] of expected.entries()) {
    // Five standard deviations of a share; an id that is cut away never comes.
    const tolerance = 5 * Math.sqrt((probability * (1 - probability)) / draws)
    expect(Math.abs(found[id]! - probability), `id ${id}`).toBeLessThanOrEqual(tolerance)
  }
}

describe('Sampler', () => {
  it('never chooses a suppressed token, at no step, greedily or drawn, whatever ids are listed', () => {
    const logits = [0, Math.log(3), 9, 5]
    const suppressTokens = [2, 3, 99]
    const greedy = new Sampler({ ...NEUTRAL, temperature: 0, suppressTokens }, [])
    expect(greedy.isArgmax).toBe(false)
    expect([1, 2, 3].map(() => draw(greedy, logits))).toEqual([1, 1, 1])
    for (const options of [{}, { topK: 3 }, { topP: 0.999 }, { minP: 0.01 }, { repetitionPenalty: 1.5 }])
      expectNear(frequencies(logits, { ...options, suppressTokens }, 4000), [0.25, 0.75, 0, 0], 4000)
  })

  it('draws among what is not refused, in proportion, and tells how often it was', () => {
    const logits = [0, Math.log(2), Math.log(5), Math.log(4)]
    const refuse = (ids: number[]) => ({ accept: (id: number) => !ids.includes(id) })
    expectNear(frequencies(logits, refuse([2]), 8000), [1 / 7, 2 / 7, 0, 4 / 7], 8000)
    expectNear(frequencies(logits, refuse([2, 3]), 8000), [1 / 3, 2 / 3, 0, 0], 8000)
    // Of 5 and 4 the 5 is refused with 5/9, and then it is between 4 and 2.
    expectNear(frequencies(logits, { ...refuse([2]), topK: 2 }, 8000), [0, 5 / 27, 0, 22 / 27], 8000)
    const greedy = new Sampler({ ...NEUTRAL, temperature: 0, ...refuse([2, 3]) }, [])
    expect([greedy.isArgmax, draw(greedy, logits), greedy.refused]).toEqual([false, 1, 2])
    const asked: unknown[] = []
    const told = new Sampler({ ...NEUTRAL, accept: (id, ids) => asked.push([id, [...ids]]) > 0 }, [9])
    const first = draw(told, logits)
    draw(told, logits)
    expect(asked).toEqual([
      [first, []],
      [expect.any(Number), [first]],
    ])
    expect(() => draw(new Sampler({ ...NEUTRAL, accept: () => false }, []), logits)).toThrow(/^accept: .* got none/)
  })

  it('goes on in order where many are refused', () => {
    // Ids 0 … 11 are refused, the likeliest; of 12, 13, 14 the weights are 4, 2, 1.
    const logits = [...Array.from({ length: 12 }, (_, i) => 3 + (i % 5) / 4), Math.log(4), Math.log(2), 0]
    const high = { accept: (id: number) => id >= 12 }
    const shares = (some: number[]) => [...new Array<number>(12).fill(0), ...some]
    expectNear(frequencies(logits, high, 8000), shares([4 / 7, 2 / 7, 1 / 7]), 8000)
    // Under these all twelve come before, and what is left is cut anew: of 4 and 2.
    expectNear(frequencies(logits, { ...high, topK: 2 }, 8000), shares([2 / 3, 1 / 3, 0]), 8000)
    expectNear(frequencies(logits, { ...high, topK: 2, topP: 0.6 }, 500), shares([1, 0, 0]), 500)
    expect(frequencies(logits, { ...high, topK: 1 }, 50)[12]).toBe(1)
    expect(frequencies(logits, { ...high, topP: 1e-9 }, 50)[12]).toBe(1)
    expect(frequencies(logits, { ...high, minP: 1 }, 50)[12]).toBe(1)
    for (const options of [{}, { temperature: 0 }, { topK: 5 }, { topP: 0.5 }, { minP: 0.3 }]) {
      const asked: number[] = []
      const none = new Sampler({ ...NEUTRAL, ...options, seed: 1, accept: (id) => asked.push(id) < 0 }, [])
      expect(() => none.pick(Float32Array.from({ length: 20_000 }, (_, i) => i % 97))).toThrow(/got none/)
      expect(new Set(asked).size).toBe(20_000)
      expect([asked.length, none.refused]).toEqual([20_000, 20_000])
    }
  })

  it('is greedily the largest that is allowed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.infiniteStream(fc.boolean()),
        (row, coins) => {
          const allowed = row.map(() => coins.next().value as boolean)
          const logits = Float32Array.from(row)
          const wanted = Float32Array.from(logits, (logit, id) => (allowed[id] ? logit : Number.NEGATIVE_INFINITY))
          const pick = (): number =>
            new Sampler({ ...NEUTRAL, temperature: 0, accept: (id) => allowed[id]! }, []).pick(logits)
          if (allowed.includes(true)) expect(pick()).toBe(wanted.indexOf(Math.max(...wanted)))
          else expect(pick).toThrow(/got none/)
        },
      ),
    )
  })

  it('draws in proportion to the softmax', () => {
    // exp of these are 1, 2, 5: shares 1/8, 2/8, 5/8.
    const logits = [0, Math.log(2), Math.log(5)]
    expectNear(frequencies(logits, {}, 8000), [0.125, 0.25, 0.625], 8000)
  })

  it('divides by the temperature', () => {
    // At ½, weights are squared: 1, 4, 25 of 30.
    const logits = [0, Math.log(2), Math.log(5)]
    expectNear(frequencies(logits, { temperature: 0.5 }, 8000), [1 / 30, 4 / 30, 25 / 30], 8000)
  })

  it('keeps the top k and those that equal the last of them', () => {
    const logits = [3, 1, 2, 2, 0]
    expect(frequencies(logits, { topK: 2 }, 2000).map((share) => share > 0)).toEqual([true, false, true, true, false])
    expect(frequencies(logits, { topK: 1 }, 50)).toEqual([1, 0, 0, 0, 0])
  })

  it('keeps the smallest set with the top p', () => {
    // Shares ½, ¼, ⅛, ⅛.
    const logits = [1, 4, 2, 1].map(Math.log)
    const kept = (topP: number) => frequencies(logits, { topP }, 2000).map((share) => share > 0)
    expect(kept(0.5)).toEqual([false, true, false, false])
    expect(kept(0.51)).toEqual([false, true, true, false])
    expect(kept(0.76)).toEqual([true, true, true, true])
    expect(kept(1e-30)).toEqual([false, true, false, false])
  })

  it('leaves out what is below min p of the best', () => {
    const logits = [1, 4, 2, 0.9].map(Math.log)
    expect(frequencies(logits, { minP: 0.25 }, 2000).map((share) => share > 0)).toEqual([true, true, true, false])
    expect(frequencies(logits, { minP: 1 }, 50)).toEqual([0, 1, 0, 0])
  })

  it('divides positive and multiplies negative logits of what was there, once each', () => {
    const greedy = (logits: number[], prompt: number[]) =>
      new Sampler({ ...NEUTRAL, temperature: 0, repetitionPenalty: 2 }, prompt).pick(Float32Array.from(logits))
    expect(greedy([4, 3, -1], [])).toBe(0)
    expect(greedy([4, 3, -1], [0])).toBe(1) // 4 / 2 < 3
    expect(greedy([4, 1.9, -1], [0, 0, 0])).toBe(0) // not 4 / 8
    expect(greedy([-3, -2], [1])).toBe(0) // −2 · 2 < −3
  })

  it.each([
    // logits, where id 0 was there: what 0 becomes under a penalty of 2, and who is the largest then.
    [[-0.5, -0.7], '−1, not −0.25', 1],
    [[-0.2, -0.3], '−0.4, not −0.1', 1],
    [[-0.5, -1.1], '−1', 0],
    [[0.5, 0.3], '0.25, not 1', 1],
  ])('makes every logit of what was there smaller, between −1 and 1 too: %s → %s', (logits, _, expected) => {
    const sampler = new Sampler({ ...NEUTRAL, temperature: 0, repetitionPenalty: 2 }, [0])
    expect(sampler.pick(Float32Array.from(logits))).toBe(expected)
  })

  it('penalises what it has chosen itself', () => {
    const sampler = new Sampler({ ...NEUTRAL, temperature: 0, repetitionPenalty: 2 }, [])
    const picks = [1, 2, 3, 4].map(() => draw(sampler, [4, 3, 2.5]))
    expect(picks).toEqual([0, 1, 2, 0])
  })

  it.each(golden.cases)('leaves the probabilities that Transformers leaves: $options', ({ options, probabilities }) => {
    const draws = 6000
    expectNear(frequencies(golden.logits, options, draws, golden.prompt_ids), probabilities, draws)
  })

  it('gives the same tokens for the same seed and others for another', () => {
    const logits = Array.from({ length: 50 }, (_, i) => Math.sin(i))
    const text = (seed: number) => {
      const sampler = new Sampler({ ...NEUTRAL, seed }, [])
      return Array.from({ length: 20 }, () => draw(sampler, logits))
    }
    expect(text(5)).toEqual(text(5))
    expect(text(5)).not.toEqual(text(6))
  })

  it('never gives an id whose logit is minus infinity', () => {
    const logits = [Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]
    expect(frequencies(logits, {}, 200)).toEqual([0, 1, 0])
    expect(frequencies(logits, { topP: 0.9, topK: 3 }, 200)).toEqual([0, 1, 0])
  })

  it.each([[[Number.NaN, 1]], [[1, Number.NaN]], [[Number.POSITIVE_INFINITY, 1]], [[-1 / 0, -1 / 0]]])(
    'refuses logits %j',
    (logits) => {
      for (const options of [{}, { temperature: 0 }, { topK: 1 }, { topP: 0.5 }])
        expect(() => new Sampler({ ...NEUTRAL, ...options }, []).pick(Float32Array.from(logits))).toThrow(
          NonFiniteError,
        )
    },
  )

  it('takes the two penalties of the OpenAI API off what it made itself, and nothing off the prompt', () => {
    // μ[j] ← μ[j] − c[j]·frequency − (c[j] > 0)·presence, c counting the tokens made so far (OpenAI's guide, word for word in symbols).
    const penalty = fc.double({ min: -2, max: 2, noNaN: true })
    const logits = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 6, maxLength: 6 })
    fc.assert(
      fc.property(
        penalty,
        penalty,
        logits,
        fc.array(fc.nat(5), { maxLength: 12 }),
        (presence, frequency, row, made) => {
          const options = { ...NEUTRAL, temperature: 0, presencePenalty: presence, frequencyPenalty: frequency }
          const sampler = new Sampler(options, [0, 1, 2])
          for (const id of made) sampler.accept(id)
          const counts = row.map((_, id) => made.filter((other) => other === id).length)
          const expected = Float32Array.from(row, (logit, id) => {
            const count = counts[id]!
            return count === 0 ? logit : Math.fround(logit) - (presence + frequency * count)
          })
          const found = Float32Array.from(row)
          expect(sampler.isArgmax).toBe(presence === 0 && frequency === 0)
          expect(sampler.pick(found)).toBe(expected.indexOf(Math.max(...expected)))
          expect(found).toEqual(expected)
        },
      ),
    )
  })

  it('adds the bias before anything else', () => {
    const biased = (logitBias: Map<number, number>, options: Partial<SamplingOptions> = {}) =>
      new Sampler({ ...NEUTRAL, temperature: 0, logitBias, ...options }, [1])
    expect(biased(new Map()).isArgmax).toBe(true)
    expect(biased(new Map([[2, 100]])).isArgmax).toBe(false)
    expect(draw(biased(new Map([[2, 100]])), [9, 3, -9])).toBe(2)
    expect(draw(biased(new Map([[0, -100]])), [9, 3, -9])).toBe(1)
    // 3 + 4 = 7 halved is 3.5, below 5; halved first it would be 5.5.
    expect(draw(biased(new Map([[1, 4]]), { repetitionPenalty: 2 }), [5, 3, 0])).toBe(0)
  })

  it('chooses nothing that the mask leaves out, at any setting, and asks it about the tokens made so far', () => {
    const width = 70 // the last word is not full
    const words = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 3, maxLength: 3 })
    const settings = fc.record({
      temperature: fc.constantFrom(0, 0.5, 1, 3),
      topK: fc.constantFrom(0, 1, 5),
      topP: fc.constantFrom(1, 0.9, 0.01),
      minP: fc.constantFrom(0, 0.3),
      repetitionPenalty: fc.constantFrom(1, 1.5),
      seed: fc.nat(),
    })
    fc.assert(
      fc.property(settings, fc.array(words, { minLength: 3, maxLength: 3 }), (options, masks) => {
        const made: number[] = []
        const mask = (ids: readonly number[]) => {
          expect(ids).toEqual(made)
          return Uint32Array.from(masks[ids.length]!)
        }
        const sampler = new Sampler({ ...options, mask }, [])
        expect(sampler.isArgmax).toBe(false)
        for (const bits of masks) {
          const isAllowed = (id: number) => ((bits[id >>> 5]! >>> (id & 31)) & 1) === 1
          const logits = Array.from({ length: width }, (_, i) => Math.sin(i * 7) * 5)
          if (!logits.some((_, id) => isAllowed(id))) {
            expect(() => draw(sampler, logits)).toThrow(UsageError)
            return
          }
          const id = draw(sampler, logits)
          expect(isAllowed(id)).toBe(true)
          made.push(id)
        }
      }),
    )
  })

  it('draws with a mask that allows all what it draws without one', () => {
    const logits = Array.from({ length: 40 }, (_, i) => Math.cos(i))
    const text = (options: Partial<SamplingOptions>) => {
      const sampler = new Sampler({ ...NEUTRAL, ...options }, [])
      return Array.from({ length: 20 }, () => draw(sampler, logits))
    }
    const all = Uint32Array.of(0xffffffff, 0xffffffff)
    expect(text({ mask: () => all })).toEqual(text({}))
    expect(text({ mask: () => null })).toEqual(text({}))
  })

  it('says that nothing is left, and that a mask is of another vocabulary', () => {
    const sampler = new Sampler({ ...NEUTRAL, mask: () => Uint32Array.of(1), minTokens: 2 }, [], [0])
    expect(() => sampler.pick(Float32Array.of(1, 2))).toThrow(
      'mask: expected a token that may come next, got none after 0',
    )
    expect(() => sampler.pick(new Float32Array(33))).toThrow('mask: expected 2 words of 32 bits for 33 tokens, got 1')
    const silent = new Sampler({ ...NEUTRAL, suppressTokens: [0, 1] }, [])
    expect(() => silent.pick(Float32Array.of(1, 2))).toThrow('suppress_tokens: expected a token that may come next')
  })

  it('holds end tokens back until there are enough tokens', () => {
    const sampler = new Sampler({ ...NEUTRAL, temperature: 0, minTokens: 2 }, [], [3])
    const picks = [0, 1, 2].map(() => {
      const { isArgmax } = sampler
      return [draw(sampler, [0, 2, 1, 9]), isArgmax]
    })
    expect(picks).toEqual([
      [1, false],
      [1, false],
      [3, true],
    ])
  })

  it('draws with the same number until the token has come', () => {
    const logits = Array.from({ length: 50 }, () => 0)
    const sampler = new Sampler({ ...NEUTRAL, seed: 9 }, [])
    const first = sampler.pick(Float32Array.from(logits))
    expect(sampler.pick(Float32Array.from(logits))).toBe(first)
    sampler.accept(first)
    expect(sampler.pick(Float32Array.from(logits))).not.toBe(first)
  })
})
