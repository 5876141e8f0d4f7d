import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { modelOf } from '../base/model.ts'
import type { ModelCall } from '../base/model-call.ts'
import { trace } from '../base/trace.ts'
import { refine } from './refine.ts'

function saying(...texts: string[]) {
  const asked: ModelCall[] = []
  const model = modelOf({
    name: 'saying',
    holds: 'masks',
    async *answer(call) {
      asked.push(call)
      const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
      const text = texts[Math.min(asked.length, texts.length) - 1]!
      yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}
const short = (text: string): true | string => text.length <= 3 || `It has ${text.length} characters.`

describe('refine', () => {
  it('asks again with what was wrong until the check holds', async () => {
    const { model, asked } = saying('abcde', 'abcd', 'abc', 'x')
    const { value, calls } = await trace(() => refine(model, 'Say it.', { check: short, system: 'Be brief.', seed: 5 }))
    expect(value).toEqual({ value: 'abc', holds: true, rounds: 2, ended: 'holds' })
    expect(asked.map(({ seed }) => seed)).toEqual([5, 6, 7])
    // Only the last answer stands in the next question, so it does not grow from round to round.
    expect(asked[2]!.messages.map(({ content }) => content)).toEqual([
      'Be brief.',
      'Say it.',
      'abcd',
      'It has 4 characters.\nAnswer again, and mend that.',
    ])
    expect(calls.map(({ path }) => path)).toEqual([['refine'], ['refine'], ['refine']])
  })
  it('ends where the same answer comes again, and at the bound', async () => {
    const same = saying('abcde', 'abcd', 'abcde')
    expect(await refine(same.model, 'x', { check: short, rounds: 9 })).toEqual({
      value: 'abcde',
      holds: false,
      why: 'It has 5 characters.',
      rounds: 2,
      ended: 'same',
    })
    const bound = saying('abcd', 'abcde', 'abcdef')
    expect(await refine(bound.model, 'x', { check: short, rounds: 1 })).toMatchObject({
      value: 'abcde',
      rounds: 1,
      ended: 'rounds',
    })
    expect(bound.asked).toHaveLength(2)
  })
  it('takes a critique of a model, with typed answers', async () => {
    const { model } = saying('1', '2')
    const critic = saying('Too small.', 'fine')
    const answer = await refine(model, 'A number.', {
      as: z.int(),
      critique: (n) => `Is ${n} good?`,
      accept: (text) => text === 'fine',
      critic: critic.model,
    })
    answer.value satisfies number
    expect(answer).toEqual({ value: 2, holds: true, rounds: 1, ended: 'holds' })
    expect(critic.asked.map(({ messages }) => messages[0]!.content)).toEqual(['Is 1 good?', 'Is 2 good?'])
  })
  it('wants to know when an answer is good', () => {
    const { model } = saying('x')
    expect(() => refine(model, 'x', {})).toThrow('refine: expected `check` or `critique`')
    expect(() => refine(model, 'x', { critique: () => 'x' })).toThrow('refine: expected `accept`')
    expect(() => refine(model, 'x', { check: short, rounds: -1 })).toThrow('rounds: expected')
  })
})
