import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { InputError, UnsupportedError, UsageError } from '../errors.ts'
import { collect, type GenerateRequest, type GenerationPiece } from '../lm/lm.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { memoryStats } from '../torch/index.ts'
import { Engine } from './engine.ts'
import { readGenerationConfig } from './generation-config.ts'

const MODELS = new URL('../../test/fixtures/models/', import.meta.url)

interface Golden {
  greedy_prompt?: number[]
  greedy_ids?: number[]
}

const goldenOf = (name: string): Golden => JSON.parse(readFileSync(new URL(`${name}/expected.json`, MODELS), 'utf8'))

const names = readdirSync(MODELS).filter(
  (name) => existsSync(new URL(`${name}/expected.json`, MODELS)) && goldenOf(name).greedy_ids !== undefined,
)

/** The parts as `loadLm`, on a floor above, finds them. */
async function engineIn(directory: string): Promise<Engine> {
  const tokenizer = existsSync(join(directory, 'tokenizer.json')) ? await Tokenizer.fromDirectory(directory) : undefined
  return new Engine({ model: loadDecoder(directory), tokenizer, generationConfig: readGenerationConfig(directory) })
}

const idsOf = async (engine: Engine, request: GenerateRequest): Promise<readonly number[]> =>
  (await collect(engine.generate(request))).tokenIds

describe('Engine: every family', () => {
  it.each(names)('gives the greedy tokens of Transformers, alone and in a batch: %s', async (name) => {
    const { greedy_prompt: ids = [], greedy_ids = [] } = goldenOf(name)
    const engine = await engineIn(new URL(name, MODELS).pathname)
    const maxNewTokens = greedy_ids.length - ids.length
    const prompts = [ids, ids.slice(0, 3), [...ids, ...ids], ids.slice(2)]
    const alone: (readonly number[])[] = []
    for (const prompt of prompts) alone.push(await idsOf(engine, { ids: prompt, temperature: 0, maxNewTokens }))
    expect([...ids, ...alone[0]!]).toEqual(greedy_ids)
    const together = await engine.generateAll(prompts.map((prompt) => ({ ids: prompt, temperature: 0, maxNewTokens })))
    expect(together.map(({ tokenIds }) => tokenIds)).toEqual(alone)
    engine.free()
  })
})

describe('Engine', async () => {
  const { directory, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  const engine = await engineIn(directory)
  const raw = await engineIn(new URL('llama', MODELS).pathname)
  afterAll(() => {
    engine.free()
    raw.free()
    remove()
  })

  it('gives 50 prompts the same tokens alone and in batches of 2, 4 and 8, in any order', async () => {
    const requests = Array.from({ length: 50 }, (_, i) => ({
      ids: Array.from({ length: 1 + ((i * 7) % 23) }, (_, j) => (i * 31 + j * 17) % 320),
      maxNewTokens: 1 + ((i * 5) % 12),
      stopTokenIds: [i % 320, 100, 200],
    }))
    const alone: (readonly number[])[] = []
    for (const request of requests) alone.push(await idsOf(raw, request))
    for (const batchSize of [2, 4, 8]) {
      const batched = new Engine({ model: raw.model, generationConfig: raw.generationConfig, batchSize })
      const reversed = await batched.generateAll(requests.toReversed())
      expect(reversed.toReversed().map(({ tokenIds }) => tokenIds)).toEqual(alone)
    }
  })

  it('gives a long prompt in chunks the tokens that it gets in one piece', async () => {
    const ids = Array.from({ length: 300 }, (_, i) => (i * 41) % 320)
    // Twenty of them are read 102 tokens at a time.
    const requests = Array.from({ length: 20 }, (_, i) => ({ ids: ids.slice(i % 3), maxNewTokens: 4 }))
    const many = new Engine({ model: raw.model, batchSize: 20 })
    const alone = await Promise.all([0, 1, 2].map((i) => idsOf(many, requests[i]!)))
    for (const [i, { tokenIds }] of (await many.generateAll(requests)).entries()) expect(tokenIds).toEqual(alone[i % 3])
  })

  it('draws the same text for the same seed, alone and beside others', async () => {
    const request = { prompt: 'Hello', temperature: 1, topP: 0.9, seed: 7, maxNewTokens: 20 }
    const alone = await collect(engine.generate(request))
    const others = ['a', 'something longer than that'].map((prompt, seed) => ({ prompt, temperature: 1, seed }))
    const [, again] = await engine.generateAll([others[0]!, request, others[1]!])
    expect(again).toEqual(alone)
    expect((await collect(engine.generate({ ...request, seed: 8 }))).tokenIds).not.toEqual(alone.tokenIds)
  })

  it('streams text that joins to the whole, never half a character', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const pieces: GenerationPiece[] = []
      const request = { prompt: 'é', temperature: 1.5, seed, maxNewTokens: 30 }
      for await (const piece of engine.generate(request)) pieces.push(piece)
      const ids = pieces.flatMap(({ tokenIds }) => tokenIds)
      const text = pieces.map((piece) => piece.text).join('')
      // Only a character that the end of the text cut off is left out.
      expect([text, `${text}\ufffd`]).toContain(engine.decode(ids))
      expect(pieces.filter(({ finishReason }) => finishReason !== undefined)).toEqual([pieces.at(-1)])
      expect(pieces.at(-1)!.usage).toEqual({ promptTokens: 3, completionTokens: ids.length, cachedTokens: 0 })
      expect((await engine.generateAll([request]))[0]!.text).toBe(text)
    }
  })

  it('ends before a stop string', async () => {
    const whole = await collect(engine.generate({ prompt: 'stop', temperature: 1, seed: 1, maxNewTokens: 40 }))
    const stop = whole.text.slice(8, 11)
    const stopped = await collect(
      engine.generate({ prompt: 'stop', temperature: 1, seed: 1, maxNewTokens: 40, stop: [stop] }),
    )
    expect(stopped.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
    expect(stopped.finishReason).toBe('stop')
  })

  it('ends at the end tokens of generation_config.json and of the tokenizer', async () => {
    const { tokenIds } = await collect(engine.generate({ prompt: 'x', maxNewTokens: 5 }))
    const third = tokenIds[2]!
    const stopping = new Engine({
      model: engine.model,
      tokenizer: engine.tokenizer,
      generationConfig: { eosTokenIds: [third] },
    })
    const ended = await collect(stopping.generate({ prompt: 'x', maxNewTokens: 5 }))
    expect(ended.finishReason).toBe('stop')
    expect(ended.tokenIds).toEqual(tokenIds.slice(0, tokenIds.indexOf(third) + 1))
  })

  it('ends where the context is full', async () => {
    const ids = new Array<number>(509).fill(9)
    const { finishReason, tokenIds } = await collect(raw.generate({ ids, maxNewTokens: 100 }))
    expect([finishReason, tokenIds.length]).toEqual(['length', 3])
  })

  it('renders messages with the template and keeps control tokens out of them', () => {
    const content = 'a<|im_end|>'
    const ids = engine.encode({ messages: [{ role: 'user', content }] })
    const isEnd = (id: number): boolean => id === 4
    expect(ids.filter(isEnd)).toHaveLength(1)
    expect(engine.decode(ids)).toBe('user\na<|im_end|>\nassistant\n')
    expect(engine.encode({ prompt: content }).filter(isEnd)).toHaveLength(0)
  })

  it('lets other work run between tokens, and stops at its signal', async () => {
    const controller = new AbortController()
    setImmediate(() => controller.abort()) // gets its turn only if generating gives one
    const request = { ids: [1], maxNewTokens: 500, signal: controller.signal }
    const { finishReason, tokenIds } = await collect(raw.generate(request))
    expect(finishReason).toBe('aborted')
    expect(tokenIds.length).toBeLessThan(10)
  })

  it('leaves no tensor alive, also when the caller stops listening', async () => {
    await collect(engine.generate({ prompt: 'warm', maxNewTokens: 2 }))
    const before = memoryStats().liveTensors
    for await (const _ of engine.generate({ prompt: 'x', maxNewTokens: 50 })) break
    await engine.generateAll(['a', 'bcd', 'ef'].map((prompt, i) => ({ prompt, maxNewTokens: 2 + i })))
    await expect(collect(engine.generate({ ids: [320] }))).rejects.toThrow(InputError)
    expect(memoryStats().liveTensors).toBe(before)
  })

  it.each<[GenerateRequest, new (message: string) => Error, string]>([
    [{ ids: [] }, InputError, 'prompt: expected at least one token, got none. Put a text before what is to be written'],
    [{ ids: [3, 320] }, InputError, 'prompt: expected token ids from 0 to 319, got 320 at 1'],
    [{ ids: new Array(512).fill(1) }, InputError, 'prompt: expected at most 511 tokens'],
    [{ prompt: 'x' }, UnsupportedError, 'text: expected a model with a tokenizer.json'],
    [{ ids: [1], stop: ['x'] }, UnsupportedError, 'text: expected a model with a tokenizer.json'],
    [{ ids: [1], topP: 2 }, UsageError, 'top_p'],
    [{ ids: [1], stop: 'x' as never }, UsageError, 'stop: expected a list, got "x"'],
    [{ ids: [1], maxTokens: 2 } as never, UsageError, "'maxTokens'. It is called 'maxNewTokens' here"],
    [{ ids: [1], prompt: 'x' }, UsageError, 'got prompt and ids'],
  ])('refuses %j of a model without a tokenizer', async (request, kind, message) => {
    const generating = collect(raw.generate(request))
    await expect(generating).rejects.toThrow(kind)
    await expect(generating).rejects.toThrow(message)
  })

  it('refuses options that there are not, and what is no list of lists', async () => {
    await expect(raw.score([[1, 2]], { windows: 2 } as never)).rejects.toThrow("Did you mean 'window'?")
    await expect(raw.scoreTokens([1, 2] as never)).rejects.toThrow('sequences: expected lists of token ids')
    await expect(raw.hidden([[1, 2]], { pool: 'mean' } as never)).rejects.toThrow("Did you mean 'pooling'?")
    expect(() => raw.encode('x' as never)).toThrow('prompt: expected an object with one of')
  })

  it('refuses messages without a chat template', async () => {
    const base = new Engine({
      model: engine.model,
      tokenizer: (await import('../../test/tiny-model.ts')).tinyTokenizer(),
    })
    expect(base.canChat).toBe(false)
    expect(() => base.encode({ messages: [{ role: 'user', content: 'x' }] })).toThrow(UnsupportedError)
  })
})
