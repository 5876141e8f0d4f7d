import { expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../test/tiny-model.ts'
import { SpelledTally, spelledNotices } from './spelled-tokens.ts'
import { SupervisedEncoder } from './tuning/supervised.ts'

const tokenizer = tinyTokenizer(TINY_CHAT_TEMPLATE)
const [bos, eos] = [tokenizer.bosTokenId!, tokenizer.eosTokenId!]
const [begin, end] = [tokenizer.idToToken(bos)!, tokenizer.idToToken(eos)!]
const idsOf = (text: string, allowSpecial: boolean): number[] => [
  ...new SupervisedEncoder({ tokenizer, allowSpecial }).encode({ kind: 'text', text }, 'x:1').ids,
]
const count = (ids: number[], id: number): number => ids.filter((other) => other === id).length

it('is read as tokens when asked for, and neither the first nor the last is doubled', () => {
  const plain = idsOf('abc', true)
  expect(plain.at(-1)).toBe(eos)
  expect(idsOf(`abc${end}`, true)).toEqual(plain)
  expect(idsOf(`${begin}abc${end}`, true).filter((id) => id !== bos)).toEqual(plain.filter((id) => id !== bos))
  expect(count(idsOf(`${begin}abc`, true), bos)).toBe(1)
  // What templates write behind the last token is there, and not learnt.
  const { ids, labels } = new SupervisedEncoder({ tokenizer, allowSpecial: true }).encode(
    { kind: 'text', text: `abc${end}\n` },
    'x:1',
  )
  expect(count([...ids], eos)).toBe(1)
  expect([...labels].slice(-2)).toEqual([eos, -100])
  expect(ids.length).toBe(plain.length + 1)
  // An end in the middle is no end.
  expect(idsOf(`abc${end}d`, true).at(-1)).toBe(eos)
  expect(count(idsOf(`abc${end}d`, true), eos)).toBe(2)
})

it('is text by default, with one end that is the tokenizer’s, and told', () => {
  const encoder = new SupervisedEncoder({ tokenizer })
  const { ids } = encoder.encode({ kind: 'prompt-completion', prompt: 'q', completion: `abc${end}` }, 'x:1')
  expect(count([...ids], eos)).toBe(1)
  expect(ids.length).toBeGreaterThan(idsOf('qabc', false).length)
  const [told, ...more] = spelledNotices(encoder.spelled.found())
  expect(told).toMatch(/^1 text spells .*read and learnt as plain text.* split_special_tokens: false$/)
  expect(told).toContain(`such as ${end},`)
  expect(more).toEqual([])
  const trusting = new SupervisedEncoder({ tokenizer, allowSpecial: true })
  trusting.encode({ kind: 'text', text: `abc${end}` }, 'x:1')
  expect(spelledNotices(trusting.spelled.found())).toEqual([])
})

it('counts texts, not tokens, and tells brackets and bars from patterns', () => {
  const tally = new SpelledTally(new Set(['<|end|>', '[INST]', 'a.c']))
  for (const text of ['end', 'INST', 'abc', '<|', '', '[I]']) tally.add(text)
  expect(spelledNotices(tally.found())).toEqual([])
  for (const text of ['x [INST] y [INST]', '<|end|>']) tally.add(text)
  expect(tally.found()).toEqual({ count: 2, first: '[INST]' })
  expect(spelledNotices(tally.found(), true)[0]).toMatch(/^2 texts spell .* such as \[INST\], which are read as these/)
  const none = new SpelledTally(new Set())
  none.add('anything')
  expect(spelledNotices(none.found())).toEqual([])
})
