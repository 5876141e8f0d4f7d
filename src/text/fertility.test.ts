import { expect, it } from 'vitest'
import { trainBpe } from './bpe.ts'
import { FertilityCounter } from './fertility.ts'

it('counts tokens a word and words that are cut', async () => {
  // The corpus knows `the` and `sun` as words; every other word falls into its bytes.
  const { tokenizer } = await trainBpe(['the sun the sun the sun the sun'], { vocabSize: 264, minFrequency: 2 })
  const pieces = (text: string): number => tokenizer.encode(text).length
  const counter = new FertilityCounter(tokenizer)
  counter.add('the sun, the sun')
  counter.add('xyz')
  const { documents, words, tokens, bytes, fertility, continued, bytesPerToken, unknown } = counter.result
  const total = pieces('the sun, the sun') + 3
  expect([documents, words, tokens, bytes, unknown]).toEqual([2, 5, total, 19, 0])
  expect(fertility).toBeCloseTo(total / 5, 12)
  expect(bytesPerToken).toBeCloseTo(19 / total, 12)
  const cut = [' the', ' sun', ' the', ' sun'].filter((word) => pieces(word) > 1).length + 1
  expect(continued).toBeCloseTo(cut / 5, 12)
})

it('finds words where a language writes none between spaces', async () => {
  const { tokenizer } = await trainBpe(['a'], { vocabSize: 256 })
  const counter = new FertilityCounter(tokenizer, 'ja')
  counter.add('私は学生です。')
  expect(counter.result.words).toBeGreaterThan(2)
  expect(counter.result.fertility).toBeCloseTo(21 / counter.result.words, 12)
})

it('has no figure of nothing', async () => {
  const { tokenizer } = await trainBpe(['a'], { vocabSize: 256 })
  expect(new FertilityCounter(tokenizer).result).toEqual({
    documents: 0,
    words: 0,
    tokens: 0,
    bytes: 0,
    fertility: 0,
    continued: 0,
    bytesPerToken: 0,
    unknown: 0,
  })
})

it('takes a long text without a line end in its stride', async () => {
  const { tokenizer } = await trainBpe(['a'], { vocabSize: 256 })
  const counter = new FertilityCounter(tokenizer)
  counter.add('ab cd, '.repeat(50_000))
  expect(counter.result.words).toBe(100_000)
})
