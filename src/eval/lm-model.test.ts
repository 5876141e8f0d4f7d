// A model whose tokens are characters, so that cuts and windows can be counted by hand; its start token is 0.
import { expect, it, vi } from 'vitest'
import { fakeLm } from '../lm/fake-lm.ts'
import { lmModel, rollingWindows } from './lm-model.ts'
import type { Answer } from './model.ts'
import type { EvalRequest } from './requests.ts'

/** −1 for a token that follows another one, −2 for one that follows the start, −0.5 for a space. */
const lm = (options: { contextLength?: number } = {}) =>
  fakeLm({
    ...options,
    logProb: (ids, i) => (ids[i] === 32 ? -0.5 : ids[i - 1] === 0 ? -2 : -1),
    candidates: () => ['e'.codePointAt(0)!],
  })

async function ask(requests: EvalRequest[], model = lm()): Promise<Answer[]> {
  const answers: Answer[] = []
  const take = (index: number, answer: Answer): void => {
    answers[index] = answer
  }
  await lmModel(model).answer(requests, { take, seed: 0 })
  return answers
}
const pair = (context: string, continuation: string): EvalRequest => ({ kind: 'loglikelihood', context, continuation })

it('sums the continuation alone; spaces at the end of the context are its own', async () => {
  expect(await ask([pair('abc', ' de'), pair('abc ', 'de'), pair('abc \n', 'de')])).toEqual([
    { sum: -2.5, isGreedy: true, tokens: 3 },
    { sum: -2.5, isGreedy: true, tokens: 3 },
    { sum: -3.5, isGreedy: true, tokens: 4 },
  ])
})

it('puts the start token before an empty context', async () => {
  expect(await ask([pair('', 'ab')])).toEqual([{ sum: -3, isGreedy: true, tokens: 2 }])
})

it('leaves out the beginning of a context that is too long, and counts it', async () => {
  const model = lm({ contextLength: 6 })
  const score = vi.spyOn(model, 'scoreTokens')
  expect(await ask([pair('0123456789', 'xy')], model)).toEqual([{ sum: -2, isGreedy: true, tokens: 2, truncated: 5 }])
  // The last token is not read: seven tokens fit into a window of six.
  expect(score.mock.calls[0]![0]).toEqual([Array.from('56789xy', (letter) => letter.codePointAt(0))])
  expect(await ask([pair('a', '1234567')], model)).toEqual([{ failed: 'continuation of 7 tokens, the model sees 6' }])
})

it('asks once for continuations of one token behind the same context', async () => {
  const model = lm()
  const score = vi.spyOn(model, 'scoreTokens')
  const answers = await ask([pair('Q:', 'A'), pair('Q:', 'B'), pair('Q: ', 'C'), pair('R:', 'A')], model)
  expect(answers.map(({ sum }) => sum)).toEqual([-1, -1, -1.5, -1])
  expect(score.mock.calls.map(([sequences]) => sequences.length)).toEqual([2, 1])
})

it('reads what begins alike one after the other, not beside each other', async () => {
  const model = lm()
  const score = vi.spyOn(model, 'scoreTokens')
  const long = 'the same sixteen letters'
  await ask(
    [pair('', `${long} a`), pair('', `${long} b`), pair('', 'x y'), pair(long, ' c d'), pair(long, ' e f')],
    model,
  )
  const read = score.mock.calls.flatMap(([sequences]) => sequences.map((ids) => model.decode(ids)))
  expect(read).toEqual([`${long} a`, 'x y', `${long} c d`, `${long} b`, `${long} e f`])
})

it('cuts long texts into windows: each token once, with one before it, and as many as fit', () => {
  const text = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  expect(rollingWindows(text, 0, 4)).toEqual([
    { ids: [0, 1, 2, 3, 4], from: 1 },
    { ids: [4, 5, 6, 7, 8], from: 1 },
    { ids: [5, 6, 7, 8, 9], from: 4 },
  ])
  expect(rollingWindows([1, 2], 0, 4)).toEqual([{ ids: [0, 1, 2], from: 1 }])
  expect(rollingWindows([], 0, 4)).toEqual([])
})

it('judges whole texts over their windows', async () => {
  // The first token follows the start, eight others follow one.
  expect(await ask([{ kind: 'loglikelihood_rolling', text: 'abcdefghi' }], lm({ contextLength: 4 }))).toEqual([
    { sum: -10 },
  ])
})

it('renders chats up to where the answer begins, or goes on', () => {
  const render = lmModel(lm()).renderChat!
  const question = { role: 'user', content: 'Hi?' }
  expect(render([question])).toBe('user: Hi?\nassistant: ')
  expect(render([question, { role: 'assistant', content: 'The answer is ' }])).toBe(
    'user: Hi?\nassistant: The answer is',
  )
})

it('goes on until a stop string, which is left out', async () => {
  const model = fakeLm({ reply: () => 'yes.\nno' })
  const request: EvalRequest = {
    kind: 'generate_until',
    context: 'Q',
    generation: { until: ['\n'], max_gen_toks: 8 },
    repeat: 0,
  }
  expect(await ask([request, { ...request, generation: { until: 's', max_gen_toks: 8 } }], model)).toEqual([
    { text: 'yes.' },
    { text: 'ye' },
  ])
})
