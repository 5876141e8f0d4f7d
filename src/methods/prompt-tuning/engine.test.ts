// A soft prompt in use: the engine reads it before every text, with its cache, and gives what PEFT gives without one.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { Engine } from '../../infer/engine.ts'
import { collect } from '../../lm/lm.ts'
import type { Decoder } from '../../model/decoder.ts'
import { memoryStats, noGrad, scope, Tensor } from '../../torch/index.ts'
import { loadPrompt } from './prompt-files.ts'
import { addPrompt, promptOf } from './prompt-tuning.ts'

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures')
const load = (name = 'llama'): Decoder => loadDecoder(join(FIXTURES, 'models', name))

function engineOf(model: Decoder): Engine {
  return new Engine({ model: model, prefix: promptOf(model).ids })
}

/** Greedy continuation with the prompt and the whole text read again for every token. */
function uncached(model: Decoder, start: readonly number[], count: number): number[] {
  const sequence = [...promptOf(model).ids, ...start]
  const reader = model
  for (let i = 0; i < count; i++) {
    const next = noGrad(() =>
      scope(() =>
        reader
          .forward({ inputIds: Tensor.from(sequence, [1, sequence.length], 'i64') })
          .select(1, -1)
          .argmax()
          .item(),
      ),
    )
    sequence.push(next)
  }
  return sequence.slice(-count)
}

const greedy = async (engine: Engine, ids: readonly number[], maxNewTokens: number): Promise<readonly number[]> =>
  (await collect(engine.generate({ ids: [...ids], temperature: 0, maxNewTokens, stopTokenIds: [] }))).tokenIds

describe('an engine with the prompt of the PEFT fixture', () => {
  const model = load()
  loadPrompt(model, join(FIXTURES, 'training/prompt-tuning'))
  const engine = engineOf(model)
  afterAll(() => engine.free())
  // PEFT 0.21.0 with Transformers 5.18.0, greedy, the whole sequence read again for every token.
  const golden = [
    [
      [73, 5, 38, 193, 231, 87, 247],
      [65, 196, 130, 196, 130, 196, 196, 196, 196, 196, 196, 10, 196, 10, 196, 10],
    ],
    [
      [278, 262, 188, 284, 13, 256, 65],
      [57, 210, 168, 150, 150, 150, 150, 150, 150, 150, 150, 150, 150, 150, 150, 150],
    ],
  ] as const

  it('generates the tokens of PEFT, alone and in a padded batch', async () => {
    for (const [ids, expected] of golden) expect(await greedy(engine, ids, 16)).toEqual(expected)
    const prompts = [golden[0][0], golden[1][0], golden[0][0].slice(0, 2), [...golden[1][0], ...golden[0][0]]]
    const together = await engine.generateAll(
      prompts.map((ids) => ({ ids: [...ids], temperature: 0, maxNewTokens: 16 })),
    )
    for (const [i, { tokenIds, usage }] of together.entries()) {
      expect(tokenIds).toEqual(await greedy(engine, prompts[i]!, 16))
      expect(usage?.promptTokens).toBe(prompts[i]!.length)
    }
  })

  it('scores as PEFT does, whole and in windows', async () => {
    const { input_ids } = JSON.parse(readFileSync(join(FIXTURES, 'training/prompt-tuning/expected.json'), 'utf8'))
    const scores = await engine.score(input_ids)
    const sums = scores.map((row) => row.reduce<number>((sum, value) => sum + (value ?? 0), 0))
    expect(sums).toBeAllclose([-230.9655351638794, -222.70382452011108], { absolute: 1e-3 })
    expect(scores[0]!.slice(0, 3)).toEqual([
      null,
      expect.closeTo(-6.268058776855469, 4),
      expect.closeTo(-6.1949567794799805, 4),
    ])
    // Every window has the prompt before it, so a window is scored like a text of its own.
    const [windowed] = await engine.score([input_ids[0]], { window: 20 })
    const [last] = await engine.score([input_ids[0].slice(20)])
    expect(windowed!.slice(30)).toBeAllclose(last!.slice(10) as number[], { absolute: 1e-5 })
  })

  it('counts the prompt in the context', () => {
    expect(engine.contextLength).toBe(model.config.maxPositionEmbeddings - 6)
  })
})

describe('an engine with a soft prompt', () => {
  it.each(['llama', 'gpt2', 'gemma3', 'mistral-swa', 'rope-dynamic'])(
    'gives the same with its cache as without one on %s',
    async (name) => {
      const model = load(name)
      addPrompt(model, { numVirtualTokens: 5, seed: 1 })
      const engine = engineOf(model)
      for (const start of [[3, 14, 15, 92], [7]])
        expect(await greedy(engine, start, 12)).toEqual(uncached(model, start, 12))
      engine.free()
    },
  )

  it('is the model alone without a prefix, and frees the whole model', async () => {
    const before = memoryStats().liveTensors
    const model = load()
    const plain = new Engine({ model })
    const without = await greedy(plain, [3, 14, 15], 8)
    addPrompt(model, { numVirtualTokens: 5 })
    expect(await greedy(plain, [3, 14, 15], 8)).toEqual(without)
    plain.freeCache()
    engineOf(model).free()
    expect(memoryStats().liveTensors).toBeLessThanOrEqual(before)
  })
})
