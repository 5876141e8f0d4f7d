import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../lm/fake-lm.ts'
import { dryRun, trace } from '../base/trace.ts'
import { prompt } from '../data/prompt.ts'
import { choiceProbabilities } from './choice-probabilities.ts'
import { openSession } from './session.ts'
import { where } from './where.ts'

const folder = mkdtempSync(join(tmpdir(), 'session-'))
afterAll(() => rmSync(folder, { recursive: true }))

const idOf = (character: string): number => character.codePointAt(0)!
/** Says the same, one character a token. */
const saying = (reply: string, others = '') =>
  fakeLm({ reply: () => reply, candidates: () => [...others].map(idOf), logProb: () => -1 })
/** The natural logarithms of these probabilities of a next character, by the text before it. */
const telling = (by: Record<string, Record<string, number>>) =>
  fakeLm({
    logProb: (ids, i) => {
      const before = String.fromCodePoint(...ids.slice(0, i))
      return Math.log(by[before]?.[String.fromCodePoint(ids[i]!)] ?? 1e-9)
    },
  })

describe('a session', () => {
  it('writes a text with the model: what is added, what is said, no end and no stop string', async () => {
    const session = openSession(saying(' four.\nNext'), prompt`Q: ${'2 + 2'}?\nA:`)
    expect(await session.ask('', { stop: ['\n'] })).toBe(' four.')
    expect(session.text).toBe('Q: 2 + 2?\nA: four.')
    expect(session.lm.decode(session.ids)).toBe(session.text)
    expect(await session.add('\n').ask('Q', { maxTokens: 2 })).toBe(' f')
    expect(session.text).toBe('Q: 2 + 2?\nA: four.\nQ f')
    expect(session.logprobs.length).toBe(' four.\n f'.length)
  })
  it('writes a conversation, a turn each', async () => {
    const session = openSession(saying('Hello.'), [{ role: 'system', content: 'Be brief.' }])
    expect(await session.ask('Hi')).toBe('Hello.')
    await session.ask('And?')
    expect(session.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant'])
    expect(session.text).toBe('system: Be brief.\nuser: Hi\nassistant: Hello.\nuser: And?\nassistant: Hello.\n')
    expect((await session.choose(['a', 'b'])).value).toBe('a')
  })
  it('keeps to constraints and types, and is as it was where that fails', async () => {
    const session = openSession(saying('hello', 'x'), 'A: ')
    expect(await session.ask('', { where: [where.not('e')] })).toBe('hxllo')
    const before = session.text
    await expect(session.ask(' more', { where: [where.test('never', () => 'broken')] })).rejects.toThrow(/^where/)
    expect(session.text).toBe(before)
    const even = z.number().refine((n) => n % 2 === 0, 'must be even')
    expect(await openSession(saying('12'), 'N: ').ask('', { as: even })).toBe(12)
    await expect(openSession(saying('13'), 'N: ').ask('', { as: even })).rejects.toThrow('must be even')
    await expect(session.ask('x', { wher: [] } as never)).rejects.toThrow(/where/)
  })
  it('forks: each goes its own way, and what they share is read once', async () => {
    const lm = saying('abc')
    const root = openSession(lm, 'A long beginning. ')
    await root.ask('One:', { maxTokens: 1 })
    const forks = root.fork(3)
    for (const [i, fork] of forks.entries()) await fork.ask(` ${i}:`, { maxTokens: 2 })
    expect(forks.map(({ text }) => text)).toEqual([0, 1, 2].map((i) => `A long beginning. One:a ${i}:ab`))
    expect(root.text).toBe('A long beginning. One:a')
    for (const { usage } of forks) expect(usage.promptTokens - usage.cachedTokens!).toBeLessThanOrEqual(3)
    expect(root.usage).toEqual({ promptTokens: 22, cachedTokens: 0, completionTokens: 1 })
    expect(() => root.fork(0)).toThrow(/^fork/)
  })
  it('chooses by probabilities over tokens of unequal length', async () => {
    // P(a) = .5 · .4 of ab, .5 · .6 of what ends there; P(cd) = P(c) = .2; a and c alone may begin: of .7 altogether.
    const lm = telling({ ':': { a: 0.5, c: 0.2 }, ':a': { b: 0.4 }, ':c': { d: 0.1, e: 0.3 } })
    const session = openSession(lm, ':')
    const { value, probabilities } = await session.choose(['a', 'ab', 'cd', 'ce'])
    const near = { a: (5 / 7) * 0.6, ab: (5 / 7) * 0.4, cd: (2 / 7) * 0.25, ce: (2 / 7) * 0.75 }
    for (const [option, share] of Object.entries(near)) expect(probabilities[option as 'a']).toBeCloseTo(share, 10)
    expect([value, session.text]).toEqual(['a', ':a'])
    await expect(session.choose(['x', 'x'])).rejects.toThrow('two alike')
    await expect(choiceProbabilities(lm, [], [[1]])).rejects.toThrow('at least one token')
  })
  it('takes a habit out of a choice', async () => {
    const lm = telling({ 'Q:': { y: 0.6, n: 0.3 }, 'N/A:': { y: 0.8, n: 0.1 } })
    const { probabilities } = await openSession(lm, 'Q:').choose(['y', 'n'], { calibrate: 'N/A:' })
    expect(probabilities.n).toBeCloseTo(0.3 / 0.1 / (0.3 / 0.1 + 0.6 / 0.8), 10)
  })
  it('asks a linear probe of a layer, from a file too', async () => {
    const lm = fakeLm({ vector: (ids, i, layer) => [ids[i]!, layer], layers: 3 })
    const probe = { layer: 1, pooling: 'last' as const, weights: [0.01, -0.5], bias: -0.2 }
    writeFileSync(join(folder, 'probe.json'), JSON.stringify(probe))
    const expected = 1 / (1 + Math.exp(-(0.01 * 97 - 0.5 - 0.2)))
    const session = openSession(lm, 'xa')
    expect(await session.probe(probe)).toBeCloseTo(expected, 12)
    expect(await session.probe(join(folder, 'probe.json'))).toBeCloseTo(expected, 12)
    await expect(session.probe({ weights: [1] })).rejects.toThrow(/^weights: expected 2/)
    await expect(session.probe(join(folder, 'none.json'))).rejects.toThrow(/none\.json: expected a probe/)
  })
  it('shows all that it does in traces, and does none of it in a dry run', async () => {
    const work =
      (lm = saying('abc')) =>
      async () => {
        const session = openSession(lm, 'Say:')
        const one = await session.ask(' now', { where: [where.oneOf(['abc', 'b'])], seed: 3 })
        const { value } = await session.choose(['!', '?'])
        return [one, value, await session.probe({ weights: [0, 0, 0] })]
      }
    const { value, calls } = await trace(work())
    expect(value).toEqual(['abc', '!', 0.5])
    expect(calls.map(({ text }) => text)).toEqual(['Say: now', 'Say: nowabc', 'Say: nowabc!'])
    expect([calls[0]!.answer!.text, Object.keys(calls[1]!.scores!)]).toEqual(['abc', ['!', '?']])
    expect(calls[0]!.ids).toHaveLength(8)
    const dry = await dryRun(work(saying('never asked')))
    expect(dry.value).toEqual(['abc', '!', 0.5])
    expect(dry.calls).toHaveLength(3)
  })
})
