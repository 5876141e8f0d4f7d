import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import type { GenerateOptions, GenerationPiece } from '../lm/lm.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { generationSettings } from './generation-settings.ts'
import { Sequence } from './sequence.ts'

const tokenizer = tinyTokenizer()
const EOS = 2

function start(options: GenerateOptions = {}, prompt: number[] = [1], own: Tokenizer | null = tokenizer) {
  return new Sequence(
    {
      promptIds: prompt,
      contextLength: 100,
      endTokenIds: [EOS],
      tokenizer: own ?? undefined,
      isOwnText: false,
      signal: options.signal,
    },
    generationSettings(options),
  )
}

/** Feeds ids until the sequence ends; the pieces after each. */
function feed(sequence: Sequence, ids: Iterable<number>): GenerationPiece[] {
  const pieces: GenerationPiece[] = []
  for (const id of ids) {
    sequence.accept(id)
    pieces.push(sequence.take()!)
    if (sequence.finishReason !== undefined) break
  }
  return pieces
}

const idsOf = (text: string): number[] => Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
const textsOf = (pieces: GenerationPiece[]): string[] => pieces.map(({ text }) => text)

describe('Sequence', () => {
  it('gives out a character when its last byte is there', () => {
    expect(textsOf(feed(start(), idsOf('é😀')))).toEqual(['', 'é', '', '', '', '😀'])
  })

  it('gives out no half character at the limit', () => {
    const pieces = feed(start({ maxNewTokens: 3 }), idsOf('a😀'))
    expect(textsOf(pieces)).toEqual(['a', '', ''])
    expect(pieces.at(-1)).toMatchObject({
      finishReason: 'length',
      usage: { promptTokens: 1, completionTokens: 3 },
    })
  })

  it('ends at an end token, which gives no text, and gives out what waited', () => {
    const pieces = feed(start({ stop: ['---'] }), [...idsOf('a--'), EOS, ...idsOf('b')])
    expect(textsOf(pieces)).toEqual(['a', '', '', '--'])
    expect(pieces.at(-1)).toMatchObject({ tokenIds: [EOS], finishReason: 'stop' })
  })

  it('ends before a stop string whose bytes come in several tokens', () => {
    const pieces = feed(start({ stop: ['→b'] }), idsOf('a→a→b c'))
    expect(textsOf(pieces).join('')).toBe('a→a')
    expect(pieces.at(-1)!.finishReason).toBe('stop')
    expect(pieces.flatMap(({ tokenIds }) => tokenIds)).toEqual(idsOf('a→a→b'))
  })

  it('ends at a stop token of the request', () => {
    expect(feed(start({ stopTokenIds: [5 + 0x62] }), idsOf('abc')).at(-1)!.finishReason).toBe('stop')
  })

  it('ends where the context is full', () => {
    const pieces = feed(start({ maxNewTokens: 1000 }, new Array<number>(97).fill(1)), idsOf('abcdef'))
    expect(textsOf(pieces)).toEqual(['a', 'b', 'c'])
    expect(pieces.at(-1)!.finishReason).toBe('length')
  })

  it('ends when its signal says so', () => {
    const controller = new AbortController()
    const sequence = start({ signal: controller.signal, stop: ['bc'] })
    feed(sequence, idsOf('ab'))
    sequence.checkSignal()
    expect(sequence.take()).toBeUndefined()
    controller.abort()
    sequence.checkSignal()
    expect(sequence.take()).toMatchObject({ text: 'b', tokenIds: [], finishReason: 'aborted' })
  })

  it('gives ids without text where there is no tokenizer', () => {
    const pieces = feed(start({ maxNewTokens: 2 }, [1], null), [7, 8])
    expect(pieces.map(({ text, tokenIds }) => [text, ...tokenIds])).toEqual([
      ['', 7],
      ['', 8],
    ])
  })

  it('joins to what decoding all ids at once gives, whatever they are', () => {
    const id = fc.integer({ min: 5, max: 260 })
    fc.assert(
      fc.property(fc.array(id, { minLength: 1, maxLength: 40 }), (ids) => {
        // An `a` behind them completes or breaks the last character.
        const all = [...ids, 5 + 0x61]
        const text = textsOf(feed(start({ maxNewTokens: all.length }), all)).join('')
        expect(text).toBe(tokenizer.decode(all))
      }),
    )
  })
})
