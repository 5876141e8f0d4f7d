import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ChatDelta, ChatPiece } from '../../chat/answer.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { localModel } from '../base/local-model.ts'
import { AnswerError, type Model, modelOf } from '../base/model.ts'
import type { ModelCall } from '../base/model-call.ts'
import { trace } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { guard } from './guard.ts'
import { rule } from './rule.ts'
import { rules } from './rules.ts'

const USAGE = { promptTokens: 3, completionTokens: 5, reasoningTokens: 0 }
const noE = rule('no e', (text) => !text.includes('e'))
const ONE = { finishReason: 'stop', usage: USAGE } as const

/** A model that gives these deltas, one a piece, for the nth call. */
function giving(...answers: ChatDelta[][]): { model: Model; asked: ModelCall[] } {
  const asked: ModelCall[] = []
  const model = modelOf({
    name: 'giving',
    holds: 'masks',
    async *answer(call) {
      asked.push(call)
      const deltas = answers[Math.min(asked.length, answers.length) - 1]!
      for (const delta of deltas) yield { deltas: [delta], tokenIds: [1] }
      yield {
        deltas: [],
        tokenIds: [],
        ...ONE,
        finishReason: deltas.some(({ type }) => type === 'tool-call') ? 'tool_calls' : 'stop',
      }
    },
  })
  return { model, asked }
}
const texts = (...all: string[]): ChatDelta[] => all.map((text) => ({ type: 'text', text }))
const user = (content: unknown): ChatMessage => ({ role: 'user', content })

async function piecesOf(model: Model, messages: readonly ChatMessage[] = [user('x')]): Promise<ChatPiece[]> {
  const pieces: ChatPiece[] = []
  for await (const piece of model.answer({ messages, seed: 1 })) pieces.push(piece)
  return pieces
}

describe('a refused sentence', () => {
  const asked: { messages: ChatMessage[]; seed: number; maxNewTokens?: number }[] = []
  /** Says a good sentence, a bad one and a third; behind a good one, something better from the third draw on. */
  const model = localModel(
    fakeLm({
      reply: (request) => {
        const now = request as unknown as (typeof asked)[0]
        asked.push(now)
        if (now.messages.at(-1)!.role !== 'assistant') return 'All is good. This is evil. More.'
        return now.seed < 9 ? ' Still evil.' : ' Now it is not.'
      },
    }),
  )
  const noEvil = rule('no evil', (text) => !text.includes('evil'))
  it('is taken back and written again behind what stands', async () => {
    const safe = guard(model, { output: [noEvil], onRefuse: 'retry' })
    const { value, calls } = await trace(() => safe.ask('x', { seed: 7, maxTokens: 100 }))
    expect(value).toBe('All is good. Now it is not.')
    expect(asked.map(({ messages }) => messages.at(-1)!.content)).toEqual(['x', 'All is good.', 'All is good.'])
    expect(asked.map(({ seed }) => seed)).toEqual([7, 8, 9])
    expect(asked.map(({ maxNewTokens }) => maxNewTokens)).toEqual([100, 88, 88])
    const { usage, tokenIds } = calls[0]!.answer!
    const noted = { by: 'guard', rule: 'no evil', why: 'no evil', kept: 12 }
    expect(calls[0]!.notes).toEqual([
      { ...noted, thrown: 17 },
      { ...noted, thrown: 13 },
    ])
    expect(calls.slice(1).map(({ parent, answer }) => [parent, answer!.text])).toEqual([
      [0, expect.stringMatching(/^All is good. This is evil. /)],
      [0, ' Still evil.'],
      [0, ' Now it is not.'],
    ])
    // The ids are those of the text; what was thrown away is paid for. The end token is one too.
    expect(String.fromCodePoint(...tokenIds.slice(0, -1))).toBe(value)
    expect(usage.completionTokens).toBe(12 + 17 + 13 + 16)
  })
  it('is refused when the bound is reached', async () => {
    const safe = guard(model, { output: [noEvil], onRefuse: 'retry', again: 1 })
    expect(await safe.ask('x', { seed: 1 })).toBe(`All is good.\n\n${WORDINGS.refusal}`)
  })
  it('has the whole answer drawn again where a model cannot go on, and nothing leaves before', async () => {
    const { model: remote, asked: calls } = giving(texts('Good. ', 'evil. ', 'x'), texts('Fine.'))
    const safe = guard(remote, { output: [noEvil], onRefuse: 'retry' })
    const pieces = await piecesOf(safe)
    expect(pieces.flatMap(({ deltas }) => deltas)).toEqual([{ type: 'text', text: 'Fine.' }])
    expect(calls.map(({ seed }) => seed)).toEqual([1, 2])
  })
})

describe('rules', () => {
  it('that throw, take too long or say nonsense refuse', async () => {
    const { model } = giving(texts('fine.'))
    const failing = [
      [
        rule('a', () => {
          throw new Error('broken')
        }),
        'broken',
      ],
      [rule('b', () => new Promise<boolean>(() => undefined)), 'no verdict within 0.02 s'],
      [rule('c', () => ({ allow: true }) as never), 'expected nothing, { rewrite } or { refuse }, got {"allow":true}'],
    ] as const
    for (const [one, why] of failing)
      for (const place of ['input', 'output'] as const) {
        const safe = guard(model, {
          [place]: [one],
          ruleSeconds: 0.02,
          onRefuse: 'retry',
          refusal: (broken) => broken.why,
        })
        expect(await safe.ask('x')).toBe(why)
      }
  })
  it('end with the signal of the call', async () => {
    const { model } = giving(texts('fine.'))
    const stop = new AbortController()
    const waiting = rule('a', (_, context) => {
      stop.abort(new Error('enough'))
      return new Promise((_, reject) => context!.signal!.addEventListener('abort', () => reject(new Error('told'))))
    })
    await expect(guard(model, { input: [waiting] }).ask('x', { signal: stop.signal })).rejects.toThrow('enough')
  })
  it('see little more than what is new, however long the answer', async () => {
    let seen = 0
    const counting = rule('count', (text) => {
      seen += text.length
      return undefined
    })
    const sentence = 'This is one of very many sentences. '
    const long = Array.from({ length: 2800 }, () => sentence)
    const { model } = giving(texts(...long))
    const safe = guard(model, { output: [counting] })
    expect((await safe.ask('x')).length).toBe(sentence.length * 2800) // 100,800 characters
    expect(seen).toBeLessThan(2800 * 2000)
    seen = 0
    // No end of a sentence and no space at all.
    const word = await guard(giving(texts(...Array.from({ length: 1000 }, () => 'a'.repeat(100)))).model, {
      output: [counting],
    }).ask('x')
    expect([word.length, seen]).toEqual([100_000, 100_000])
  })
  it('find what goes over the ends of sentences, and write it over as a whole', async () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${'abcdefgh\n'.repeat(400)}-----END PRIVATE KEY-----`
    const { model } = giving(texts(...`Here.\n${key}\nThat was it. ${'Well. '.repeat(600)}`.match(/[^\n ]+[\n ]*/g)!))
    const text = await guard(model, { output: [rules.noSecrets()] }).ask('x')
    expect(text).toBe(`Here.\n[removed]\nThat was it. ${'Well. '.repeat(600)}`)
    // What is out cannot be written anew.
    const late = rule('late', (all) => (all.includes('b') ? { rewrite: all.replace('a', 'A') } : undefined))
    expect(await guard(giving(texts('a. ', 'b. ')).model, { output: [late] }).ask('x')).toBe(
      `a.\n\n${WORDINGS.refusal}`,
    )
  })
  it('look at thoughts too', async () => {
    const deltas: ChatDelta[] = [
      { type: 'reasoning', text: 'Hm. ' },
      { type: 'reasoning', text: 'key sk-aaaaaaaaaaaaaaaaaaaaaaaa' },
      ...texts('Yes.'),
    ]
    const pieces = await piecesOf(guard(giving(deltas).model, { output: [rules.noSecrets()] }))
    const thoughts = pieces
      .flatMap((piece) => piece.deltas.map((delta) => (delta.type === 'reasoning' ? delta.text : '')))
      .join('')
    expect(thoughts).toBe('Hm. key [removed]')
    const refused = await piecesOf(
      guard(giving([{ type: 'reasoning', text: 'evil' }, ...texts('Yes.')]).model, { output: [noE] }),
    )
    expect(refused).toHaveLength(1)
    expect(refused[0]).toMatchObject({ finishReason: 'content_filter', deltas: [{ text: WORDINGS.refusal }] })
  })
  it('refuse typed answers with one error, and keep their values checked', async () => {
    const { model, asked } = giving(texts('{"word": "tree"}'))
    const as = z.object({ word: z.string() })
    const error = await guard(model, { output: [noE] })
      .ask('x', { as })
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AnswerError)
    expect((error as Error).message).toBe(`answer: expected JSON of its schema, got a refusal: ${WORDINGS.refusal}`)
    expect(asked).toHaveLength(1)
    const over = rule('over', (text) => ({ rewrite: text.replace('tree', 'oak') }))
    expect(await guard(model, { output: [over] }).ask('x', { as })).toEqual({ word: 'oak' })
  })
  it('look at the calls of tools when they are whole', async () => {
    const call = (given: string): ChatDelta[] => [
      { type: 'tool-call', index: 0, id: 'i', name: 'send' },
      ...[...given].map((text): ChatDelta => ({ type: 'tool-arguments', index: 0, text })),
    ]
    const noEvil = rule('no evil', (text) => !text.includes('"to":"evil"'))
    const { model } = giving([...texts('I do it.'), ...call('{"to": "evil"}')], call('{"to": "mum"}'))
    const pieces = await piecesOf(guard(model, { execution: [noEvil], onRefuse: 'retry' }))
    expect(pieces.flatMap(({ deltas }) => deltas)).toEqual([
      call('')[0],
      { type: 'tool-arguments', index: 0, text: '{"to": "mum"}' },
    ])
    expect(pieces.at(-1)!.finishReason).toBe('tool_calls')
    const over = rule('over', (text) => ({ rewrite: text.replace('evil', 'nobody') }))
    const made = await piecesOf(guard(giving(call('{"to": "evil"}')).model, { execution: [over] }))
    expect(made.flatMap(({ deltas }) => deltas).at(-1)).toMatchObject({ text: '{"to":"nobody"}' })
    const broken = rule('broken', () => ({ rewrite: 'no JSON' }))
    expect((await piecesOf(guard(giving(call('{}')).model, { execution: [broken] }))).at(-1)!.finishReason).toBe(
      'content_filter',
    )
  })
  it('look at what others wrote: quotations, answers of tools, parts, earlier turns', async () => {
    const { model, asked } = giving(texts('ok'))
    const over = rule('over', (text) => ({ rewrite: text.toUpperCase() }))
    const messages = [
      { role: 'system', content: 'be <doc>\nsystem\n</doc>' },
      user('a <text>\nquoted\n</text> b'),
      { role: 'assistant', content: '<text>\nown\n</text>' },
      user([{ type: 'text', text: '<text>\npart\n</text>' }, { type: 'image' }]),
      { role: 'tool', content: 'result' },
    ]
    await piecesOf(guard(model, { retrieval: [over] }), messages)
    expect(asked[0]!.messages.map(({ content }) => content)).toEqual([
      'be <doc>\nSYSTEM\n</doc>',
      'a <text>\nQUOTED\n</text> b',
      '<text>\nown\n</text>',
      [{ type: 'text', text: '<text>\nPART\n</text>' }, { type: 'image' }],
      'RESULT',
    ])
    const turns = [user('bee'), { role: 'assistant', content: 'no' }, user('ant')]
    await piecesOf(guard(model, { input: [noE] }), turns)
    expect(asked[1]!.messages.map(({ content }) => content)).toEqual([WORDINGS.removed, 'no', 'ant'])
  })
})
