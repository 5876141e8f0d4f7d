import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InputError } from '../errors.ts'
import { readModelConfig } from '../model/config-read.ts'
import { Decoder } from '../model/decoder.ts'
import { linearsOf } from '../model/linears.ts'
import { GgmlEmbedding, GgmlLinear } from '../nn/ggml-linear.ts'
import { memoryStats } from '../torch/index.ts'
import { compareModels } from './compare.ts'
import { writeModelGguf } from './export-model.ts'
import { loadGguf } from './load-model.ts'
import { readGguf } from './read.ts'

const CONFIG = {
  model_type: 'llama',
  vocab_size: 272,
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 2,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
}
let directory: string
let model: Decoder
const at = (name: string): string => join(directory, name)
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-blocks-'))
  model = Decoder.fresh(readModelConfig(CONFIG, 'config.json'), { seed: 3 })
  for (const format of ['q8_0', 'q4_k', 'f16'] as const) writeModelGguf(model, at(`${format}.gguf`), { format })
})
afterAll(() => {
  model.free()
  rmSync(directory, { recursive: true })
})

describe('loadGguf', () => {
  it.each(['q8_0', 'q4_k'])(
    'computes from the blocks of a file in %s, which take its bytes and no memory of ours',
    (format) => {
      const file = at(`${format}.gguf`)
      const before = memoryStats().liveBytes
      const blocks = loadGguf(file)
      const stored = [...readGguf(file).tensors.values()].reduce((sum, { begin, end }) => sum + end - begin, 0)
      const held = [...blocks.parameters()].reduce((sum, [, tensor]) => sum + tensor.nbytes, 0)
      expect(held).toBeLessThanOrEqual(1.05 * stored)
      expect(memoryStats().liveBytes - before).toBeLessThan(0.05 * stored)
      expect([...linearsOf(blocks).values()].every((linear) => linear instanceof GgmlLinear)).toBe(true)
      expect(blocks.model.embed_tokens).toBeInstanceOf(GgmlEmbedding)
      expect(blocks.weightCount).toBe(model.weightCount)
      const dense = loadGguf(file, { dtype: 'f32' })
      for (const [path, linear] of linearsOf(dense))
        expect(linearsOf(blocks).get(path)!.dense().sub(linear.dense()).abs().max().item(), path).toBe(0)
      const { maxLogitDifference, maxLogit, sameTop } = compareModels(dense, blocks, [1, 5, 9, 200, 17, 3])
      expect(maxLogitDifference).toBeLessThan(0.03 * maxLogit)
      expect(maxLogitDifference).toBeGreaterThan(0)
      expect(sameTop).toBeGreaterThan(0.8)
      blocks.free()
      dense.free()
    },
  )

  it('says what it widens, where nobody asked for it', () => {
    const notices: string[] = []
    const tell = (notice: string): number => notices.push(notice)
    loadGguf(at('q8_0.gguf'), { tell }).free()
    loadGguf(at('f16.gguf'), { dtype: 'f32', tell }).free()
    expect(notices).toEqual([])
    loadGguf(at('f16.gguf'), { tell }).free()
    expect(notices).toEqual([expect.stringContaining('15 in F16 are widened to f32')])
  })

  it('refuses a file that is cut off, and one whose types are not known', () => {
    writeFileSync(at('cut.gguf'), readFileSync(at('q4_k.gguf')))
    truncateSync(at('cut.gguf'), 100_000)
    expect(() => loadGguf(at('cut.gguf'))).toThrow(InputError)
    const bytes = readFileSync(at('q4_k.gguf'))
    const name = 'blk.0.attn_q.weight'
    const type = bytes.indexOf(name) + name.length + 4 + 16
    bytes.writeUInt32LE(99, type)
    writeFileSync(at('unknown.gguf'), bytes)
    expect(() => loadGguf(at('unknown.gguf'))).toThrow(
      /type of "blk.0.attn_q.weight".*expected a known tensor type, got 99/,
    )
  })
})
