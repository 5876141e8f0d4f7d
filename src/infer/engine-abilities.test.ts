// What an `Lm` may do, end to end on a tiny model: numbers, masks, guesses, sessions, vectors.
import { afterAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UsageError } from '../errors.ts'
import { collect, type GenerateOptions, type Generation } from '../lm/lm.ts'
import { LmSession } from '../lm/session.ts'
import { hasToken, tokenBits } from '../lm/token-mask.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { noGrad, scope, Tensor } from '../torch/index.ts'
import { Engine } from './engine.ts'
import { hiddenStates } from './hidden-states.ts'

const { directory, remove } = await tinyModelDirectory()
const model = loadDecoder(directory)
const tokenizer = await Tokenizer.fromDirectory(directory)
/** One that has read nothing yet. */
const fresh = (): Engine => new Engine({ model, tokenizer })
const engine = fresh()
afterAll(() => {
  engine.free()
  remove()
})

const idsOf = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => 5 + ((i * 37 + from * 11) % 256))
const generate = (lm: Engine, ids: readonly number[], options: GenerateOptions = {}): Promise<Generation> =>
  collect(lm.generate({ ids, maxNewTokens: 12, ...options }))

describe('log-probabilities', () => {
  const asked = { topLogprobs: 5, logprobTokenIds: [7, 300], promptLogprobs: true }

  it('are those of the logits, in f64', async () => {
    const ids = idsOf(9)
    const { tokenIds, logprobs, promptLogprobs } = await generate(fresh(), ids, asked)
    const text = [...ids, ...tokenIds]
    const logits = noGrad(() =>
      scope(() => model.forward({ inputIds: Tensor.from(BigInt64Array.from(text, BigInt), [1, text.length]) }).data()),
    ) as Float32Array
    const places = [...promptLogprobs!, ...logprobs!]
    expect(places).toHaveLength(text.length)
    expect(places[0]).toBeNull()
    for (const [at, place] of places.entries()) {
      if (place === null) continue
      const row = Array.from(logits.subarray((at - 1) * 320, at * 320))
      const sum = Math.log(row.reduce((total, value) => total + Math.exp(value), 0))
      for (const { id, logprob } of [place, ...place.top, ...place.named!])
        expect(Math.abs(logprob - (row[id]! - sum))).toBeLessThan(1e-4)
      expect(place.id).toBe(text[at])
      const best = [...row].sort((a, b) => b - a)
      for (const [k, { logprob }] of place.top.entries())
        expect(Math.abs(logprob - (best[k]! - sum))).toBeLessThan(1e-4)
      expect(place.named!.map(({ id }) => id)).toEqual([7, 300])
    }
  })

  it('are the same bits whether a token is made or read, cold or warm, alone or beside others', async () => {
    const prompts = [3, 20, 41, 64, 7, 33].map((length, i) => idsOf(length, i))
    const alone: Generation[] = []
    for (const [seed, ids] of prompts.entries())
      alone.push(await generate(fresh(), ids, { ...asked, seed, temperature: seed % 2 }))
    const together = await engine.generateAll(
      prompts.map((ids, seed) => ({ ids, maxNewTokens: 12, ...asked, seed, temperature: seed % 2 })),
    )
    const texts = prompts.map((ids, i) => [...ids, ...alone[i]!.tokenIds])
    const { topLogprobs, logprobTokenIds } = asked
    const read = await engine.scoreTokens(texts, { topLogprobs, logprobTokenIds })
    const scores = await engine.score(texts)
    for (const [i, { tokenIds, logprobs, promptLogprobs }] of alone.entries()) {
      const places = [...promptLogprobs!, ...logprobs!]
      expect(together[i]).toMatchObject({ tokenIds, logprobs, promptLogprobs })
      expect(read[i]).toEqual(places)
      expect(scores[i]).toEqual(places.map((place) => place?.logprob ?? null))
      // What was taken greedily is the first of the most probable, float for float: harnesses look for just that.
      if (i % 2 === 0) for (const { id, logprob, top } of logprobs!) expect(top[0]).toEqual({ id, logprob })
      for (const place of places) if (place !== null) expect(place.logprob).toBeLessThanOrEqual(place.top[0]!.logprob)
    }
  })

  it('begin where they are asked to, with the numbers that they have anyway', async () => {
    const texts = [idsOf(70), idsOf(30, 1), idsOf(600, 2)]
    const from = [50, 1, 590]
    for (const window of [512, 40]) {
      const all = await fresh().score(texts, { window })
      const some = await engine.score(texts, { window, from })
      for (const [i, row] of some.entries())
        expect(row).toEqual(all[i]!.map((value, at) => (at < from[i]! ? null : value)))
    }
  })
})

describe('what may be chosen', () => {
  it('is what the mask allows, guessed or not', async () => {
    const sets = [idsOf(40, 3), idsOf(3, 4), idsOf(90, 5)].map((ids) => tokenBits(ids, 320))
    const mask = (made: readonly number[]) => sets[made.length % 3]!
    for (const temperature of [0, 1.5]) {
      const options = { mask, temperature, seed: 4, maxNewTokens: 30 }
      const { tokenIds } = await generate(engine, idsOf(9), options)
      expect(tokenIds.every((id, i) => hasToken(sets[i % 3]!, id))).toBe(true)
      expect((await generate(engine, idsOf(9), { ...options, promptLookup: 4 })).tokenIds).toEqual(tokenIds)
    }
  })

  it('is refused in one line where nothing is left, and the engine goes on', async () => {
    await expect(generate(engine, idsOf(4), { mask: () => new Uint32Array(10) })).rejects.toThrow(UsageError)
    await expect(generate(engine, idsOf(4), { mask: () => new Uint32Array(9) })).rejects.toThrow('expected 10 words')
    await expect(generate(engine, idsOf(4), { logitBias: { 320: 1 } })).rejects.toThrow('logit_bias')
    await expect(generate(engine, idsOf(4), { adapter: 'none' })).rejects.toThrow('adapter: expected')
    expect((await generate(engine, idsOf(4))).tokenIds).toHaveLength(12)
    expect(engine.load).toMatchObject({ usedBlocks: 0, running: 0, waiting: 0 })
  })
})

describe('prompt look-up', () => {
  it('changes no token, no number and no end, greedy or drawn, alone or beside others', async () => {
    const loop = idsOf(7, 1)
    const prompts = [
      [...loop, ...loop, ...loop],
      idsOf(30, 2),
      [...idsOf(5), ...loop, ...idsOf(5), ...loop.slice(0, 4)],
    ]
    const requests = prompts.flatMap((ids, i) =>
      [0, 0.3, 1].map((temperature) => ({
        ids,
        temperature,
        seed: i,
        maxNewTokens: 40,
        frequencyPenalty: i === 1 ? 0.5 : 0,
        stopTokenIds: [loop[6]! + 1],
        topLogprobs: 2,
      })),
    )
    const plain: Generation[] = []
    for (const request of requests) plain.push(await collect(fresh().generate(request)))
    const guessed = await engine.generateAll(requests.map((request, i) => ({ ...request, promptLookup: 1 + (i % 6) })))
    for (const [i, { tokenIds, text, logprobs, finishReason }] of plain.entries())
      expect(guessed[i]).toMatchObject({ tokenIds, text, logprobs, finishReason })
    expect(guessed.reduce((sum, { usage }) => sum + usage.acceptedDraftTokens!, 0)).toBeGreaterThan(0)
    for (const { usage } of guessed) expect(usage.acceptedDraftTokens!).toBeLessThanOrEqual(usage.draftTokens!)
    expect(plain[0]!.usage).not.toHaveProperty('draftTokens')
  })

  it('guesses right where a text repeats itself', async () => {
    // Greedy decoding of random weights soon goes round in a circle.
    const { usage } = await generate(fresh(), idsOf(6), { promptLookup: 8, maxNewTokens: 200, ignoreEos: true })
    expect(usage.acceptedDraftTokens!).toBeGreaterThan(60)
  })
})

describe('a session', () => {
  it('forks and takes back without reading again, and says what it would say afresh', async () => {
    const session = new LmSession(engine, { prompt: 'A text of more than one block of the cache, to begin with. ' })
    const before = session.length
    await collect(session.generate({ maxNewTokens: 20, temperature: 1, seed: 1 }))
    const branch = session.fork()
    branch.append(' Then')
    const { usage, tokenIds } = await collect(branch.generate({ maxNewTokens: 8 }))
    expect(usage.cachedTokens!).toBeGreaterThan(before)
    expect(usage.cachedTokens!).toBeLessThan(usage.promptTokens)
    const afresh = await generate(fresh(), branch.ids.slice(0, -tokenIds.length), { maxNewTokens: 8 })
    expect(afresh.tokenIds).toEqual(tokenIds)
    expect(afresh.usage.cachedTokens).toBe(0)
    session.rollback(before)
    expect(session.length).toBe(before)
  })

  it('scores a continuation, which it does not keep', async () => {
    const session = new LmSession(engine, { ids: idsOf(20) })
    const scores = await session.score(idsOf(5, 1))
    const [whole] = await fresh().score([[...idsOf(20), ...idsOf(5, 1)]])
    expect(scores).toEqual(whole!.slice(20))
    expect(session.length).toBe(20)
  })

  it('puts a text behind another without a start token', () => {
    const session = new LmSession(engine, { prompt: 'ab' })
    session.append('c')
    expect(session.ids).toEqual(engine.encode({ prompt: 'abc' }))
  })

  it('shares blocks with those of its salt only', async () => {
    const lm = fresh()
    const ids = idsOf(50)
    const cached = async (cacheSalt: string) => (await generate(lm, ids, { cacheSalt })).usage.cachedTokens!
    expect(await cached('a')).toBe(0)
    expect(await cached('b')).toBe(0)
    expect(await cached('a')).toBeGreaterThan(0)
  })
})

describe('text', () => {
  it('is made of the bytes of tokens, and shows control tokens where they are asked for', async () => {
    expect(Array.from(engine.tokenBytes(5 + 0xc3))).toEqual([0xc3])
    const options = { logitBias: { 3: 100 }, maxNewTokens: 2 }
    expect((await generate(engine, idsOf(4), options)).text).toBe('')
    const shown = await generate(engine, idsOf(4), { ...options, skipSpecialTokens: false })
    expect(shown.text).toBe('<|im_start|><|im_start|>')
  })
})

describe('vectors', () => {
  it('are those of the layer, of each text alone', async () => {
    const texts = [idsOf(5), idsOf(17, 1)]
    for (const options of [{}, { layer: 1, pooling: 'mean' as const }, { layer: 0, pooling: 'none' as const }])
      expect(await engine.hidden(texts, options)).toEqual(texts.map((ids) => hiddenStates(model, ids, options)))
    await expect(engine.hidden(texts, { layer: 99 })).rejects.toThrow('layer: expected a whole number from 0 to')
    await expect(engine.hidden([[320]])).rejects.toThrow('sequence 0: expected token ids')
  })

  it('of whole texts have length 1', async () => {
    const [vector] = await engine.embed([{ prompt: 'Hello' }])
    expect(Math.hypot(...vector!)).toBeCloseTo(1, 6)
    expect(vector).toEqual(hiddenStates(model, engine.encode({ prompt: 'Hello' }), { normalize: true }))
  })
})

describe('an engine that is asked for what cannot be', () => {
  it('refuses counts with which nothing could ever run', () => {
    for (const batchSize of [0, -1, 1.5, Number.NaN])
      expect(() => new Engine({ model, batchSize })).toThrow(`batchSize: expected a whole number ≥ 1, got ${batchSize}`)
    for (const cacheTokens of [0, 15, -5, Number.NaN])
      expect(() => new Engine({ model, cacheTokens })).toThrow(
        `cacheTokens: expected a whole number ≥ 16, got ${cacheTokens}`,
      )
    expect(() => new Engine({ model, cacheTokens: 16, prefix: idsOf(15) })).toThrow(
      'cacheTokens: expected a whole number ≥ 32',
    )
    expect(new Engine({ model, cacheTokens: 16, batchSize: 1 }).contextLength).toBe(16)
  })

  it('says that it was freed', async () => {
    const other = new Engine({ model: loadDecoder(directory), tokenizer })
    await generate(other, idsOf(3))
    other.free()
    const freed = 'engine: expected one that is not freed'
    await expect(generate(other, idsOf(3))).rejects.toThrow(freed)
    await expect(other.score([idsOf(3)])).rejects.toThrow(freed)
    await expect(other.hidden([idsOf(3)])).rejects.toThrow(freed)
  })

  it('ends the other texts of generateAll where one fails', async () => {
    const lm = fresh()
    const mask = (made: readonly number[]): null => {
      if (made.length < 2) return null
      throw new Error('no more')
    }
    await expect(
      lm.generateAll([
        { ids: idsOf(5), maxNewTokens: 100, ignoreEos: true },
        { ids: idsOf(6), maxNewTokens: 100, mask },
      ]),
    ).rejects.toThrow('no more')
    expect(lm.load).toMatchObject({ usedBlocks: 0, waiting: 0, running: 0 })
    expect((await generate(lm, idsOf(5))).tokenIds).toEqual((await generate(fresh(), idsOf(5))).tokenIds)
  })
})
