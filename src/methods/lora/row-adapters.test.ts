import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fixtures, load } from '../../../test/decoder-fixtures.ts'
import { DEVICE } from '../../../test/device.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { Engine } from '../../infer/engine.ts'
import { engineInfo, Generator, noGrad, ops, scope } from '../../torch/index.ts'
import { addLora, setAdapters } from './lora.ts'
import { rowAdapters } from './row-adapters.ts'

describe('rowAdapters', () => {
  const model = load('llama')
  afterAll(() => model.free())
  for (const [i, [adapterName, options]] of Object.entries({
    plain: { r: 3 },
    dora: { r: 4, useDora: true },
    head: { r: 2, targetModules: ['lm_head'] },
  }).entries()) {
    addLora(model, { ...options, adapterName, seed: i })
    scope(() => {
      for (const [path, parameter] of model.parameters())
        if (path.includes(`lora_B.${adapterName}`))
          noGrad(() => ops.normal_(parameter, 0, 0.3, new Generator(i, model.device)))
    })
  }
  const texts = [0, 1, 2, 3].map((t) => Array.from({ length: 30 }, (_, i) => (i * 37 + t) % 300))

  it('gives each text of a call what its adapter alone gives', async () => {
    const engine = new Engine({ model, adapters: rowAdapters(model) })
    expect(engine.adapters).toEqual(['plain', 'dora', 'head'])
    const names = ['plain', null, 'dora', 'head']
    const together = await engine.generateAll(
      texts.map((ids, i) => ({ ids, adapter: names[i]!, maxNewTokens: 6, logprobs: true })),
    )
    const scores = await Promise.all(texts.map((ids, i) => engine.score([ids], { adapter: names[i]! })))
    const vectors = await Promise.all(texts.map((ids, i) => engine.hidden([ids], { adapter: names[i]! })))
    for (const [i, ids] of texts.entries()) {
      setAdapters(model, names[i] ?? [])
      const alone = new Engine({ model })
      const [generation] = await alone.generateAll([{ ids, maxNewTokens: 6, logprobs: true }])
      expect(together[i]!.tokenIds).toEqual(generation!.tokenIds)
      const logprobs = [together[i]!, generation!].map((one) => one.logprobs!.map(({ logprob }) => logprob))
      expect(logprobs[0]).toBeAllclose(logprobs[1]!, { absolute: 1e-4 })
      const [score] = await alone.score([ids])
      expect(scores[i]![0]!.slice(1)).toBeAllclose(score!.slice(1) as number[], { absolute: 1e-4 })
      const [vector] = await alone.hidden([ids])
      expect(Array.from(vectors[i]![0]!)).toBeAllclose(Array.from(vector!), { absolute: 1e-4 })
      alone.freeCache()
    }
    engine.freeCache()
  })

  // LibTorch 1.13 has no products of f16 on a CPU.
  const hasHalf = !engineInfo().version.startsWith('1.') || DEVICE !== 'cpu'
  it.each(hasHalf ? (['bf16', 'f16'] as const) : (['bf16'] as const))(
    'takes an adapter in f32 beside a base in %s',
    async (dtype) => {
      const narrow = loadDecoder(join(fixtures, 'llama'), { dtype, device: DEVICE })
      addLora(narrow, { r: 3, adapterName: 'wide' })
      scope(() => {
        for (const [path, parameter] of narrow.parameters())
          if (path.includes('lora_B')) noGrad(() => ops.normal_(parameter, 0, 0.3, new Generator(1, narrow.device)))
      })
      const ids = texts[0]!
      const by = new Engine({ model: narrow, adapters: rowAdapters(narrow) })
      const [row] = await by.score([ids], { adapter: 'wide' })
      const [plain] = await by.score([ids])
      by.freeCache()
      const active = new Engine({ model: narrow })
      const [alone] = await active.score([ids])
      expect(row!.slice(1)).toBeAllclose(alone!.slice(1) as number[], { absolute: 0.1 })
      expect(Math.max(...row!.slice(1).map((value, i) => Math.abs(value! - plain![i + 1]!)))).toBeGreaterThan(0.5)
      active.free()
    },
  )
})
