import { expect, it } from 'vitest'
import { parseConfig } from '../../config/parse.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { freshConfigOf } from './model-of.ts'

/** What is asked of a tokenizer of 40 ids. */
function tokenizer(ids: { padTokenId?: number; eosTokenId?: number }): Tokenizer {
  const own = { vocabSize: 40, ...ids, fit: () => own }
  return own as unknown as Tokenizer
}
const padOf = (type: string, ids: { padTokenId?: number; eosTokenId?: number }, more = ''): number | null => {
  const sizes = 'hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2'
  const text = `stage: classify\nmodel: {model_type: ${type}, ${sizes}${more}}\ntokenizer_name_or_path: t\ndataset: d\noutput_dir: o\n`
  return freshConfigOf(parseConfig(text, 'a.yaml', []).config, tokenizer(ids), ['a', 'b'])!.padTokenId
}

it("fills rows of a fresh encoder up with an id that it has, also where the family's own is beyond the vocabulary", () => {
  expect(padOf('modernbert', { padTokenId: 7, eosTokenId: 2 })).toBe(7)
  expect(padOf('modernbert', { eosTokenId: 2 })).toBe(2)
  expect(padOf('modernbert', {})).toBe(0)
  expect(padOf('bert', { eosTokenId: 2 })).toBe(0)
  expect(padOf('roberta', { eosTokenId: 2 })).toBe(1)
  expect(padOf('modernbert', {}, ', pad_token_id: 5')).toBe(5)
})

it('refuses a padding id that is given and is no row', () => {
  expect(() => padOf('modernbert', {}, ', pad_token_id: 40')).toThrow(
    'pad_token_id: expected an id below 40 (vocab_size), got 40',
  )
})
