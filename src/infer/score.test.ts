import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { InputError, UsageError } from '../errors.ts'
import { collect } from '../lm/lm.ts'
import { memoryStats } from '../torch/index.ts'
import { Engine } from './engine.ts'
import { planWindows } from './score.ts'

const MODELS = new URL('../../test/fixtures/models/', import.meta.url)

interface Golden {
  input_ids: number[][]
  token_logprobs: number[][]
}

const goldenOf = (name: string): Golden => JSON.parse(readFileSync(new URL(`${name}/expected.json`, MODELS), 'utf8'))

const names = readdirSync(MODELS).filter((name) => existsSync(new URL(`${name}/expected.json`, MODELS)))

/** The largest difference between scores, the first of each row being null. */
function difference(
  scores: readonly (readonly (number | null)[])[],
  expected: readonly (readonly (number | null)[])[],
): number {
  expect(scores.map((row) => row.length)).toEqual(expected.map((row) => row.length))
  const differences = scores.flatMap((row, i) =>
    row.slice(1).map((value, j) => Math.abs(value! - expected[i]![j + 1]!)),
  )
  for (const row of scores) expect(row[0]).toBeNull()
  return Math.max(...differences)
}

describe('planWindows', () => {
  it('takes a text that fits as one window', () => {
    expect(planWindows([1, 2, 8], 8)).toEqual([
      { sequence: 1, begin: 0, end: 2, scoresFrom: 1 },
      { sequence: 2, begin: 0, end: 8, scoresFrom: 1 },
    ])
  })

  it('takes a text of one token more as one window: its last token is not read', () => {
    expect(planWindows([9], 8)).toEqual([{ sequence: 0, begin: 0, end: 9, scoresFrom: 1 }])
    expect(planWindows([9], 8, [8])).toEqual([{ sequence: 0, begin: 0, end: 9, scoresFrom: 8 }])
  })

  it('moves on by half a window and keeps the last one full', () => {
    expect(planWindows([19], 8)).toEqual([
      { sequence: 0, begin: 0, end: 8, scoresFrom: 1 },
      { sequence: 0, begin: 4, end: 12, scoresFrom: 8 },
      { sequence: 0, begin: 8, end: 16, scoresFrom: 12 },
      { sequence: 0, begin: 11, end: 19, scoresFrom: 16 },
    ])
  })

  it('leaves out what comes before the first token that is wanted, and changes no window', () => {
    expect(planWindows([19], 8, [13])).toEqual([
      { sequence: 0, begin: 8, end: 16, scoresFrom: 13 },
      { sequence: 0, begin: 11, end: 19, scoresFrom: 16 },
    ])
    expect(planWindows([19, 5], 8, [12, 5])).toEqual([
      { sequence: 0, begin: 8, end: 16, scoresFrom: 12 },
      { sequence: 0, begin: 11, end: 19, scoresFrom: 16 },
    ])
    expect(planWindows([19], 8, [0])).toEqual(planWindows([19], 8))
  })

  it('scores every token but the first once, with at least half a window before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 2, max: 40 }), (length, window) => {
        const windows = planWindows([length], window)
        const scored = windows.flatMap(({ scoresFrom, end }) =>
          Array.from({ length: end - scoresFrom }, (_, i) => scoresFrom + i),
        )
        expect(scored).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1))
        for (const { begin, end, scoresFrom } of windows) {
          expect(end - begin).toBeLessThanOrEqual(length === window + 1 ? length : window)
          expect(scoresFrom === 1 || scoresFrom - begin >= Math.floor(window / 2)).toBe(true)
        }
      }),
    )
  })
})

describe('score', () => {
  it.each(names)('gives the log-probabilities of Transformers: %s', async (name) => {
    const { input_ids, token_logprobs } = goldenOf(name)
    const engine = new Engine({ model: loadDecoder(new URL(name, MODELS).pathname) })
    const scores = await engine.score(input_ids)
    expect(
      difference(
        scores,
        token_logprobs.map((row) => [null, ...row]),
      ),
    ).toBeLessThan(1e-4)
    engine.free()
  })
})

describe('score of many texts', async () => {
  const engine = new Engine({ model: loadDecoder(new URL('llama', MODELS).pathname) })
  afterAll(() => engine.free())
  const ids = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => (i * 37 + from * 11) % 320)

  it('gives each text what it gets alone', async () => {
    const texts = [ids(50), ids(1, 1), ids(7, 2), ids(300, 3), ids(2, 4)]
    const alone = (await Promise.all(texts.map((text) => engine.score([text])))).map(([row]) => row!)
    const together = await engine.score(texts)
    expect(together[1]).toEqual([null])
    expect(difference(together, alone)).toBeLessThan(1e-5)
  })

  it('reads a long text in windows: each token as in its window alone', async () => {
    const text = ids(100)
    const [row] = await engine.score([text], { window: 32 })
    // Tokens 32 … 47 are scored by the window that ends at 48.
    const [window] = await engine.score([text.slice(16, 48)])
    expect(difference([[null, ...row!.slice(32, 48)]], [[null, ...window!.slice(16)]])).toBeLessThan(1e-5)
    const [first] = await engine.score([text.slice(0, 32)])
    expect(difference([row!.slice(0, 32)], [first!])).toBeLessThan(1e-5)
  })

  it('reads a context of tokens and tells of the one behind it', async () => {
    const text = ids(513)
    const [row] = await engine.score([text])
    const [begin] = await engine.score([text.slice(0, 512)])
    expect(row).toHaveLength(513)
    expect(row!.slice(0, 512)).toEqual(begin)
    expect(row![512]).toBeLessThan(0)
  })

  it('reads beyond the context in windows of it', async () => {
    const [row] = await engine.score([ids(1100)])
    expect(row!.slice(1).every((value) => value !== null && value < 0)).toBe(true)
  })

  it('reports progress and stops at its signal', async () => {
    const done: [number, number][] = []
    await engine.score([ids(1100)], { onProgress: (...progress) => done.push(progress) })
    // Nothing comes before the first token, and windows overlap: each of the others counts once.
    expect(done.at(-1)).toEqual([1099, 1099])
    expect(done.map(([count]) => count)).toEqual(done.map(([count]) => count).sort((a, b) => a - b))
    const controller = new AbortController()
    const running = engine.score([ids(3000)], { signal: controller.signal, onProgress: () => controller.abort() })
    await expect(running).rejects.toThrow('abort')
  })

  it('tells each number once where blocks run out beside a text that is written', async () => {
    // 13 + 19 of 32 blocks are taken; the text that is written soon needs another one, and takes it from the one that is read.
    const small = new Engine({ model: engine.model, cacheTokens: 512 })
    const texts = [ids(300, 5), ids(40, 6)]
    const alone = await engine.score(texts)
    const writing = collect(small.generate({ ids: ids(206, 7), maxNewTokens: 40, ignoreEos: true }))
    while (small.load.running === 0) await setImmediate()
    const done: number[] = []
    const beside = await small.score(texts, { onProgress: (count) => done.push(count) })
    expect(beside).toEqual(alone)
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b))
    expect(done.at(-1)).toBe(299 + 39)
    await writing
    small.freeCache()
  })

  it('leaves no tensor alive', async () => {
    await engine.score([ids(20)])
    const before = memoryStats().liveTensors
    for (let i = 0; i < 5; i++) await engine.score([ids(20), ids(600, i)])
    expect(memoryStats().liveTensors).toBe(before)
  })

  it.each([
    [[[]], {}, InputError, 'sequence 0: expected at least one token'],
    [[[1], [1, 320]], {}, InputError, 'sequence 1: expected token ids from 0 to 319, got 320 at 1'],
    [[[1.5]], {}, InputError, 'got 1.5 at 0'],
    [[[-1]], {}, InputError, 'got -1 at 0'],
    [[[1, 2]], { window: 1 }, UsageError, 'window: expected a whole number from 2 to 512, got 1'],
    [[[1, 2]], { window: 513 }, UsageError, 'window'],
    [[[1, 2]], { from: [] }, UsageError, 'from: expected a whole number ≥ 0 for each of 1 sequences, got []'],
    [[[1, 2]], { from: [-1] }, UsageError, 'from'],
  ])('refuses %j with %j', async (sequences, options, kind, message) => {
    const scoring = engine.score(sequences, options)
    await expect(scoring).rejects.toThrow(kind)
    await expect(scoring).rejects.toThrow(message)
  })
})
