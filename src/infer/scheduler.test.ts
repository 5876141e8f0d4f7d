// The promise: the same request gives the same tokens, bit for bit, whatever else runs, with the cache warm or cold, streamed or not.
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { load } from '../../test/decoder-fixtures.ts'
import { DEVICE } from '../../test/device.ts'
import { InputError, NonFiniteError, UsageError } from '../errors.ts'
import { collect, type GenerateRequest, type Generation } from '../lm/lm.ts'
import { addLora, setAdapters } from '../methods/lora/lora.ts'
import { rowAdapters } from '../methods/lora/row-adapters.ts'
import type { Decoder } from '../model/decoder.ts'
import { Generator, noGrad, ops, scope, setThreads, Tensor } from '../torch/index.ts'
import { CachedRows } from './cached-rows.ts'
import { Engine, type EngineParts } from './engine.ts'

afterEach(() => setThreads(1))

/** Numbers in [0, 1), the same ones every time. */
function* numbers(seed: number): IterableIterator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield state / 2 ** 32
  }
}

/** A model with two adapters that change what it says. */
function adapted(name: string): Decoder {
  const model = load(name)
  for (const [i, adapterName] of ['one', 'two'].entries()) {
    addLora(model, { r: 4, adapterName, seed: i })
    scope(() => {
      for (const [path, parameter] of model.parameters())
        if (path.includes(`lora_B.${adapterName}`))
          noGrad(() => ops.normal_(parameter, 0, 0.2, new Generator(7 + i, model.device)))
    })
  }
  setAdapters(model, [])
  return model
}

/** 64 requests: shared and own beginnings, three adapters, greedy and drawn, some with log-probabilities or guesses. */
function requestsFor(vocabulary: number): GenerateRequest[] {
  const next = numbers(11)
  const draw = (below: number): number => Math.floor(next.next().value * below)
  const id = (): number => draw(vocabulary)
  const beginnings = [20, 33, 70].map((length) => Array.from({ length }, id))
  return Array.from({ length: 64 }, (_, i) => {
    const shared = draw(4)
    const own = Array.from({ length: 1 + draw(24) }, id)
    const ids = shared === 3 ? own : [...beginnings[shared]!, ...own]
    return {
      ids: i % 5 === 0 ? [...ids, ...ids.slice(-6), ...ids.slice(-6)] : ids,
      maxNewTokens: 1 + draw(20),
      temperature: i % 2 === 0 ? 0 : 0.8,
      seed: i,
      adapter: [null, 'one', 'two'][draw(3)]!,
      ...(i % 3 === 0 && { topLogprobs: 2 }),
      ...(i % 7 === 0 && { promptLogprobs: true }),
      ...(i % 5 === 0 && { promptLookup: 4 }),
      ...(i % 11 === 0 && { repetitionPenalty: 1.3 }),
    }
  })
}

/** What must not depend on anything else: not how much was cached or guessed. */
const saying = ({ tokenIds, logprobs, promptLogprobs, finishReason }: Generation): object => ({
  tokenIds,
  logprobs,
  promptLogprobs,
  finishReason,
})

const engineOf = (model: Decoder, more: Partial<EngineParts> = {}): Engine =>
  new Engine({ model, adapters: rowAdapters(model), ...more })

/** Starts the requests at random steps, every other one as a stream; in an order of its own. */
async function arriving(engine: Engine, requests: readonly GenerateRequest[], seed: number): Promise<Generation[]> {
  const next = numbers(seed)
  const order = requests.map((_, i) => [next.next().value, i] as const).sort(([a], [b]) => a - b)
  const found: Promise<Generation>[] = []
  for (const [, i] of order) {
    found[i] =
      i % 2 === 0
        ? collect(engine.generate(requests[i]!))
        : engine.generateAll([requests[i]!]).then(([generation]) => generation!)
    for (let wait = Math.floor(next.next().value * 4); wait > 0; wait--) await setImmediate()
  }
  return Promise.all(found)
}

describe.runIf(DEVICE === 'cpu')('the promise', () => {
  it.each(['llama', 'mistral-swa', 'gemma3', 'qwen3'])(
    'holds for 64 requests that come at any step, with mixed adapters and blocks running out: %s',
    async (name) => {
      const model = adapted(name)
      const requests = requestsFor(model.config.vocabSize)
      const wanted: object[] = []
      for (const request of requests) {
        // Alone, with nothing cached and nothing guessed.
        const engine = engineOf(model)
        const [alone] = await engine.generateAll([{ ...request, promptLookup: 0 }])
        wanted.push(saying(alone!))
        engine.freeCache()
      }
      setThreads(2)
      for (const [seed, more] of ([{}, { batchSize: 5 }, { cacheTokens: 208 }] as Partial<EngineParts>[]).entries()) {
        const engine = engineOf(model, more)
        const cold = await arriving(engine, requests, seed)
        expect(cold.map(saying)).toEqual(wanted)
        const warm = await arriving(engine, requests, seed + 10)
        expect(warm.map(saying)).toEqual(wanted)
        if (more.cacheTokens === undefined) {
          const cached = (all: Generation[]): number => all.reduce((sum, { usage }) => sum + usage.cachedTokens!, 0)
          expect(cached(warm)).toBeGreaterThan(cached(cold))
          expect(cached(cold)).toBeGreaterThan(0)
        }
        expect(engine.load).toMatchObject({ usedBlocks: 0, waiting: 0, running: 0 })
        engine.freeCache()
      }
      model.free()
    },
    120_000,
  )

  it('holds for what a text is scored with', async () => {
    const model = adapted('llama')
    const engine = engineOf(model)
    const texts = [90, 1, 17, 260, 64].map((length, t) => Array.from({ length }, (_, i) => (i * 37 + t) % 320))
    const alone = await Promise.all(texts.map(async (text) => (await engineOf(model).score([text]))[0]))
    expect(await engine.score(texts)).toEqual(alone)
    // The same places as a continuation sees them.
    const [generation] = await engine.generateAll([{ ids: texts[0]!, maxNewTokens: 5, logprobs: true }])
    const [score] = await engine.score([[...texts[0]!, ...generation!.tokenIds]])
    expect(generation!.logprobs!.map(({ logprob }) => logprob)).toEqual(score!.slice(texts[0]!.length))
    model.free()
  })
})

describe('the scheduler', () => {
  it('gives all blocks back after 200 texts that nobody waited for', async () => {
    const model = adapted('llama')
    const engine = engineOf(model, { cacheTokens: 640 })
    const next = numbers(5)
    const chance = (): number => next.next().value
    const requests = requestsFor(320)
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        for (let wait = Math.floor(chance() * 40); wait > 0; wait--) await setImmediate()
        const controller = new AbortController()
        const pieces = engine.generate({ ...requests[i % 64]!, maxNewTokens: 100, signal: controller.signal })
        const leave = Math.floor(chance() * 8)
        if (i % 3 === 0) {
          for (let wait = leave; wait > 0; wait--) await setImmediate()
          const all = collect(pieces)
          controller.abort()
          expect((await all).finishReason).toBe('aborted')
        } else {
          let count = 0
          for await (const _ of pieces) if (++count > leave) break
        }
      }),
    )
    await setImmediate()
    expect(engine.load).toMatchObject({ usedBlocks: 0, waiting: 0, running: 0 })
    engine.free()
  })

  it.runIf(DEVICE === 'cpu')('plays the blocks for one token more, and says what JavaScript says', async () => {
    const model = load('gemma2')
    const engine = engineOf(model)
    const calls: number[] = []
    const { runBlocks } = model
    model.runBlocks = function (states, ...rest) {
      calls.push(states.shape[1]!)
      return runBlocks.call(this, states, ...rest)
    }
    const ids = [5, 6, 7]
    const said = await engine.generateAll(
      [0, 1].map((first) => ({ ids: [first, ...ids], maxNewTokens: 90, ignoreEos: true, temperature: 0 })),
    )
    // The prompts, and for each number of rows two calls after each growth of the cache.
    expect(calls.length).toBeLessThan(20)
    model.runBlocks = runBlocks
    const rows = new CachedRows(model, 2)
    let pieces = [0, 1].map((first) => [first, ...ids])
    const expected: number[][] = [[], []]
    for (let i = 0; i < 90; i++) {
      const logits = scope(() => rows.forward(pieces).toArray())
      const width = model.config.vocabSize
      let row = -1
      pieces = pieces.map((piece, text) => {
        row += piece.length
        const own = logits.slice(row * width, (row + 1) * width)
        const best = own.indexOf(own.reduce((a, b) => Math.max(a, b)))
        expected[text]!.push(best)
        return [best]
      })
    }
    expect(said.map(({ tokenIds }) => [...tokenIds])).toEqual(expected)
    rows.free()
    engine.free()
    model.free()
  })

  it('reads what many texts begin with once', async () => {
    const model = load('llama')
    const engine = new Engine({ model })
    const ids = Array.from({ length: 100 }, (_, i) => (i * 7) % 320)
    const all = await engine.generateAll(
      Array.from({ length: 8 }, (_, seed) => ({ ids, maxNewTokens: 3, temperature: 1, seed })),
    )
    expect(all.map(({ usage }) => usage.cachedTokens)).toEqual([0, 96, 96, 96, 96, 96, 96, 96])
    const [salted] = await engine.generateAll([{ ids, maxNewTokens: 1, cacheSalt: 'mine' }])
    expect(salted!.usage.cachedTokens).toBe(0)
    engine.free()
  })

  it('does not take keys and values of another model for its own', async () => {
    const model = load('llama')
    const engine = new Engine({ model })
    const request = { ids: Array.from({ length: 40 }, (_, i) => i), maxNewTokens: 6 }
    await engine.generateAll([request])
    const { weight } = model.model.layers[0]!.self_attn!.k_proj as unknown as { weight: Tensor }
    noGrad(() => weight.mul_(3))
    const [after] = await engine.generateAll([request])
    expect(after!.usage.cachedTokens).toBe(0)
    const [again] = await engine.generateAll([request])
    expect(again!.usage.cachedTokens).toBe(32)
    model.model.layers[1]!.attention.rules.push(() => null)
    expect((await engine.generateAll([request]))[0]!.usage.cachedTokens).toBe(0)
    engine.free()
  })

  it('gives a text that comes after a change none of the keys from before, whatever is still running', async () => {
    const model = load('llama')
    const ids = Array.from({ length: 40 }, (_, i) => i)
    const engine = new Engine({ model })
    const going = collect(engine.generate({ ids, maxNewTokens: 30, ignoreEos: true }))
    while (engine.load.running === 0) await setImmediate()
    const { weight } = model.model.layers[0]!.self_attn!.k_proj as unknown as { weight: Tensor }
    noGrad(() => weight.mul_(3))
    const request = { ids: [...ids, 7], maxNewTokens: 6, ignoreEos: true }
    const [after] = await engine.generateAll([request])
    await going
    expect(after!.usage.cachedTokens).toBe(0)
    expect([after!.tokenIds]).toEqual(
      (await new Engine({ model }).generateAll([request])).map(({ tokenIds }) => tokenIds),
    )
    engine.free()
  })

  it('does not take a weight for the one that was in its memory before', async () => {
    const model = load('llama')
    const engine = new Engine({ model })
    const request = { ids: Array.from({ length: 40 }, (_, i) => i), maxNewTokens: 1, logprobs: true }
    const layer = model.model.layers[0]!.input_layernorm as unknown as { weight: Tensor }
    const scaled = layer.weight.toArray().map((value) => 3 * value)
    await engine.generateAll([request])
    const { storageId } = layer.weight
    layer.weight.free()
    // The allocator gives the same place out again, if not at once.
    const others: Tensor[] = []
    do others.push(Tensor.from(scaled).to(model.device).keep())
    while (others.at(-1)!.storageId !== storageId && others.length < 1000)
    layer.weight = others.pop()!
    const [after] = await engine.generateAll([request])
    expect(after!.usage.cachedTokens).toBe(0)
    for (const other of others) other.free()
    engine.free()
  })

  it('reads a text of Phi-3 again where it grows beyond the length that other divisors are for', async () => {
    const model = load('phi3-longrope')
    const engine = new Engine({ model })
    const ids = Array.from({ length: 15 }, (_, i) => (i * 29 + 5) % model.config.vocabSize)
    const [generation] = await engine.generateAll([{ ids, maxNewTokens: 20, ignoreEos: true }])
    const made: number[] = []
    while (made.length < 20) {
      // From length 25 on.
      const [next] = await engine.generateAll([{ ids: [...ids, ...made], maxNewTokens: 1, ignoreEos: true }])
      made.push(...next!.tokenIds)
    }
    expect(generation!.tokenIds).toEqual(made)
    engine.free()
  })

  it('goes on with no text of a call of which one fails', async () => {
    const engine = new Engine({ model: load('llama') })
    const broken = (): never => {
      throw new Error('broken')
    }
    const requests = [
      { ids: [1, 2, 3], maxNewTokens: 400, ignoreEos: true },
      { ids: [4], mask: broken },
    ]
    await expect(engine.generateAll(requests)).rejects.toThrow('broken')
    expect(engine.load).toMatchObject({ usedBlocks: 0, waiting: 0, running: 0 })
    engine.free()
  })

  it('ends the one text that has no numbers, and no other', async () => {
    const model = load('llama')
    const engine = new Engine({ model })
    const ids = Array.from({ length: 20 }, (_, i) => i + 1)
    const [wanted] = await engine.generateAll([{ ids, maxNewTokens: 8 }])
    const weight = model.model.embed_tokens.dense()
    noGrad(() => scope(() => weight.narrow(0, 300, 1).copy_(Tensor.from([Number.NaN]))))
    const bad = collect(engine.generate({ ids: [300, 5], maxNewTokens: 8 }))
    const good = collect(engine.generate({ ids, maxNewTokens: 8 }))
    await expect(bad).rejects.toThrow(NonFiniteError)
    expect((await good).tokenIds).toEqual(wanted!.tokenIds)
    expect(engine.load.usedBlocks).toBe(0)
    engine.free()
  })

  it('says in one line what does not fit, and goes on', async () => {
    const model = load('llama')
    const engine = new Engine({ model, cacheTokens: 64 })
    const ids = Array.from({ length: 64 }, () => 5)
    expect(engine.contextLength).toBe(64)
    await expect(engine.generateAll([{ ids }])).rejects.toThrow(InputError)
    await expect(engine.generateAll([{ ids }])).rejects.toThrow(
      "prompt: expected at most 63 tokens (the cache holds 64, and the model's context is 512), got 64. Shorten it",
    )
    await expect(engine.generateAll([{ ids: [1], adapter: 'none' }])).rejects.toThrow(UsageError)
    const [generation] = await engine.generateAll([{ ids: ids.slice(1), maxNewTokens: 100 }])
    expect(generation).toMatchObject({ finishReason: 'length', limit: 'context', usage: { completionTokens: 1 } })
    engine.free()
  })

  it('fails what goes on when it is freed', async () => {
    const engine = new Engine({ model: load('llama') })
    const going = collect(engine.generate({ ids: [1, 2, 3], maxNewTokens: 400, ignoreEos: true }))
    await setImmediate()
    engine.free()
    await expect(going).rejects.toThrow('expected all texts to end before it is freed')
  })
})

it('lets the event loop do what waits for it between two steps: Node takes in one connection in a turn', async () => {
  const engine = engineOf(adapted('llama'))
  let clock = 0
  const time = vi.spyOn(performance, 'now').mockImplementation(() => clock)
  // 30 things to do, each found in a turn of its own, and a clock on which they take a tenth of a step together.
  let left = 30
  const arrive = async (): Promise<void> => {
    while (left > 0) {
      await setImmediate()
      clock += 0.1
      left--
    }
  }
  try {
    const seen: number[] = []
    const mask = (): null => {
      clock += 30
      return null
    }
    for await (const _ of engine.generate({ ids: [1, 2, 3], maxNewTokens: 4, mask }))
      if (seen.push(left) === 1) void arrive()
    expect(seen).toEqual([30, 0, 0, 0])
  } finally {
    time.mockRestore()
    engine.free()
  }
})
