import { afterAll, describe, expect, it } from 'vitest'
import { blockRows } from '../../test/block-rows.ts'
import { randomDecoder } from '../../test/random-decoder.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UsageError } from '../errors.ts'
import { collect, type GenerateRequest } from '../lm/lm.ts'
import { Engine } from './engine.ts'

const FIXTURES = new URL('../../test/fixtures/', import.meta.url)
const made = (name: string): Engine =>
  new Engine({ model: loadDecoder(new URL(`models/${name}`, FIXTURES).pathname), cacheTokens: 4096 })
const ids = Array.from({ length: 40 }, (_, i) => (i * 7) % 50)
const engine = made('llama')
afterAll(() => engine.free())
const ask = (more: Partial<GenerateRequest> = {}, lm = engine) =>
  collect(lm.generate({ ids, maxNewTokens: 6, temperature: 0, logprobs: true, ...more } as GenerateRequest))

const rowsOf = async (work: () => Promise<unknown>, lm = engine): Promise<number[]> =>
  (await blockRows(lm.model, work)).rows

describe('a look between two blocks', () => {
  it.each(['llama', 'gemma2', 'qwen3', 'gpt2', 'mistral-swa', 'phi3-longrope'])(
    'changes no bit of the text: %s',
    async (name) => {
      const lm = made(name)
      try {
        const plain = await ask({}, lm)
        for (const layer of Array.from({ length: lm.layers }, (_, i) => i)) {
          lm.freeCache()
          const seen: Float32Array[] = []
          const inspect = { layer, begin: 3, end: 9, goOn: (states: Float32Array) => seen.push(states) > 0 }
          const looked = await ask({ inspect }, lm)
          expect(looked).toEqual({ ...plain, usage: { ...plain.usage, cachedTokens: looked.usage.cachedTokens } })
          const [alone] = await lm.hidden([ids], { layer, pooling: 'none' })
          const width = lm.model.config.hiddenSize
          expect(seen).toHaveLength(1)
          const expected = alone!.subarray(3 * width, 9 * width)
          expect(seen[0]).toHaveLength(expected.length)
          expect(Math.max(...expected.map((value, i) => Math.abs(value - seen[0]![i]!)))).toBeLessThan(1e-4)
        }
      } finally {
        lm.free()
      }
    },
  )
  it('computes each block once for each token; where it says no, those behind are not', async () => {
    const [blocks, length] = [engine.layers, ids.length]
    const inspect = { layer: 1, begin: 10, end: 20, goOn: () => true }
    const one = { maxNewTokens: 1 }
    engine.freeCache()
    const apart = await rowsOf(async () => {
      await engine.hidden([ids.slice(10, 20)], { layer: 1, pooling: 'none' })
      await ask(one)
    })
    engine.freeCache()
    const together = await rowsOf(() => ask({ ...one, inspect }))
    // Ten tokens of the question through one block: that is what is saved.
    expect(together).toEqual(Array.from({ length: blocks }, () => length))
    expect(apart).toEqual([length + 10, ...together.slice(1)])
    engine.freeCache()
    const refused = await rowsOf(async () => {
      const { tokenIds, finishReason } = await ask({ ...one, inspect: { ...inspect, goOn: () => false } })
      expect([tokenIds, finishReason]).toEqual([[], 'aborted'])
    })
    expect(refused).toEqual([length, ...together.slice(1).map(() => 0)])
    expect(engine.load).toMatchObject({ running: 0, waiting: 0, usedBlocks: 0 })
  })
  it('reads what stands before it from the cache, and leaves nothing half made there', async () => {
    engine.freeCache()
    const plain = await ask()
    const inspect = { layer: 1, begin: 36, end: 40, goOn: () => false }
    engine.freeCache()
    await ask({ inspect })
    // Had the refused text left its blocks, they would be found now.
    const after = await ask()
    expect(after).toEqual(plain)
    const rows = await rowsOf(() => ask({ inspect }))
    expect(rows[0]).toBe(ids.length - 32)
  })
  it('goes beside others', async () => {
    engine.freeCache()
    const alone = [await ask(), await ask({ ids: [5, 4, 3] })]
    engine.freeCache()
    const inspect = { layer: 1, begin: 1, end: 3, goOn: () => true }
    const no = { ...inspect, goOn: () => false }
    const [a, b, c] = await Promise.all([
      ask({ inspect }),
      ask({ ids: [5, 4, 3] }),
      ask({ ids: [9, 9, 9, 9], inspect: no }),
    ])
    expect([a.tokenIds, b.tokenIds, c.tokenIds]).toEqual([alone[0]!.tokenIds, alone[1]!.tokenIds, []])
  })
  describe('of a long prompt', () => {
    const long = Array.from({ length: 1300 }, (_, i) => (i * 11) % 50)
    const lm = new Engine({
      model: randomDecoder(3, { max_position_embeddings: 2048, vocab_size: 64 }),
      cacheTokens: 2048,
    })
    afterAll(() => lm.free())
    it('reads what stands far before it in pieces, and the rest at once', async () => {
      const inspect = { layer: 1, begin: 1280, end: 1290, goOn: () => false }
      const rows = await rowsOf(() => ask({ ids: long, inspect }, lm), lm)
      // Two steps of 512 tokens, and then a look at what is left.
      expect(rows).toEqual([1300, ...rows.slice(1).map(() => 1024)])
    })
    it('lets others go on where there is no room for it', async () => {
      const inspect = { layer: 1, begin: 510, end: 600, goOn: () => true }
      const others = [long.slice(0, 760), long.slice(0, 760).reverse()].map((ids) =>
        lm.generate({ ids, maxNewTokens: 30, temperature: 0 }),
      )
      // Both are written now, and 512 tokens are free: enough to be let in, not enough for a look.
      await Promise.all(others.map((pieces) => pieces.next()))
      const looked = ask({ ids: long.slice(1, 601).map((id) => id ^ 1), inspect }, lm)
      const rest = await Promise.all(others.map((pieces) => collect(pieces)))
      expect(rest.map(({ tokenIds }) => tokenIds.length > 0)).toEqual([true, true])
      expect((await looked).tokenIds.length).toBeGreaterThan(0)
    })
  })
  it('fails alone where looking does', async () => {
    const broken = {
      layer: 1,
      begin: 0,
      end: 1,
      goOn: () => {
        throw new Error('broken')
      },
    }
    const [looked, other] = await Promise.allSettled([ask({ inspect: broken }), ask({ ids: [5, 4, 3] })])
    expect([looked.status, other.status]).toEqual(['rejected', 'fulfilled'])
    const inspect = { ...broken, goOn: () => true }
    await expect(ask({ inspect: { ...inspect, layer: engine.layers } })).rejects.toThrow(UsageError)
    await expect(ask({ inspect: { ...inspect, end: 41 } })).rejects.toThrow('inspect.end: expected at most 40')
    await expect(ask({ inspect: { ...inspect, begin: 1 } })).rejects.toThrow('0 ≤ begin < end')
    await expect(ask({ inspect, maxPromptTokens: 9 })).rejects.toThrow('without `maxPromptTokens`')
  })
})
