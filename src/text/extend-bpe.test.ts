import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { trainBpe } from './bpe.ts'
import { extendBpe } from './extend-bpe.ts'
import { plainAddedToken } from './stages/added-tokens.ts'
import { Tokenizer } from './tokenizer.ts'

const DANISH = ['Rødgrød med fløde.', 'Jeg kan godt lide rødgrød.', 'Han spiser rødgrød med fløde hver dag.']
const ENGLISH = ['The porridge with cream.', 'I like the porridge.', 'He eats the porridge with cream every day.']
const ids = (tokenizer: Tokenizer, text: string): number[] => [...tokenizer.encode(text, { addSpecialTokens: false })]

/** As Llama 2's: no pre-tokenizer, `▁` for spaces, bytes for letters that are not there. Letters are those of `letters`. */
function spaced(letters: string): Tokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', ...letters, 'th', 'the', '▁the']
  return Tokenizer.fromJson(
    {
      added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => plainAddedToken(id, content)),
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        fuse_unk: true,
        byte_fallback: true,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: [
          ['t', 'h'],
          ['th', 'e'],
          ['▁', 'the'],
        ],
      },
    },
    { roles: { bos: '<s>', eos: '</s>', unk: '<unk>' } },
  )
}

describe('an extended BPE', () => {
  it('has the pairs that come most often behind the old ids, made of old pieces', async () => {
    // The commonest pair is (a, b); then (space, ab) and (ab, ab) come three times each, and the smaller ids win.
    const { tokenizer, added } = await extendBpe(tinyTokenizer(), [' abab abab abab x'], { newTokens: 3 })
    const byte = (char: string): number => 5 + char.charCodeAt(0)
    expect(added).toEqual([
      { id: 261, token: 'ab', pieces: [byte('a'), byte('b')] },
      { id: 262, token: 'Ġab', pieces: [byte(' '), byte('a'), byte('b')] },
      { id: 263, token: 'Ġabab', pieces: [byte(' '), byte('a'), byte('b'), byte('a'), byte('b')] },
    ])
    expect(tokenizer.vocabSize).toBe(264)
    expect(ids(tokenizer, ' abab ab')).toEqual([263, 262])
    // Roles stay.
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId]).toEqual([1, 2])
  })

  it('cuts every text as before, with runs of old tokens in new ones', async () => {
    const { tokenizer: old } = await trainBpe(ENGLISH, { vocabSize: 290, specialTokens: ['<|endoftext|>'] })
    for (const base of [old, spaced('abcdefghijklmnopqrstuvwxyzHTIJR.')]) {
      const { tokenizer, added } = await extendBpe(base, DANISH, { newTokens: 40 })
      expect(added.length).toBeGreaterThan(10)
      const pieces = new Map(added.map((each) => [each.id, each.pieces]))
      const letters = fc.stringMatching(/^[adefgørl .,3æ€]{0,40}$/)
      fc.assert(
        fc.property(fc.oneof(letters, fc.string(), fc.constantFrom(...DANISH, ...ENGLISH)), (text) => {
          const now = ids(tokenizer, text)
          expect(now.flatMap((id) => pieces.get(id) ?? [id])).toEqual(ids(base, text))
          expect(tokenizer.decode(now)).toBe(base.decode(ids(base, text)))
        }),
      )
      expect(ids(tokenizer, DANISH[0]!).length).toBeLessThan(ids(base, DANISH[0]!).length)
    }
  })

  it('makes tokens of letters that were bytes, and joins letters alone where nothing keeps words apart', async () => {
    const base = spaced('abcdefghijklmnopqrstuvwxyzHTIJR.0123')
    const { tokenizer, added } = await extendBpe(base, [...DANISH, '10, 10, 10. 10.'], { newTokens: 60 })
    expect(added[0]).toEqual({ id: base.vocabSize, token: 'ø', pieces: [0xc3 + 3, 0xb8 + 3] })
    expect(added.map(({ token }) => token)).toContain('▁rødgrød')
    expect(added.filter(({ token }) => !/^▁?\p{L}+$/u.test(token))).toEqual([])
    expect(tokenizer.decode(ids(tokenizer, 'rødgrød'))).toBe('rødgrød')
  })

  it('gives added tokens their ids in the vocabulary, where other readers would number them behind the new ones', async () => {
    const json = structuredClone(tinyTokenizer().toJson())
    const vocab = json.model.vocab as Record<string, number>
    delete vocab['<|im_start|>']
    const { tokenizer } = await extendBpe(Tokenizer.fromJson(json), DANISH, { newTokens: 5 })
    const after = tokenizer.toJson().model.vocab as Record<string, number>
    expect(after['<|im_start|>']).toBe(3)
    expect(tokenizer.tokenToId('<|im_start|>')).toBe(3)
    expect(vocab['<|im_start|>']).toBeUndefined()
  })

  it('never learns a control token, however often a text spells it', async () => {
    const json = structuredClone(tinyTokenizer().toJson())
    const vocab = json.model.vocab as Record<string, number>
    vocab.stop = 261
    const control = Tokenizer.fromJson({ ...json, added_tokens: [...json.added_tokens, plainAddedToken(261, 'stop')] })
    const { tokenizer } = await extendBpe(control, ['stop stop stop stop'], { newTokens: 50 })
    const merges = tokenizer.toJson().model.merges as string[]
    expect(merges.length).toBeGreaterThan(0)
    // Other readers would take a merge that gives it.
    expect(merges.map((merge) => merge.replace(' ', ''))).not.toContain('stop')
    expect(ids(tokenizer, 'stop')).not.toContain(261)
  })

  it('is the same each time, and writes merges in the form of the file', async () => {
    const [a, b] = await Promise.all([1, 2].map(() => extendBpe(tinyTokenizer(), DANISH, { newTokens: 30 })))
    expect(a!.tokenizer.toJson()).toEqual(b!.tokenizer.toJson())
    const pairs = (await extendBpe(spaced('abdefghlnrst'), DANISH, { newTokens: 20 })).tokenizer.toJson().model.merges
    expect(pairs).toSatisfy((merges: unknown[]) => merges.every(Array.isArray))
  })

  it('refuses what is no BPE, and counts that say nothing', async () => {
    const unigram = Tokenizer.fromJson({
      model: {
        type: 'Unigram',
        unk_id: 0,
        vocab: [
          ['<unk>', 0],
          ['a', -1],
        ],
      },
    })
    await expect(extendBpe(unigram, DANISH, { newTokens: 5 })).rejects.toThrow(
      /tokenizer: expected BPE to extend, got Unigram/,
    )
    await expect(extendBpe(tinyTokenizer(), DANISH, { newTokens: 0 })).rejects.toThrow(
      /newTokens: expected an integer of at least 1, got 0/,
    )
  })
})
