import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import { type BpeOptions, type BpeProgress, trainBpe } from './bpe.ts'
import { byteLevelAlphabet } from './stages/byte-level.ts'

// Made by scripts/goldens/text.py with the Rust trainer.
const golden = JSON.parse(
  readFileSync(new URL('../../test/fixtures/text/bpe-training.json', import.meta.url), 'utf8'),
) as {
  text: string
  vocabSize: number
  merges: Record<'gpt-2' | 'llama-bpe', string[]>
}

async function mergesOf(texts: string[], options: Partial<BpeOptions> = {}): Promise<unknown> {
  return (await trainBpe(texts, { vocabSize: 300, ...options })).json.model.merges
}

describe('trainBpe', () => {
  it.each(['gpt-2', 'llama-bpe'] as const)(
    'learns the merges of the Rust trainer, in its order (%s)',
    async (preTokenizer) => {
      const { vocabSize, text, merges } = golden
      const { json, tokenizer } = await trainBpe([text], { vocabSize, specialTokens: ['<|endoftext|>'], preTokenizer })
      expect(json.model.merges).toEqual(merges[preTokenizer])
      expect(tokenizer.vocabSize).toBe(vocabSize)
    },
  )

  it('merges the most frequent pair first, ties by the smaller ids', async () => {
    // Words: "ab" 3×, "cb" 3×, "bc" 2×. Pairs: (a,b) 3, (c,b) 3, (b,c) 2.
    expect(await mergesOf(['ab', 'cb', 'bc', 'ab', 'cb', 'bc', 'ab', 'cb'])).toEqual(['a b', 'c b', 'b c'])
  })

  it('counts overlapping pairs as they stand and updates them', async () => {
    // "aaaa" 2×: (a,a) 6; then aa aa: (aa,aa) 2.
    expect(await mergesOf(['aaaa', 'aaaa'])).toEqual(['a a', 'aa aa'])
  })

  it('leaves pairs alone that are rarer than minFrequency', async () => {
    expect(await mergesOf(['xy'])).toEqual([])
    expect(await mergesOf(['xy'], { minFrequency: 1 })).toEqual(['x y'])
  })

  it('never merges to a control token, however often the corpus spells it', async () => {
    const { tokenizer, json } = await trainBpe(['<s> <s> <s> <s>'], { vocabSize: 300, specialTokens: ['<s>'] })
    expect(json.model.merges).not.toContain('<s >')
    expect([...tokenizer.encode('<s>')]).not.toContain(0)
    expect([...tokenizer.encode('<s>', { allowSpecial: true })]).toEqual([0])
  })

  it('has every byte, so that any text round-trips whatever the corpus', async () => {
    const { tokenizer } = await trainBpe(['abc abc'], { vocabSize: 260, specialTokens: ['<|endoftext|>'] })
    expect(byteLevelAlphabet().every((char) => tokenizer.tokenToId(char) !== undefined)).toBe(true)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const ids = Array.from(bytes, (byte) => tokenizer.tokenToId(byteLevelAlphabet()[byte]!)!)
        expect(ids.flatMap((id) => [...tokenizer.idToBytes(id)])).toEqual([...bytes])
      }),
    )
  })

  it.each(['gpt-2', 'qwen2', 'llama-bpe', 'smollm'] as const)(
    'round-trips with %s and loads from its own JSON',
    async (preTokenizer) => {
      const { tokenizer, json } = await trainBpe([golden.text.slice(0, 5000)], { vocabSize: 400, preTokenizer })
      const text = "We'll see 12345 kings,\n\n  don't  we?"
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      expect(json.model.ignore_merges).toBe(preTokenizer === 'llama-bpe')
    },
  )

  it('gives the same result for any way of handing over the same documents', async () => {
    const documents = golden.text.slice(0, 20_000).split('\n')
    async function* stream(): AsyncGenerator<string> {
      for (const document of documents) yield document
    }
    const options = { vocabSize: 500 }
    const fromStream = await trainBpe(stream(), options)
    expect(fromStream.json).toEqual((await trainBpe(documents, options)).json)
  })

  it('keeps roles and template', async () => {
    const { tokenizer } = await trainBpe(['a'], {
      vocabSize: 300,
      specialTokens: ['<|end|>'],
      roles: { eos: '<|end|>' },
      chatTemplate: 't',
    })
    expect(tokenizer.eosTokenId).toBe(0)
    expect(tokenizer.chatTemplate).toBe('t')
  })

  it('reports progress and stops when asked to', async () => {
    const events: BpeProgress[] = []
    await trainBpe([golden.text], { vocabSize: 800, onProgress: (event) => events.push(event) })
    expect(events[0]).toEqual({ phase: 'count', done: Buffer.byteLength(golden.text) })
    expect(events.at(-1)).toEqual({ phase: 'merge', done: 800, total: 800 })
    const stop = new AbortController()
    const training = trainBpe([golden.text], {
      vocabSize: 800,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(training).rejects.toThrow('enough')
  })

  it.each([
    [{ vocabSize: 255 }, /vocabSize: expected 256/],
    [{ vocabSize: 256, specialTokens: ['<s>'] }, /vocabSize: expected 257/],
    [{ vocabSize: 3e6 }, /vocabSize/],
    [{ vocabSize: 300, minFrequency: 0 }, /minFrequency/],
    [{ vocabSize: 300, specialTokens: ['a'] }, /specialTokens/],
    [{ vocabSize: 300, roles: { eos: '<s>' } }, /roles\.eos/],
    [{ vocabSize: 300, preTokenizer: 'my-own' as 'gpt-2' }, /preTokenizer/],
  ])('refuses %j', async (options, message) => {
    await expect(trainBpe(['a'], options)).rejects.toThrow(ConfigError)
    await expect(trainBpe(['a'], options)).rejects.toThrow(message)
  })
})
