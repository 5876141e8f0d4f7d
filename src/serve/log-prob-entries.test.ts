import { expect, it } from 'vitest'
import { fakeLm } from '../lm/fake-lm.ts'
import { TextOffsets, textLogProbs } from './log-prob-entries.ts'

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

it('counts places in the text that is told: without the space that tokenizers put before it, an emoji as one', () => {
  const lm = { ...fakeLm(), tokenBytes: (id: number) => Uint8Array.of(id) }
  const idsOf = (text: string): number[] => [...new TextEncoder().encode(text)]
  const placesOf = (ids: number[], echo?: { ids: readonly number[]; text: string }): number[] => {
    const offsets = new TextOffsets(lm, echo)
    return ids.map((id) => offsets.next(id))
  }
  // As Llama's tokenizer has it: the tokens spell ' ab', the text is 'ab'.
  const ids = idsOf(' ab')
  expect(placesOf([...ids, 99], { ids, text: 'ab' })).toEqual([0, 0, 1, 2])
  expect(placesOf([...ids, 99], { ids, text: ' ab' })).toEqual([0, 1, 2, 3])
  expect(placesOf(ids)).toEqual([0, 1, 2]) // a text that goes on has its space
  // Four bytes are one character, as in Python; it counts where its last byte ends it.
  expect(placesOf(idsOf('🙂a'))).toEqual([0, 0, 0, 0, 1])
})
