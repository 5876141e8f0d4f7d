// Constraints on a model that computes: what comes keeps to them, is what masks make it, and costs no call for a token that is refused.
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { Engine } from '../src/infer/engine.ts'
import { collect } from '../src/lm/lm.ts'
import { type Constraint, standing } from '../src/prompting/base/constraint.ts'
import { generateWhere } from '../src/prompting/base/eager.ts'
import { openSession } from '../src/prompting/execute/session.ts'
import { where } from '../src/prompting/execute/where.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { tinyModelDirectory } from './tiny-model.ts'

const { directory, remove } = await tinyModelDirectory()
const model = loadDecoder(directory)
const lm = new Engine({ model, tokenizer: await Tokenizer.fromDirectory(directory) })
afterAll(() => {
  lm.free()
  remove()
})
const bare = ({ structure: _, ...one }: Constraint): Constraint => one
const prompts = ['Once', 'The cat', 'x']

describe('where on an engine', () => {
  it('is greedily what the mask makes it', async () => {
    let compared = 0
    for (const one of [
      where.not('e'),
      where.words({ max: 3 }),
      where.characters({ min: 3, max: 9 }),
      where.oneOf(['yes', 'no', 'maybe']),
      where.matches(/[a-z]{2,4} [0-9]+\./),
      where.number({ min: -5, max: 500 }),
    ])
      for (const prompt of prompts) {
        const request = { prompt, maxNewTokens: 16, temperature: 0 }
        const masked = await collect(lm.generate({ ...request, structure: one.structure! }))
        const eager = await generateWhere(lm, request, [bare(one)])
        expect(one.check(eager.text)).toBe('holds')
        // Near the limit a mask leaves what can be ended in time; a check finds out later.
        if (masked.finishReason !== 'stop' || eager.usage.discardedTokens !== 0) continue
        expect(eager.tokenIds).toEqual(masked.tokenIds)
        compared++
      }
    expect(compared).toBeGreaterThan(4)
  })
  it('holds at every temperature, with the same text for the same seed', async () => {
    const all = [where.not(/e|\n/i), where.words({ min: 2, max: 6 }), where.endsWith('.')]
    const drawn = new Set<string>()
    for (const prompt of prompts)
      for (const seed of [1, 2]) {
        const request = { prompt, maxNewTokens: 24, temperature: 1.2, seed, logprobs: true }
        const made = await generateWhere(lm, request, all)
        expect(standing(made.text, all).standing).toBe('holds')
        expect(made.logprobs!.map(({ id }) => id)).toEqual(made.tokenIds)
        const { completionTokens, discardedTokens } = made.usage
        expect(completionTokens - discardedTokens!).toBe(made.tokenIds.length)
        const again = await generateWhere(lm, request, all)
        expect([again.text, again.tokenIds, again.logprobs]).toEqual([made.text, made.tokenIds, made.logprobs])
        drawn.add(made.text)
      }
    expect(drawn.size).toBeGreaterThan(5)
  })
  it('is the text itself where nothing is against it, bit for bit', async () => {
    let compared = 0
    for (let seed = 0; seed < 30; seed++) {
      const request = { prompt: 'Once', maxNewTokens: 3, temperature: 1, seed, logprobs: true }
      const free = await collect(lm.generate(request))
      if (free.text.includes('\ufffd')) continue // bytes that are no text are refused
      const made = await generateWhere(lm, request, [where.test('anything', () => 'holds')])
      if (made.usage.refusedTokens! > 0) continue
      expect([made.tokenIds, made.logprobs, made.text]).toEqual([free.tokenIds, free.logprobs, free.text])
      compared++
    }
    expect(compared).toBeGreaterThan(0)
  })
})

describe('a session on an engine', () => {
  it('reads what its forks share once, and draws what a single one would', async () => {
    const shared = 'a b c d e '.repeat(12)
    const root = openSession(lm, shared)
    await root.ask('', { maxTokens: 1 })
    const forks = root.fork(4)
    const options = { maxTokens: 5, temperature: 1 }
    const texts = await Promise.all(
      forks.map((one, seed) => one.ask(' x', { ...options, seed, where: [where.not('q')] })),
    )
    // A block of the cache has 16 tokens; what is not a whole one is read again.
    for (const { usage } of forks) expect(usage.promptTokens - usage.cachedTokens!).toBeLessThan(16 + 4)
    lm.freeCache()
    const again = await Promise.all(
      root.fork(4).map((one, seed) => one.ask(' x', { ...options, seed, where: [where.not('q')] })),
    )
    expect(again).toEqual(texts)
  })
  it('chooses as the mask of the choice draws, greedily and by shares', async () => {
    const options = ['ab', 'a', 'xyz', 'Once upon']
    const { probabilities } = await openSession(lm, 'The cat').choose(options)
    const sum = Object.values(probabilities).reduce((total, share) => total + share, 0)
    expect(sum).toBeCloseTo(1, 9)
  })
})
