import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { localModel } from '../base/local-model.ts'
import { trace } from '../base/trace.ts'
import { prompt } from '../data/prompt.ts'
import { splitText } from '../data/split-text.ts'
import { mapReduce } from './map-reduce.ts'

describe('splitText', () => {
  it('gives parts that fit, and that are the text put together', () => {
    const words = fc.array(fc.constantFrom('word ', 'Ende. ', 'næste\n', '\n\n', '# Titel\n', '😀', 'x'), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(words, fc.integer({ min: 2, max: 40 }), fc.integer({ min: 0, max: 10 }), (pieces, size, asked) => {
        const text = pieces.join('')
        const overlap = Math.min(asked, size - 2)
        const parts = splitText(text, { size, overlap })
        for (const part of parts) {
          expect(part.text).toBe(text.slice(part.start, part.end))
          expect(part.text.length).toBeLessThanOrEqual(size)
          expect(part.text.isWellFormed()).toBe(true)
        }
        for (const [i, part] of parts.slice(1).entries()) {
          expect(part.start).toBeLessThanOrEqual(parts[i]!.end)
          expect(parts[i]!.end - part.start).toBeLessThanOrEqual(overlap)
          expect(part.start).toBeGreaterThan(parts[i]!.start)
        }
        expect([parts[0]?.start ?? 0, parts.at(-1)?.end ?? 0]).toEqual([0, text.length])
      }),
    )
  })
  it('cuts where a reader would pause', () => {
    const cut = (text: string, size: number) => splitText(text, { size }).map((part) => part.text)
    expect(cut('One two. Three four. Five six.', 22)).toEqual(['One two. Three four. ', 'Five six.'])
    expect(cut('A first.\n\nA second, longer.', 20)).toEqual(['A first.\n\n', 'A second, longer.'])
    expect(cut('intro text\n# One\nbody', 19)).toEqual(['intro text\n', '# One\nbody'])
    expect(cut('abcdefgh', 3)).toEqual(['abc', 'def', 'gh'])
  })
  it('counts by what it is given, and has ends in common', () => {
    const measure = (text: string) => text.split(' ').filter(Boolean).length
    const parts = splitText('a b c d e f g', { size: 3, overlap: 1, measure, at: ['word'] })
    expect(parts.map(({ text }) => text.trim())).toEqual(['a b c', 'c d e', 'e f g'])
  })
  it('refuses sizes that nothing fits', () => {
    expect(() => splitText('x', { size: 0 })).toThrow(UsageError)
    expect(() => splitText('x', { size: 5, overlap: 5 })).toThrow(UsageError)
    expect(() => splitText('x', { size: 1, measure: () => 9 })).toThrow(UsageError)
  })
})

describe('mapReduce', () => {
  it('finds a needle in a text of twenty contexts', async () => {
    const filler = 'Nothing of interest happens in this sentence. '
    const haystack = `${filler.repeat(180)}The needle is blue. ${filler.repeat(40)}`
    const reply = (request: unknown): string => {
      const text = String((request as { messages: { content: unknown }[] }).messages[0]!.content)
      return /needle is (\w+)/.exec(text)?.[1] ?? 'NONE'
    }
    const lm = fakeLm({ reply, contextLength: 500 })
    const model = localModel(lm)
    const count = (text: string) => lm.encode({ prompt: text }).length
    expect(count(haystack)).toBeGreaterThan(20 * lm.contextLength)
    await expect(model.ask(haystack)).rejects.toThrow()
    const parts = splitText(haystack, { size: 350, overlap: 60, measure: count }).map(({ text }) => text)
    const { value, calls } = await trace(() =>
      mapReduce(parts, {
        model,
        map: (part) => prompt`Quote it or say NONE.\n${part}`,
        keep: (note) => note !== 'NONE',
        reduce: (notes) => prompt`What colour? ${notes.map((note) => `needle is ${note}`)}`,
      }),
    )
    expect(value).toBe('blue')
    expect(calls.length).toBe(parts.length + 1)
  })
  it('reduces many notes in groups', async () => {
    const asked: string[] = []
    const lm = fakeLm({
      reply: (request) => {
        const text = String((request as unknown as { messages: { content: unknown }[] }).messages[0]!.content)
        asked.push(text)
        return text.startsWith('sum')
          ? String(
              text
                .split(' ')
                .slice(1)
                .map(Number)
                .reduce((a, b) => a + b, 0),
            )
          : text
      },
    })
    const value = await mapReduce(['1', '2', '3', '4', '5'], {
      model: localModel(lm),
      map: (part) => part,
      reduce: (notes) => `sum ${notes.join(' ')}`,
      group: 2,
    })
    expect(value).toBe('15')
    expect(asked.slice(5)).toEqual(['sum 1 2', 'sum 3 4', 'sum 3 7', 'sum 10 5'])
  })
})
