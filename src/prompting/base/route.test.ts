import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnsupportedError, UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { firstTokenScores } from './first-token-scores.ts'
import { localModel } from './local-model.ts'
import { type Model, modelOf } from './model.ts'
import { route } from './route.ts'
import { routeThreshold } from './route-threshold.ts'
import { trace } from './trace.ts'

const sure = (text: string, logprob: number, price: number): Model =>
  localModel(fakeLm({ reply: () => text, logProb: () => logprob, info: { name: text } }), {
    cost: { input: 0, output: price },
  })

describe('route', () => {
  it('takes the first answer that its model is sure of, and counts what all cost', async () => {
    const models = [sure('small', -2, 1), sure('middle', -0.5, 10), sure('large', -9, 100)]
    const { value, calls } = await trace(() => route(models, { above: -1 }).ask('x'))
    expect(value).toBe('middle')
    expect(calls[0]!.notes).toEqual([
      { by: 'route', asked: 'small', score: -2, above: -1, isTaken: false },
      { by: 'route', asked: 'middle', score: -0.5, above: -1, isTaken: true },
    ])
    // Each token is a character, with one for the end.
    expect(calls.map(({ cost }) => cost)).toEqual([undefined, 6e-6, 70e-6])
    expect(await route(models, { above: -0.1 }).ask('x')).toBe('large')
    let text = ''
    for await (const delta of route(models, { above: -3 }).stream('x')) text += delta
    expect(text).toBe('small')
  })
  it('goes by a score of the call, or by what was spent', async () => {
    const models = [sure('small', -1, 1e6), sure('large', -1, 1e6)]
    const short = route(models, { score: (_, { text }) => -text.length, above: -3 })
    expect([await short.ask('abc'), await short.ask('abcd')]).toEqual(['small', 'large'])
    const parts = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'bcd' },
        ],
      },
    ]
    expect(await short.ask([...parts, { role: 'assistant', content: 'a' }])).toBe('large')
    const spent: number[] = []
    const by = route(models, {
      by: (_, state) => {
        spent.push(state.spent)
        return state.spent < 6 ? 1 : 0
      },
    })
    expect([await by.ask('x'), await by.ask('x')]).toEqual(['large', 'small'])
    expect(spent).toEqual([0, 6])
  })
  it('asks no model for a confidence that it does not tell', async () => {
    const mute = modelOf({
      name: 'mute',
      holds: 'none',
      async *answer() {
        const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
        yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
      },
    })
    await expect(route([mute, mute], { above: 0 }).ask('x')).rejects.toThrow(UnsupportedError)
    await expect(mute.logprobs('x', ['y'])).rejects.toThrow(UnsupportedError)
  })
  it('refuses options that cannot be', () => {
    const models = [sure('a', -1, 0)]
    expect(() => route(models, {})).toThrow('either `by` or `above`, got neither')
    expect(() => route(models, { by: () => 0, above: 1 })).toThrow('got both')
    expect(() => route([], { above: 1 })).toThrow(UsageError)
    expect(() => localModel(fakeLm(), { cost: { input: -1, output: 0 } })).toThrow('cost: expected a price')
  })
})

describe('routeThreshold', () => {
  it('keeps as many as the bound allows', () => {
    // By hand: none wrong of n has the bound 1 − .05^(1/n), which is 0.0950 for 30 and 0.1041 for 28, 0.0981 for 29.
    const right = (n: number) => Array.from({ length: n }, (_, i) => ({ score: 100 - i, isRight: true }))
    expect(routeThreshold(right(29), { wrong: 0.1 })).toMatchObject({ above: 72, kept: 1, wrong: 0 })
    expect(routeThreshold(right(29), { wrong: 0.1 }).bound).toBeCloseTo(1 - 0.05 ** (1 / 29), 9)
    expect(routeThreshold(right(28), { wrong: 0.1 })).toMatchObject({ above: Number.POSITIVE_INFINITY, kept: 0 })
    const worse = [...right(40), ...Array.from({ length: 40 }, (_, i) => ({ score: -i, isRight: false }))]
    const found = routeThreshold(worse, { wrong: 0.1 })
    // One wrong of 47 has the bound 0.0969; of 41 it has 0.1104.
    expect([found.above, found.kept]).toEqual([61, 0.5])
  })
  it('promises no more than it keeps', () => {
    // Answers that are wrong with a probability of 0.2 whatever their score: a bound of 0.15 may be said of at most 5 % of samples.
    let state = 7
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    const samples = Array.from({ length: 400 }, () =>
      Array.from({ length: 150 }, () => ({ score: next(), isRight: next() >= 0.2 })),
    )
    const said = samples.filter((examples) => routeThreshold(examples, { wrong: 0.15 }).kept > 0).length
    expect(said).toBeLessThanOrEqual(400 * 0.05 + 3 * Math.sqrt(400 * 0.05 * 0.95))
  })
  it('never cuts between equal scores', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ score: fc.integer({ min: 0, max: 5 }), isRight: fc.boolean() }), { minLength: 1 }),
        (examples) => {
          const { above, kept } = routeThreshold(examples, { wrong: 0.5, confidence: 0.6 })
          expect(kept).toBe(examples.filter(({ score }) => score >= above).length / examples.length)
        },
      ),
    )
  })
})

describe('firstTokenScores', () => {
  const token = (top: Record<string, number>) => ({
    token: 'x',
    logprob: 0,
    top: Object.entries(top).map(([text, p]) => ({ token: text, logprob: Math.log(p) })),
  })
  it('adds up what begins one text only', () => {
    const scores = firstTokenScores(
      token({ yes: 0.4, ' yes': 0.1, ye: 0.1, no: 0.2, '\n': 0.1, Perhaps: 0.1 }),
      ['yes', 'no', 'so'],
      'm',
    )
    expect(scores.map(Math.exp)).toEqual([expect.closeTo(0.6, 12), expect.closeTo(0.2, 12), 0])
  })
  it('refuses texts that it cannot tell apart', () => {
    const told = token({ r: 0.5, red: 0.3 })
    expect(firstTokenScores(told, ['red', 'blue'], 'm')[0]).toBeCloseTo(Math.log(0.8))
    expect(() => firstTokenScores(token({ re: 0.9 }), ['red', 'refuse'], 'm')).toThrow(/Number the choices/)
    expect(() => firstTokenScores(undefined, ['a'], 'm')).toThrow(UnsupportedError)
  })
})
