import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { type FewShotOptions, fewShot } from './few-shot.ts'
import { prompt } from './prompt.ts'

const POOL = [
  { input: 'The soup was cold.', output: 'bad' },
  { input: 'A warm and friendly waiter.', output: 'good' },
  { input: 'The soup was hot and good.', output: 'good' },
  { input: 'Never again.', output: 'bad' },
  { input: 'The soup was soup.', output: 'good' },
]
const inputs = async (options: FewShotOptions, asked: string, pool = POOL): Promise<string[]> =>
  (await fewShot(pool, options)(asked)).examples.map(({ input }) => input)

describe('fewShot', () => {
  it('picks the most alike by words, the most alike last', async () => {
    const picked = await inputs({ k: 3 }, 'Was the soup hot?')
    expect(picked.at(-1)).toBe('The soup was hot and good.')
    expect([...picked].sort()).toEqual(['The soup was cold.', 'The soup was hot and good.', 'The soup was soup.'])
    expect((await inputs({ k: 9 }, 'Was the soup hot?')).slice(0, 2)).toEqual([
      'Never again.',
      'A warm and friendly waiter.',
    ])
  })
  it('picks by vectors where it is given some, and asks for those of the list once', async () => {
    let asked = 0
    const embed = async (texts: readonly string[]) => {
      asked += texts.length
      return texts.map((text) => [text.length, 10])
    }
    const pick = fewShot(POOL, { k: 2, embed })
    // Cosines with (12, 10): lengths 12, 18, 18, 26, 27.
    expect((await pick('x'.repeat(12))).examples.map(({ input }) => input).at(-1)).toBe('Never again.')
    await pick('y')
    expect(asked).toBe(POOL.length + 2)
    await expect(fewShot(POOL, { k: 1, embed: async () => [] })('x')).rejects.toThrow(UsageError)
  })
  it('never has the question itself among them', async () => {
    const texts = fc.constantFrom('a b', 'A  b', 'a b ', 'c', 'é', 'é', 'a c', '')
    const pool = fc.array(fc.record({ input: texts, output: fc.constantFrom('x', 'y') }), { maxLength: 8 })
    const by = fc.constantFrom('similar' as const, 'random' as const, 'order' as const)
    await fc.assert(
      fc.asyncProperty(pool, texts, by, fc.nat(8), async (some, asked, how, k) => {
        const key = (text: string) => text.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' ')
        const picked = await inputs({ k, by: how }, asked, some)
        const others = some.filter(({ input }) => key(input) !== key(asked))
        expect(picked.map(key)).not.toContain(key(asked))
        expect(picked.length).toBe(Math.min(k, others.length))
      }),
    )
  })
  it('takes as many of each label, as far as they go', async () => {
    const labels = async (options: FewShotOptions) =>
      (await fewShot(POOL, options)('Was the soup hot?')).examples.map(({ output }) => output).sort()
    expect(await labels({ k: 4, balance: true })).toEqual(['bad', 'bad', 'good', 'good'])
    expect(await labels({ k: 5, balance: true })).toEqual(['bad', 'bad', 'good', 'good', 'good'])
    expect(await labels({ k: 2, by: 'order', balance: true })).toEqual(['bad', 'good'])
    const byLength = {
      k: 2,
      by: 'order',
      balance: ({ input }: { input: string }) => String(input.length > 20),
    } as const
    expect(await inputs(byLength, 'x')).toEqual(['The soup was cold.', 'A warm and friendly waiter.'])
  })
  it('draws the same for the same seed, and all of them as often', async () => {
    const draw = (seed: number) => inputs({ k: 3, by: 'random', seed }, 'x')
    expect(await draw(1)).toEqual(await draw(1))
    const drawn = (await Promise.all(Array.from({ length: 300 }, (_, seed) => draw(seed)))).flat()
    // 300 draws of 3 from 5: 180 each, standard deviation 8.5.
    for (const { input } of POOL) expect(Math.abs(drawn.filter((one) => one === input).length - 180)).toBeLessThan(40)
  })
  it('stands in a template and in a conversation, its texts as values', async () => {
    const shots = await fewShot(POOL, { k: 2, by: 'order' })('Fine.')
    expect(String(prompt`${shots.prompt}\n\nInput: ${'Fine.'}\nOutput:`)).toBe(
      'Input: The soup was cold.\nOutput: bad\n\nInput: A warm and friendly waiter.\nOutput: good\n\nInput: Fine.\nOutput:',
    )
    expect(shots.prompt.parts.filter(({ isValue }) => isValue).map(({ text }) => text)).toContain('bad')
    expect(shots.messages).toEqual([
      { role: 'user', content: 'The soup was cold.' },
      { role: 'assistant', content: 'bad' },
      { role: 'user', content: 'A warm and friendly waiter.' },
      { role: 'assistant', content: 'good' },
    ])
    const odd = [{ input: '{output} $&', output: '{input}' }]
    expect(String((await fewShot(odd, { k: 1, by: 'order', wording: '{input}→{output}' })('x')).prompt)).toBe(
      '{output} $&→{input}',
    )
  })
  it('refuses what it cannot do', async () => {
    for (const wrong of [{ k: -1 }, { k: 1.5 }, { k: 1, by: 'near' }, { k: 1, wording: '{input}' }, { k: 1, n: 2 }])
      expect(() => fewShot(POOL, wrong as unknown as FewShotOptions)).toThrow(UsageError)
    expect(() => fewShot([{ input: 'x' }] as never, { k: 1 })).toThrow(/number 1$/)
    await expect(fewShot(POOL, { k: 1 })(undefined as never)).rejects.toThrow(UsageError)
    expect((await fewShot([], { k: 3 })('x')).examples).toEqual([])
  })
})
