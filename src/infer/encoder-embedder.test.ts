import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadEncoder } from '../checkpoint/model-directory/encoder-directory.ts'
import { InputError } from '../errors.ts'
import { bertScore } from '../lm/bert-score.ts'
import { dotProduct } from '../lm/embedder.ts'
import { EncoderEmbedder } from './encoder-embedder.ts'

const root = fileURLToPath(new URL('../../test/fixtures/encoders', import.meta.url))
const read = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'))
const model = loadEncoder(join(root, 'bert-model'))
afterAll(() => model.free())

/** Ids as words: "5 6 7". */
const encode = (text: string) =>
  Int32Array.from(
    text.split(' ').filter((word) => word !== ''),
    Number,
  )
const framed = { encode, frame: { before: [2], after: [3] } }
const bare = { encode, frame: { before: [], after: [] } }

describe('vectors of texts', () => {
  const { input_ids, attention_mask, hidden } = read('bert-model/expected.json')
  const texts = input_ids.map((ids: number[], row: number) =>
    ids.filter((_, i) => attention_mask[row][i] === 1).join(' '),
  )
  const unit = (vector: number[]): number[] => {
    const length = Math.hypot(...vector)
    return vector.map((value) => value / length)
  }

  it('are the means of the states of Transformers, of length 1, in the order of the texts', async () => {
    const embedded = await new EncoderEmbedder(model, bare).embed(texts)
    for (const [row, states] of (hidden as number[][][]).entries()) {
      const own = states.filter((_, i) => attention_mask[row][i] === 1)
      const mean = own[0]!.map((_, k) => own.reduce((sum, state) => sum + state[k]!, 0) / own.length)
      expect(embedded[row]!).toBeAllclose(unit(mean), { absolute: 1e-5 })
      expect(dotProduct(embedded[row]!, embedded[row]!)).toBeCloseTo(1, 5)
    }
  })

  it('are the first states with pooling cls, alone or in a batch', async () => {
    const embedder = new EncoderEmbedder(model, bare, { pooling: 'cls', batchSize: 1 })
    const [alone, together] = [
      await embedder.embed(texts),
      await new EncoderEmbedder(model, bare, { pooling: 'cls' }).embed(texts),
    ]
    for (const [row, states] of (hidden as number[][][]).entries()) {
      expect(alone[row]!).toBeAllclose(unit(states[0]!), { absolute: 1e-5 })
      expect(together[row]!).toBeAllclose(alone[row]!, { absolute: 1e-5 })
    }
  })

  it('are those of its own ids, too, which are read as they are', async () => {
    const embedder = new EncoderEmbedder(model, framed, { maxLength: 6 })
    const long = '5 6 7 8 9 10 11'
    expect(embedder.encode(long)).toEqual([2, 5, 6, 7, 8, 3])
    expect(embedder.encode(long, { truncate: false })).toEqual([2, 5, 6, 7, 8, 9, 10, 11, 3])
    const [text, ids, plain] = await embedder.embed([long, embedder.encode(long), [5, 6]])
    expect(ids!).toBeAllclose(text!, { absolute: 1e-6 })
    expect(plain!).toBeAllclose((await new EncoderEmbedder(model, bare).embed(['5 6']))[0]!, { absolute: 1e-6 })
    expect(embedder.contextLength).toBe(6)
    for (const wrong of [[], [1, 2, 3, 4, 5, 6, 7], [96], [-1], [1.5]])
      await expect(embedder.embed(['5', wrong])).rejects.toThrow(InputError)
  })

  it('are pooled in no other way', () => {
    expect(() => new EncoderEmbedder(model, bare, { pooling: 'max' as 'mean' })).toThrow(
      'pooling: expected mean or cls, got "max"',
    )
  })

  it('are cut at the window, and none is made of nothing', async () => {
    const long = Array(100).fill('7').join(' ')
    const [tokens] = await new EncoderEmbedder(model, framed).embedTokens([long])
    expect(tokens!.ids).toHaveLength(40)
    expect([tokens!.ids[0], tokens!.ids[39]]).toEqual([2, 3])
    await expect(new EncoderEmbedder(model, bare).embed(['5', ''])).rejects.toThrow(
      'text 1: expected at least one token, got an empty text',
    )
    expect(() => new EncoderEmbedder(model, bare, { layer: 3 })).toThrow('layer: expected a number from 1 to 2, got 3')
  })
})

describe('BERTScore', () => {
  const golden = read('bert-score.json')
  const textsOf = (lists: number[][]): string[] => lists.map((ids) => ids.join(' '))
  const candidates = textsOf(golden.candidates)
  const references = textsOf(golden.references)

  it.each(golden.cases as { layer: number; idf: boolean; scores: number[][] }[])(
    'of layer $layer, idf $idf, is that of the reference',
    async ({ layer, idf, scores }) => {
      const got = await bertScore(new EncoderEmbedder(model, framed, { layer }), candidates, references, { idf })
      for (const [i, { precision, recall, f1 }] of got.entries())
        expect([precision, recall, f1]).toBeAllclose(scores[i]!, { absolute: 1e-5 })
    },
  )

  it('is the best of several references, 1 for the same text, and 0 at the baseline', async () => {
    const embedder = new EncoderEmbedder(model, framed)
    const [plain] = await bertScore(embedder, [candidates[0]!], [references[0]!])
    const [several] = await bertScore(embedder, [candidates[0]!], [[references[2]!, references[0]!]])
    expect(several!.f1).toBeCloseTo(plain!.f1, 6)
    expect((await bertScore(embedder, ['5 6'], ['5 6']))[0]!.f1).toBeCloseTo(1, 5)
    const [rescaled] = await bertScore(embedder, [candidates[0]!], [references[0]!], { baseline: plain! })
    expect(rescaled!.f1).toBeCloseTo(0, 6)
  })

  it('wants a reference for each candidate', async () => {
    const embedder = new EncoderEmbedder(model, framed)
    await expect(bertScore(embedder, ['5'], [])).rejects.toThrow(
      'references: expected one for each of 1 candidates, got 0',
    )
    await expect(bertScore(embedder, ['5'], [[]])).rejects.toThrow(
      'references: expected at least one for candidate 0, got none',
    )
  })
})
