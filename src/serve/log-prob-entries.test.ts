import { expect, it } from 'vitest'
import { fakeLm } from '../lm/fake-lm.ts'
import { textLogProbs } from './log-prob-entries.ts'

it('names a likelier token of the same text first, so that the other does not seem the likeliest', () => {
  const lm = fakeLm()
  // As in tokenizers with a token for each byte: 65 and 97 stand for the same text.
  const spelled = { ...lm, tokenBytes: (id: number) => lm.tokenBytes!(id === 65 ? 97 : id) }
  const token = { id: 65, logprob: -5, top: [{ id: 97, logprob: -1 }] }
  expect(textLogProbs(spelled, [{ id: 98 }, token], 1)).toEqual({
    tokens: ['b', 'a'],
    text_offset: [0, 1],
    token_logprobs: [null, -5],
    top_logprobs: [null, { a: -1 }],
  })
  const proto = { id: 98, logprob: -2, top: [token] }
  expect(Object.keys(textLogProbs(lm, [proto], 1).top_logprobs![0]!)).toEqual(['b', 'A']) // the likelier first
})
