import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { badWords } from './bad-words.ts'
import { fakeLm } from './fake-lm.ts'
import { collect, type Lm } from './lm.ts'
import { hasToken, joinMasks, tokenBits } from './token-mask.ts'

const { tokenizer: json } = JSON.parse(
  readFileSync(new URL('../../test/fixtures/text/tokenizer-qwen2.json', import.meta.url), 'utf8'),
) as { tokenizer: unknown }
const qwen = Tokenizer.fromJson(json)
const idsOf = (text: string): number[] => [...qwen.encode(text, { addSpecialTokens: false })]
const lm: Pick<Lm, 'encode' | 'vocabSize'> = {
  vocabSize: qwen.vocabSize,
  encode: (prompt) => idsOf((prompt as { prompt: string }).prompt),
}

describe('badWords', () => {
  it('bans the last token of each word, with a space or without, behind its others', () => {
    const mask = badWords(lm, ['Hamlet', ' unaffable', 'the'])
    const bannedAfter = (made: number[]): number[] => {
      const bits = mask(made)
      return bits === null ? [] : [...Array(qwen.vocabSize).keys()].filter((id) => !hasToken(bits, id))
    }
    const single = new Set(
      ['Hamlet', ' Hamlet', 'unaffable', ' unaffable', 'the', ' the']
        .map(idsOf)
        .filter((ids) => ids.length === 1)
        .map(([id]) => id!),
    )
    expect(single.size).toBeGreaterThan(0)
    expect(new Set(bannedAfter([]))).toEqual(single)
    for (const text of ['Hamlet', ' Hamlet', 'unaffable', ' unaffable']) {
      const ids = idsOf(text)
      expect(ids.length).toBeGreaterThan(1)
      expect(new Set(bannedAfter([...idsOf('so'), ...ids.slice(0, -1)]))).toEqual(new Set([...single, ids.at(-1)!]))
      // One of its tokens is another: nothing more is banned.
      expect(new Set(bannedAfter([...ids.slice(0, -2), (ids.at(-2)! + 1) % 300]))).toEqual(single)
    }
  })

  it('leaves the rest of a text as it would be, and stands beside other masks', async () => {
    const fake = fakeLm({ reply: () => 'the cat, a cat', candidates: () => [120, 121] })
    const text = async (mask: ReturnType<typeof badWords>) => (await collect(fake.generate({ prompt: '', mask }))).text
    const banned = badWords(fake, ['cat'])
    expect(await text(banned)).toBe('the cax, a cax')
    const allowed = tokenBits([0, ...Array.from('the cat,y', (letter) => letter.codePointAt(0)!)], fake.vocabSize)
    expect(await text(joinMasks(banned, () => allowed))).toBe('the cay, a cay')
    expect(await text(joinMasks(() => null, badWords(fake, [])))).toBe('the cat, a cat')
    expect(joinMasks(banned)([])).toBeNull()
  })

  it('refuses what is no word', () => {
    for (const wrong of [[''], [' '], [3], 'cat']) expect(() => badWords(lm, wrong as string[])).toThrow(UsageError)
  })
})
