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
    expect(pieces.at(-1)).toMatchObject({ finishReason: 'stop', stop: '→b' })
    expect(pieces.flatMap(({ tokenIds }) => tokenIds)).toEqual(idsOf('a→a→b'))
  })

  it('ends at a stop token of the request', () => {
    const last = feed(start({ stopTokenIds: [5 + 0x62] }), idsOf('abc')).at(-1)
    expect(last).toMatchObject({ finishReason: 'stop', stop: 5 + 0x62 })
  })

  it('says nothing of a stop where the model ended the text, nor at a limit', () => {
    expect(feed(start({ stop: ['x'] }), [...idsOf('a'), EOS]).at(-1)).not.toHaveProperty('stop')
    expect(feed(start({ stop: ['x'], maxNewTokens: 1 }), idsOf('a')).at(-1)).not.toHaveProperty('stop')
    // Asked for by name, it is a stop of the request.
    expect(feed(start({ stopTokenIds: [EOS] }), [EOS]).at(-1)).toMatchObject({ stop: EOS })
  })

  it('goes on behind an end token where it is told to', () => {
    const pieces = feed(start({ ignoreEos: true, maxNewTokens: 4 }), [...idsOf('a'), EOS, ...idsOf('bc')])
    expect([textsOf(pieces).join(''), pieces.at(-1)!.finishReason]).toEqual(['abc', 'length'])
    expect(feed(start({ ignoreEos: true, stopTokenIds: [EOS] }), [EOS]).at(-1)!.finishReason).toBe('stop')
  })

  it('shows control tokens where it is told to, and stops at them as text', () => {
    const ids = [...idsOf('a'), 3, ...idsOf('b')]
    expect(textsOf(feed(start({ maxNewTokens: 3 }), ids))).toEqual(['a', '', 'b'])
    const shown = feed(start({ maxNewTokens: 3, skipSpecialTokens: false }), ids)
    expect(textsOf(shown)).toEqual(['a', '<|im_start|>', 'b'])
    const stopped = feed(start({ skipSpecialTokens: false, stop: ['<|im_start|>'] }), ids)
    expect([textsOf(stopped).join(''), stopped.at(-1)!.stop]).toEqual(['a', '<|im_start|>'])
  })

  it('looks for stop strings in what comes after the least number of tokens only', () => {
    const pieces = feed(start({ minTokens: 2, stop: ['b', 'bc'] }), idsOf('abcab'))
    expect([textsOf(pieces).join(''), pieces.at(-1)!.stop]).toEqual(['abca', 'b'])
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

  it('tells the log-probabilities of what it chose, those of the model alone', () => {
    const sequence = start({ temperature: 0, topLogprobs: 2, logprobTokenIds: [9], logitBias: { 7: 100 } })
    expect(sequence.needsLogits).toBe(true)
    const row = new Float32Array(320)
    row[7] = -1
    row[8] = 2
    sequence.choose(row)
    const [{ id, logprob, top, named } = { id: 0, logprob: 0, top: [] }] = sequence.take()!.logprobs!
    const sum = Math.log(318 + Math.exp(-1) + Math.exp(2))
    expect([id, logprob]).toEqual([7, expect.closeTo(-1 - sum, 6)])
    expect(top.map((entry) => [entry.id, entry.logprob])).toEqual([
      [8, expect.closeTo(2 - sum, 6)],
      [expect.any(Number), expect.closeTo(-sum, 6)],
    ])
    expect(named).toEqual([{ id: 9, logprob: top[1]!.logprob }])
    sequence.accept(5)
    expect(sequence.take()!.tokenIds).toEqual([5])
  })

  it('makes with any guesses the tokens that it makes without, and counts those that were right', () => {
    // What the model says after each token, and by temperature what is drawn from it.
    const rowAfter = (id: number) => Float32Array.from({ length: 12 }, (_, i) => 3 * Math.cos((i - id - 1) * 1.7))
    const guess = fc.array(fc.array(fc.nat(11), { maxLength: 4 }), { minLength: 30, maxLength: 30 })
    fc.assert(
      fc.property(fc.constantFrom(0, 0.7), fc.nat(), guess, (temperature, seed, drafts) => {
        const options = { temperature, seed, maxNewTokens: 20, stopTokenIds: [11], frequencyPenalty: 0.5, minTokens: 3 }
        const alone = start(options, [1], null)
        while (alone.finishReason === undefined) alone.choose(rowAfter(Math.max(0, alone.lastId)))
        const guessing = start({ ...options, promptLookup: 4 }, [1], null)
        let right = 0
        for (const draft of drafts) {
          if (guessing.finishReason !== undefined) break
          const fed = [Math.max(0, guessing.lastId), ...draft]
          const made = guessing.follow(draft, (row) => guessing.choose(rowAfter(fed[row]!)))
          expect(made).toBeLessThanOrEqual(fed.length)
          right += made - 1
        }
        const { tokenIds, usage } = guessing.take()!
        expect(tokenIds).toEqual(alone.take()!.tokenIds.slice(0, tokenIds.length))
        expect(guessing.finishReason).toBe(alone.finishReason)
        expect(usage!.acceptedDraftTokens).toBe(right)
        expect(usage!.draftTokens).toBeGreaterThanOrEqual(right)
      }),
    )
  })

  it('guesses fewer tokens while guesses go wrong, and more again while they come true', () => {
    const sequence = start({ promptLookup: 8, maxNewTokens: 90 }, idsOf('abababababab'))
    const [a = 0, b = 0] = idsOf('ab')
    const lengths: number[] = []
    /** Makes `right` of the guesses, and behind them an `a`, or a `b` where a guess goes wrong. */
    const step = (right: number): void => {
      const draft = sequence.draft()
      lengths.push(draft.length)
      sequence.follow(draft, (row) =>
        sequence.accept(row < right ? draft[row]! : row < draft.length ? (draft[row]! === a ? b : a) : a),
      )
    }
    for (const right of [8, 0, 0, 0, 0, 1, 1]) step(right)
    expect(lengths).toEqual([8, 8, 4, 2, 1, 1, 4])
    step(0)
    expect(lengths.at(-1)).toBe(2) // one of four was right: half of four
  })

  it('guesses from prompt and continuation, never beyond its limit', () => {
    const sequence = start({ promptLookup: 5, maxNewTokens: 6 }, idsOf('abcdefab'))
    expect(sequence.draft()).toEqual(idsOf('cdefa'))
    for (const id of idsOf('cd')) sequence.accept(id)
    expect(sequence.draft()).toEqual(idsOf('efa'))
    for (const id of idsOf('xyz')) sequence.accept(id)
    expect(sequence.draft()).toEqual([])
    expect(start({}, idsOf('aaaa')).draft()).toEqual([])
  })
})
