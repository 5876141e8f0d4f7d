import { describe, expect, it } from 'vitest'
import { fakeLm } from '../../lm/fake-lm.ts'
import { localModel } from '../base/local-model.ts'
import type { Model } from '../base/model.ts'
import { fallback, route } from '../base/route.ts'
import { trace } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { guard } from './guard.ts'
import { rule } from './rule.ts'
import { rules } from './rules.ts'

/** A model that says what `reply` makes of the last message and the seed, and how many tokens it was let make. */
function replying(reply: (text: string, seed: number) => string) {
  const made = { tokens: 0 }
  const model = localModel(
    fakeLm({
      reply: (request) => {
        const { messages, seed } = request as unknown as { messages: { content: unknown }[]; seed: number }
        return reply(String(messages.at(-1)!.content), seed)
      },
    }),
  )
  const counting: Model = {
    ...model,
    async *answer(call) {
      for await (const piece of model.answer(call)) {
        made.tokens += piece.tokenIds.length
        yield piece
      }
    },
  }
  return { model: counting, made }
}

const noE = rule('no e', (text) => !text.includes('e'))

describe('guard', () => {
  it('lets pass, writes anew, or refuses what goes in', async () => {
    const { model, made } = replying((text) => `You said ${text}`)
    const upper = rule('upper', (text) => ({ rewrite: text.toUpperCase() }))
    expect(await guard(model, { input: [upper] }).ask('abc')).toBe('You said ABC')
    const before = made.tokens
    expect(await guard(model, { input: [noE] }).ask('hello')).toBe(WORDINGS.refusal)
    expect(made.tokens).toBe(before)
    expect(await guard(model, { input: [noE], refusal: ({ rule, why }) => `${rule}: ${why}` }).ask('e')).toBe(
      'no e: no e',
    )
    const tools = guard(model, { input: [noE] })
    expect(
      await tools.ask([
        { role: 'user', content: 'x' },
        { role: 'tool', content: 'evil' },
      ]),
    ).toBe(WORDINGS.refusal)
  })
  it('gives out nothing that was not looked at, and stops the model', async () => {
    const { model, made } = replying(() => `All is good. ${'Oh. '.repeat(3)}Evil words. ${'Oh no. '.repeat(200)}`)
    const safe = guard(model, { output: [rule('no evil', (text) => !/evil/i.test(text))] })
    let text = ''
    for await (const delta of safe.stream('x')) text += delta
    expect(text).toBe(`All is good. Oh. Oh. Oh.\n\n${WORDINGS.refusal}`)
    expect(made.tokens).toBeLessThan(60)
  })
  it('draws again with another seed', async () => {
    const { model } = replying((_, seed) => (seed < 12 ? 'bed.' : 'good.'))
    expect(await guard(model, { output: [noE], onRefuse: 'retry' }).ask('x', { seed: 10 })).toBe('good.')
    expect(await guard(model, { output: [noE], onRefuse: 'retry', again: 1 }).ask('x', { seed: 10 })).toBe(
      WORDINGS.refusal,
    )
  })
  it('writes secrets over, but not what only looks like them', async () => {
    const { model } = replying((text) => text)
    const safe = guard(model, { output: [rules.noSecrets()] })
    const key = `sk-${'a1'.repeat(12)}`
    expect(await safe.ask(`Key ${key}. Card 4111 1111 1111 1111. Number 4111 1111 1111 1112.`)).toBe(
      'Key [removed]. Card [removed]. Number 4111 1111 1111 1112.',
    )
  })
  it('shows the model in a trace as it was asked', async () => {
    const { model } = replying((text) => text)
    const { calls } = await trace(() => guard(model, {}).ask('x'))
    expect(calls.map(({ parent, answer }) => [parent, answer!.text])).toEqual([
      [undefined, 'x'],
      [0, 'x'],
    ])
  })
})

describe('route and fallback', () => {
  const named = (name: string): Model => ({ ...replying(() => name).model, name })
  const broken: Model = {
    ...named('broken'),
    // biome-ignore lint/correctness/useYield: it fails before it says anything
    async *answer() {
      throw new Error('down')
    },
  }
  it('choose by the question', async () => {
    const model = route([named('small'), named('large')], {
      by: ({ messages }) => Number(String(messages[0]!.content).length > 5),
    })
    expect([await model.ask('x'), await model.ask('a long one')]).toEqual(['small', 'large'])
    await expect(route([named('one')], { by: () => 3 }).ask('x')).rejects.toThrow(
      'by: expected a place from 0 to 0, got 3',
    )
  })
  it('ask the next where one fails', async () => {
    expect(await fallback([broken, named('second')]).ask('x')).toBe('second')
    await expect(fallback([broken, broken]).ask('x')).rejects.toThrow('down')
  })
})
