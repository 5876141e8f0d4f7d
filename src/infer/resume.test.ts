// Texts that go on from where they were cut, and tokens that are refused, end to end on a tiny model.
import { afterAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { collect, type GenerateOptions } from '../lm/lm.ts'
import { NoTokenError } from '../lm/no-token-error.ts'
import { hasToken, tokenBits } from '../lm/token-mask.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { Engine } from './engine.ts'

const { directory, remove } = await tinyModelDirectory()
const model = loadDecoder(directory)
const engine = new Engine({ model, tokenizer: await Tokenizer.fromDirectory(directory) })
afterAll(() => {
  engine.free()
  remove()
})
const ids = Array.from({ length: 21 }, (_, i) => 5 + ((i * 37) % 256))
const generate = (options: GenerateOptions) => collect(engine.generate({ ids, maxNewTokens: 30, ...options }))
const even = tokenBits(
  Array.from({ length: 160 }, (_, i) => 2 * i),
  320,
)

describe('a text that was cut', () => {
  it.each<[string, GenerateOptions]>([
    ['greedy', { temperature: 0 }],
    ['drawn', { temperature: 1.3, seed: 3 }],
    [
      'with penalties, a mask and guesses',
      { temperature: 1, seed: 5, frequencyPenalty: 1, repetitionPenalty: 1.2, mask: () => even, promptLookup: 4 },
    ],
    ['of a structure', { temperature: 1, seed: 7, structure: { regex: '[a-f]{3}( [0-9]{2,4}){3}!' } }],
    ['with the log-probabilities', { temperature: 1, seed: 9, topLogprobs: 2 }],
    ['with the least number of tokens', { temperature: 1, seed: 2, minTokens: 20 }],
  ])('goes on as it would have: %s', async (_, options) => {
    const whole = await generate(options)
    for (const cut of [1, 7, whole.tokenIds.length - 1]) {
      const resumeIds = whole.tokenIds.slice(0, cut)
      const rest = await generate({ ...options, resumeIds })
      expect(rest.tokenIds).toEqual(whole.tokenIds.slice(cut))
      expect(rest.logprobs).toEqual(whole.logprobs?.slice(cut))
      expect(rest.finishReason).toBe(whole.finishReason)
      expect(whole.text.endsWith(rest.text)).toBe(true)
      const { promptTokens, completionTokens } = rest.usage
      expect([promptTokens, completionTokens]).toEqual([ids.length + cut, whole.tokenIds.length - cut])
    }
  })
  it('is refused where it is over, or longer than it may be', async () => {
    const { tokenIds } = await generate({ temperature: 0, maxNewTokens: 4 })
    await expect(generate({ resumeIds: tokenIds, maxNewTokens: 4 })).rejects.toThrow(/^resumeIds: .* over/)
    await expect(generate({ resumeIds: tokenIds, stopTokenIds: [tokenIds[2]!] })).rejects.toThrow(/^resumeIds/)
    await expect(generate({ resumeIds: tokenIds, promptLogprobs: true })).rejects.toThrow(/^promptLogprobs/)
    await expect(generate({ resumeIds: [999] })).rejects.toThrow(/999/)
  })
})

describe('tokens that are refused', () => {
  it('are as if a mask had left them out: greedy to the id, with forced and guessed tokens', async () => {
    const accept = (id: number): boolean => hasToken(even, id)
    for (const promptLookup of [0, 4]) {
      const masked = await generate({ temperature: 0, mask: () => even, promptLookup })
      const refused = await generate({ temperature: 0, accept, promptLookup })
      expect(refused.tokenIds).toEqual(masked.tokenIds)
      expect(refused.usage.refusedTokens).toBeGreaterThan(0)
      expect(refused.usage.completionTokens).toBe(masked.usage.completionTokens)
    }
    const drawn = { temperature: 1.5, seed: 4, accept }
    const alone = await generate(drawn)
    expect(alone.tokenIds.every((id) => id % 2 === 0)).toBe(true)
    const beside = await engine.generateAll([0, 1, 2].map(() => ({ ids, maxNewTokens: 30, ...drawn })))
    for (const one of beside) expect(one.tokenIds).toEqual(alone.tokenIds)
  })
  it('end the text alone where none is left, or where the function throws', async () => {
    const [none, thrown, other] = await Promise.allSettled([
      generate({ accept: (_, made) => made.length < 3 }),
      generate({
        accept: () => {
          throw new RangeError('mine')
        },
      }),
      generate({ temperature: 0 }),
    ])
    expect((none as PromiseRejectedResult).reason).toBeInstanceOf(NoTokenError)
    expect((thrown as PromiseRejectedResult).reason).toEqual(new RangeError('mine'))
    expect(other.status).toBe('fulfilled')
    await expect(generate({ accept: true as never })).rejects.toThrow(/^accept/)
  })
})
