import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeLm } from '../../lm/fake-lm.ts'
import type { GenerateRequest, Lm } from '../../lm/lm.ts'
import { where } from '../execute/where.ts'
import { type Constraint, standing } from './constraint.ts'
import { generateWhere } from './eager.ts'
import { endings, GrowingText } from './growing-text.ts'
import { localModel } from './local-model.ts'
import { AnswerError, modelOf } from './model.ts'
import { dryRun, trace } from './trace.ts'

const idOf = (character: string): number => character.codePointAt(0)!

/** Says `reply`; where that is refused, the first of `others` in its order, and an end last of all. */
function saying(reply: string, others = ''): Lm {
  const order = [...others].map(idOf)
  return fakeLm({
    reply: () => reply,
    candidates: () => [...order, 0],
    logProb: (ids, i) => (order.includes(ids[i]!) ? -2 - order.indexOf(ids[i]!) : ids[i] === 0 ? -50 : -1),
  })
}
const make = (lm: Lm, constraints: readonly Constraint[], options: Partial<GenerateRequest> = {}) =>
  generateWhere(lm, { prompt: 'Say: ', maxNewTokens: 40, ...options } as GenerateRequest, constraints)
/** Without the mask that says the same. */
const bare = ({ structure: _, ...one }: Constraint): Constraint => one

describe('eager generation', () => {
  it('refuses the first token that breaks a constraint, at its place, without a call', async () => {
    const made = await make(saying('hello', 'x'), [where.not(/e/i)])
    expect(made.text).toBe('hxllo')
    expect(made.usage).toMatchObject({ completionTokens: 6, refusedTokens: 1, discardedTokens: 0 })
  })
  it('ends where all holds only', async () => {
    expect((await make(saying('a', 'b'), [where.characters({ min: 3 })].map(bare))).text).toBe('abb')
    expect((await make(saying('a b c d e f', '.'), [where.words({ max: 3 })].map(bare))).text).toMatch(/^a b c\.*/)
  })
  it('steps back out of a dead end, and tells what it threw away', async () => {
    // `b` must be followed by `c`, which the model cannot say there.
    const noBc = where.test('no b but before c', (text) =>
      /b[^c]/.test(text) ? 'broken' : text.endsWith('b') ? 'open' : 'holds',
    )
    const lm = saying('abxy', 'q')
    const stuck = where.test('c never', (text) => (text.includes('c') ? 'broken' : 'holds'))
    const made = await make(lm, [noBc, stuck])
    expect(made.text).toBe('aqxy')
    expect(made.usage).toMatchObject({ completionTokens: 6, discardedTokens: 1 })
    expect(made.tokenIds).toHaveLength(5)
  })
  it('gives up in one line with what it reached', async () => {
    const never = where.test('that cannot be', () => 'open')
    const error = await make(saying('abc', 'x'), [never], { maxNewTokens: 6 }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AnswerError)
    expect((error as Error).message).toMatch(
      /^where: expected a text that cannot be, got ".*" after 32 steps back and \d+ tokens/,
    )
    expect((error as AnswerError).answer.usage.discardedTokens).toBeGreaterThan(0)
    const none = await make(saying('abc', 'x'), [where.test('of nothing', () => 'broken')]).catch((e: unknown) => e)
    expect((none as Error).message).toMatch(/after all beginnings and 0 tokens/)
  })
  it('says within its tokens what has to come, or nothing', async () => {
    const made = await make(saying('abcdefgh', '.'), [where.endsWith('.')], { maxNewTokens: 4 })
    expect([made.text, made.finishReason]).toEqual(['abc.', 'length'])
  })
  // What other tools' users complained about.
  it('stops at a line end that comes late enough, and at no earlier one', async () => {
    const made = await make(
      saying('one\ntwo three\nfour', ' '),
      [where.stopsAt('\n'), where.words({ min: 3 })].map(bare),
    )
    expect(made.text).toBe('one two three\n')
  })
  it('meets an exact length', async () => {
    const exact = [where.characters({ min: 5, max: 5 })]
    for (const each of [exact, exact.map(bare)]) {
      expect((await make(saying('abcdefgh'), each)).text).toBe('abcde')
      expect((await make(saying('ab', 'z'), each)).text).toBe('abzzz')
    }
  })
  it('takes the first of several ends, whole, and counts no stop string', async () => {
    expect((await make(saying('John"], x'), [where.stopsAt(']', ',', '"')])).text).toBe('John"')
    const three = [where.words({ max: 3 })]
    const made = await make(saying('a b c when it hit'), three, { stop: [' when it'] })
    expect([made.text, made.stop]).toEqual(['a b c', ' when it'])
    // Text before a stop string has to hold; what looks like one and is none counts.
    expect((await make(saying('a\nb', 'x'), [where.characters({ min: 4 })].map(bare), { stop: ['\n'] })).text).toBe(
      'axbx',
    )
    expect((await make(saying('abcEX', '!'), [where.not('EX')].map(bare), { stop: ['END'] })).text).toBe('abcE!')
  })
  it('never gives a text that was cut before it held', async () => {
    const date = [where.matches(/\d{4}-\d{2}-\d{2}/)]
    expect((await make(saying('2024-01-01'), date, { maxNewTokens: 12 })).text).toBe('2024-01-01')
    await expect(make(saying('2024-01-01'), date.map(bare), { maxNewTokens: 5 })).rejects.toThrow(AnswerError)
  })
  it('stays within a number until it may end', async () => {
    expect((await make(saying('12345', ''), [where.number({ max: 99, integer: true })].map(bare))).text).toBe('12')
  })
  const alphabet = 'ab. '
  const texts = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 6 })
  const some = [
    where.not('ab'),
    where.words({ max: 2 }),
    where.words({ min: 2, max: 3 }),
    where.characters({ min: 2, max: 4 }),
    where.oneOf(['ab', 'a.b', 'b b']),
    where.stopsAt('.'),
    where.matches(/[ab]{2}( [ab])*\./),
  ]
  it('is what the mask makes it, greedy, where one says the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.shuffledSubarray([...alphabet], { minLength: 4 }),
        fc.constantFrom(...some),
        async (reply, order, one) => {
          const lm = saying(reply, order.join(''))
          const options = { maxNewTokens: 20 }
          const masked = await make(lm, [], { structure: one.structure!, ...options })
          const eager = await make(lm, [bare(one)], options).catch(() => undefined)
          fc.pre(eager?.usage.discardedTokens === 0 && masked.finishReason === 'stop')
          expect(eager!.text).toBe(masked.text)
        },
      ),
      { numRuns: 60 },
    )
  })
  it('is what trying all tokens in order finds', async () => {
    const all = [
      where.not(/ab|b\.$/),
      where.sentences({ max: 1 }),
      where.has('b'),
      where.characters({ max: 5 }),
      where.not(/\ba\b/),
    ]
    await fc.assert(
      fc.asyncProperty(texts, fc.subarray(all, { minLength: 1 }), async (reply, given) => {
        const constraints = given.map(bare)
        const order = 'b .a'
        // The likeliest next character that leaves the text open, and an end where all holds.
        let text = ''
        let isOver = false
        while (!isOver && text.length < 12) {
          const wanted = reply[text.length]
          const next = [wanted ?? '', ...order].find((each) =>
            each === ''
              ? standing(text, constraints).standing === 'holds'
              : standing(text + each, constraints).standing !== 'broken',
          )
          isOver = next === undefined || next === ''
          text += next ?? ''
        }
        fc.pre(text.length < 12)
        const eager = await make(saying(reply, order), constraints, { maxNewTokens: 40 }).catch(() => undefined)
        fc.pre(
          eager !== undefined && eager.usage.discardedTokens === 0 && standing(text, constraints).standing === 'holds',
        )
        expect(eager!.text).toBe(text)
      }),
      { numRuns: 60 },
    )
  })
})

describe('GrowingText', () => {
  const bytes = Array.from(new TextEncoder().encode(' né 字😀!'.repeat(5)))
  const utf8 = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids))
  it.each([
    ['one mark', utf8],
    // As byte-fallback tokenizers do.
    [
      'a mark for each byte',
      (ids: readonly number[]) => utf8(ids).replace(/\ufffd$/, () => '\ufffd'.repeat(unfinished(ids))),
    ],
  ])('reads bytes that come apart, and a space after a prompt: %s', (_, read) => {
    const decode = (ids: readonly number[]) => read(ids).replace(/^ /, '')
    const grown = new GrowingText(decode, (id) => [id], [65])
    const own = new GrowingText(decode, (id) => [id])
    for (const [i, byte] of bytes.entries()) {
      const whole = utf8(bytes.slice(0, i + 1)).replace(/\ufffd$/, '')
      expect(grown.after(byte).text).toBe(whole)
      grown.push(byte)
      own.push(byte)
      expect([grown.text, own.text]).toEqual([whole, whole.slice(1)])
    }
    expect([grown.after(0xc3).isText, grown.after(0xc3).unfinished, grown.after(0xbf).isText]).toEqual([
      true,
      [0xc3],
      false,
    ])
    grown.push(0xc3)
    expect([grown.after(0xa9).text.endsWith('é'), grown.after(65).isText]).toEqual([true, false])
    expect([...endings([0xc3])]).toHaveLength(64)
    expect([...endings([0xe5])]).toContain('字')
    expect([...endings([0xf0])]).toContain('😀')
  })
  function unfinished(ids: readonly number[]): number {
    let count = 0
    while (utf8(ids.slice(0, ids.length - count)).endsWith('\ufffd')) count++
    return count
  }
})

describe('ask with where', () => {
  it('is held token by token on a model of ours, counted in the trace', async () => {
    const model = localModel(saying('hello there', 'x'))
    const { value, calls } = await trace(() => model.ask('Hi', { where: [where.not('e')], seed: 1 }))
    expect(value).toBe('hxllo thxrx')
    expect(calls[0]!.call.where![0]!.name).toBe('without "e"')
    expect(calls[0]!.answer!.usage).toMatchObject({ completionTokens: 12, discardedTokens: 0 })
    let streamed = ''
    for await (const text of model.stream('Hi', { where: [where.not('e')] })) streamed += text
    expect(streamed).toBe(value)
    const made = await dryRun(() => model.ask('Hi', { where: [where.oneOf(['yes'])] }))
    expect(made.value).toBe('yes')
  })
  it('is watched elsewhere, cut at the first break and asked for again with what was wrong', async () => {
    const asked: unknown[] = []
    let isCut = false
    const model = modelOf({
      name: 'remote',
      holds: 'none',
      async *answer(call) {
        asked.push(call)
        const isFirst = asked.length === 1
        for (const text of isFirst ? ['one two', ' three four', ' five'] : ['one two']) {
          if (call.signal!.aborted) isCut = true
          if (isCut && isFirst) return
          yield { deltas: [{ type: 'text', text }], tokenIds: [] }
        }
        yield {
          deltas: [],
          tokenIds: [],
          finishReason: 'stop',
          usage: { promptTokens: 1, completionTokens: 2, reasoningTokens: 0 },
        }
      },
    })
    const { value, calls } = await trace(() => model.ask('Two words.', { where: [where.words({ max: 3 })] }))
    expect([value, asked.length]).toEqual(['one two', 2])
    expect(calls.map(({ fault }) => fault)).toEqual(['at most 3 words', undefined])
    expect((asked[0] as { signal: AbortSignal }).signal.aborted).toBe(true)
    expect(calls[0]!.answer!.text).toBe('one two three four')
    expect(String(calls[1]!.call.messages.at(-1)!.content)).toContain('at most 3 words')
    const error = await model.ask('x', { where: [where.has('never')], again: 0 }).catch((e: unknown) => e)
    expect((error as Error).message).toBe('answer: expected a text with "never" in it, got another (asked 1 times)')
    await expect(model.ask('x', { where: ['e'] as never })).rejects.toThrow(/^where: expected constraints/)
  })
})
