import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { InputError } from '../errors.ts'
import { calibrationBatches, hashBatches } from './calibration.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-calibration-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'rows.jsonl')
writeFileSync(file, Array.from({ length: 50 }, (_, i) => `${JSON.stringify({ text: `text ${i}` })}\n`).join(''))
const tokenizer = tinyTokenizer()
const idsOf = (batches: readonly { inputIds: Int32Array }[]): number[][] => batches.map(({ inputIds }) => [...inputIds])

describe('calibrationBatches', () => {
  it('draws windows under a seed, each at most once', async () => {
    const draw = (seed: number, samples: number): Promise<number[][]> =>
      calibrationBatches([file], tokenizer, { length: 10, samples, seed }).then(idsOf)
    const all = await draw(0, 1000)
    // 50 rows of a start token and `text 0` … `text 49`: 10 · 7 + 40 · 8 tokens.
    expect(all).toHaveLength(39)
    expect(new Set(all.map(String)).size).toBe(39)
    expect(await draw(0, 5)).toEqual(all.slice(0, 5))
    expect(await draw(1, 5)).not.toEqual(all.slice(0, 5))
    expect(all.every((ids) => ids.length === 10)).toBe(true)
  })

  it('begins documents as the tokenizer does, and ends them where it does nothing', async () => {
    const options = { length: 7, samples: 100 }
    const starts = idsOf(await calibrationBatches([file], tokenizer, options)).flat()
    expect([starts.includes(tokenizer.bosTokenId!), starts.includes(tokenizer.eosTokenId!)]).toEqual([true, false])
    const { bosTokenId, eosTokenId, vocabSize } = tokenizer
    const bare = {
      bosTokenId,
      eosTokenId,
      vocabSize,
      encode: (text: string) => tokenizer.encode(text, { addSpecialTokens: false }),
    }
    const ends = idsOf(await calibrationBatches([file], bare, options)).flat()
    expect([ends.includes(bosTokenId!), ends.includes(eosTokenId!)]).toEqual([false, true])
  })

  it('stacks windows, and hashes what a model sees of them', async () => {
    const stacked = await calibrationBatches([file], tokenizer, { length: 10, samples: 5, batchSize: 2 })
    expect(stacked.map(({ rows, length }) => [rows, length])).toEqual([
      [2, 10],
      [2, 10],
      [1, 10],
    ])
    const single = await calibrationBatches([file], tokenizer, { length: 10, samples: 5 })
    expect(idsOf(stacked).flat()).toEqual(idsOf(single).flat())
    expect(hashBatches(stacked)).not.toBe(hashBatches(single))
    expect(hashBatches(stacked)).toBe(
      hashBatches(await calibrationBatches([file], tokenizer, { length: 10, samples: 5, batchSize: 2 })),
    )
  })

  it('says how much text is missing', async () => {
    const short = calibrationBatches([file], tokenizer, { length: 1000, samples: 1 })
    await expect(short).rejects.toThrow(InputError)
    await expect(short).rejects.toThrow(/expected at least 1000 tokens, which is one window, got 390\. Give more text/)
  })
})
