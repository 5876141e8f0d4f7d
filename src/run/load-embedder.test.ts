import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { tinyEncoderDirectory } from '../../test/tiny-encoder.ts'
import { loadEmbedder } from './load-embedder.ts'

const { directory, remove } = tinyEncoderDirectory('bert-mlm')
afterAll(() => remove())
const stored = (modes: object): void => {
  mkdirSync(join(directory, '1_Pooling'), { recursive: true })
  writeFileSync(join(directory, '1_Pooling', 'config.json'), JSON.stringify({ word_embedding_dimension: 16, ...modes }))
}
const poolingOf = async (options = {}): Promise<string> => {
  const embedder = await loadEmbedder(directory, { device: 'cpu', ...options })
  embedder.free()
  return embedder.pooling
}

it('pools as the directory says, or as is asked, and refuses a way that is not ours', async () => {
  expect(await poolingOf()).toBe('mean')
  stored({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false })
  expect(await poolingOf()).toBe('cls')
  expect(await poolingOf({ pooling: undefined })).toBe('cls')
  stored({ pooling_mode_cls_token: false, pooling_mode_lasttoken: true })
  await expect(loadEmbedder(directory, { device: 'cpu' })).rejects.toThrow(
    'expected pooling_mode_mean_tokens or pooling_mode_cls_token, got pooling_mode_lasttoken',
  )
  expect(await poolingOf({ pooling: 'mean' })).toBe('mean')
})

it('reads the newer spelling of a pooling, and refuses layers behind it that would be left out', async () => {
  stored({ pooling_mode: 'cls' })
  expect(await poolingOf()).toBe('cls')
  stored({ pooling_mode: 'mean' })
  expect(await poolingOf()).toBe('mean')
  stored({ pooling_mode: 'weightedmean' })
  await expect(poolingOf()).rejects.toThrow('got pooling_mode: "weightedmean"')
  stored({ pooling_mode: 'cls' })
  const modules = (...types: string[]): void =>
    writeFileSync(join(directory, 'modules.json'), JSON.stringify(types.map((type, idx) => ({ idx, type }))))
  modules('sentence_transformers.models.Transformer', 'sentence_transformers.models.Pooling')
  expect(await poolingOf()).toBe('cls')
  modules('sentence_transformers.models.Transformer', 'sentence_transformers.models.Dense')
  await expect(poolingOf()).rejects.toThrow('got sentence_transformers.models.Dense')
  expect(await poolingOf({ pooling: 'mean' })).toBe('mean')
})

it('cuts texts as the directory says', async () => {
  const words = 'a b c d e f g h'
  const lengthOf = async (options = {}): Promise<number> => {
    const embedder = await loadEmbedder(directory, { device: 'cpu', pooling: 'mean', ...options })
    const [found] = await embedder.embedTokens([words])
    embedder.free()
    return found!.ids.length
  }
  expect(await lengthOf()).toBeGreaterThan(5)
  writeFileSync(join(directory, 'sentence_bert_config.json'), '{"max_seq_length": 5}')
  expect(await lengthOf()).toBe(5)
  expect(await lengthOf({ maxLength: 4 })).toBe(4)
})
