import { expect, it } from 'vitest'
import { fakeLm } from '../lm/fake-lm.ts'
import { judgeContinuations } from './judge.ts'

it('is the mean over the tokens of the continuation, given the prompt', async () => {
  // The place in the text costs as many nats: the start token is place 0.
  const judge = fakeLm({ logProb: (_, i) => -i, contextLength: 8 })
  const found = await judgeContinuations(judge, [
    { prompt: 'ab', text: 'cé' }, // places 3 and 4; three bytes
    { prompt: '', text: 'x' },
    { prompt: 'ab', text: '' },
    { prompt: 'abcd', text: 'efgh' }, // nine tokens
  ])
  expect(found[0]!.perplexity).toBeCloseTo(Math.exp(3.5), 10)
  expect(found[0]!.bitsPerByte).toBeCloseTo(7 / Math.LN2 / 3, 12)
  expect(found[1]!.perplexity).toBeCloseTo(Math.E, 12)
  expect(found.slice(2)).toEqual([undefined, undefined])
})

it('reads the prompt by itself where its last token changes with what follows', async () => {
  const plain = fakeLm({ logProb: (ids, i) => (ids[i] === 'ß'.codePointAt(0) ? -5 : -1) })
  const judge = {
    ...plain,
    encode: (prompt: Parameters<typeof plain.encode>[0]) =>
      plain.encode('prompt' in prompt ? { ...prompt, prompt: prompt.prompt.replaceAll('ss', 'ß') } : prompt),
  }
  // a s | s b: whole a ß b costs 7 on three tokens, the prompt 2 on two.
  const [found] = await judgeContinuations(judge, [{ prompt: 'as', text: 'sb' }])
  expect(found!.perplexity).toBeCloseTo(Math.exp((7 - 2) / (4 - 3)), 10)
})
