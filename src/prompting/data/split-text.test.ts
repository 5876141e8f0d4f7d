import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { headingsOf } from './pauses.ts'
import { type SplitOptions, splitText } from './split-text.ts'

const cut = (text: string, options: number | SplitOptions): string[] =>
  splitText(text, typeof options === 'number' ? { size: options } : options).map((part) => part.text)

/** Not more for longer texts, as tokens are: two characters that stand together count as one. */
const pairs = (text: string): number => text.replaceAll(/ab|cd|er|. /gsu, '1').length

const pieces = fc.array(
  fc.oneof(
    fc.constantFrom(
      'word ',
      'Ende. ',
      'næste\n',
      '\n\n',
      '# Titel\n',
      '```\n',
      '😀',
      '👩‍👩‍👧',
      'é',
      'x',
      'ab',
      '。',
      '天青色',
      '\r\n',
      '    ',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  ),
  { maxLength: 60 },
)

describe('splitText', () => {
  it.each([
    ['characters', undefined],
    ['a measure like tokens', pairs],
    ['words', (text: string) => text.split(/\s+/).filter(Boolean).length],
  ])('gives parts that fit, and that are the text put together (%s)', (_, measure) => {
    const count = measure ?? ((text: string) => text.length)
    fc.assert(
      fc.property(pieces, fc.integer({ min: 2, max: 40 }), fc.integer({ min: 0, max: 39 }), (some, size, asked) => {
        const text = some.join('')
        const overlap = Math.min(asked, size - 1)
        const parts = splitText(text, { size, overlap, ...(measure && { measure }) })
        for (const part of parts) {
          expect(part.text).toBe(text.slice(part.start, part.end))
          expect(count(part.text)).toBeLessThanOrEqual(size)
          if (text.isWellFormed()) expect(part.text.isWellFormed()).toBe(true)
        }
        for (const [i, part] of parts.slice(1).entries()) {
          const before = parts[i]!
          expect(part.start).toBeGreaterThan(before.start)
          expect(part.start).toBeLessThanOrEqual(before.end)
          expect(part.end).toBeGreaterThan(before.end)
          expect(count(text.slice(part.start, before.end))).toBeLessThanOrEqual(overlap)
        }
        expect([parts[0]?.start ?? 0, parts.at(-1)?.end ?? 0]).toEqual([0, text.length])
      }),
      { numRuns: 300 },
    )
  })
  it('cuts no character in half that fits', () => {
    const characters = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment('a👩‍👩‍👧b🇩🇰é\r\n각')].map(
      ({ segment }) => segment,
    )
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...characters), { maxLength: 60 }),
        fc.integer({ min: 8, max: 30 }),
        (some, size) => {
          const text = some.join('')
          const whole = new Set(
            [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)].map(({ index }) => index),
          )
          for (const { start, end } of splitText(text, { size, overlap: 4, at: [] })) {
            expect(whole.has(start)).toBe(true)
            expect(end === text.length || whole.has(end)).toBe(true)
          }
        },
      ),
    )
  })
  it('cuts where a reader would pause', () => {
    expect(cut('One two. Three four. Five six.', 22)).toEqual(['One two. Three four. ', 'Five six.'])
    expect(cut('A first.\n\nA second, longer.', 20)).toEqual(['A first.\n\n', 'A second, longer.'])
    expect(cut('intro text\n# One\nbody', 19)).toEqual(['intro text\n', '# One\nbody'])
    expect(cut('Intro, a line.\n# One\n\n## Two\n\nbody', 25)).toEqual(['Intro, a line.\n', '# One\n\n## Two\n\nbody'])
    expect(cut('abcdefgh', 3)).toEqual(['abc', 'def', 'gh'])
  })
  it('leaves no heading alone at the end of a part', () => {
    const text = `Intro.\n## Title\n${'word '.repeat(12)}`
    expect(cut(text, 40)[0]).toBe('Intro.\n## Title\nword word word word word')
  })
  it('does not trust that a shorter text has fewer tokens', () => {
    const measure = (text: string): number => text.length + (text.endsWith(' ') ? 5 : 0)
    expect(cut('xxxx bcdefgh', { size: 8, measure, at: ['word'] })).toEqual(['xxxx bcd', 'efgh'])
  })
  it('counts by what it is given, and has ends in common', () => {
    const measure = (text: string) => text.split(' ').filter(Boolean).length
    const parts = splitText('a b c d e f g', { size: 3, overlap: 1, measure, at: ['word'] })
    expect(parts.map(({ text }) => text.trim())).toEqual(['a b c', 'c d e', 'e f g'])
  })
  it('measures a long text a few times only', () => {
    let measured = 0
    const measure = (text: string): number => {
      measured += text.length
      return Math.ceil(text.length / 4)
    }
    const text = 'Some words of a text. And then more of them, a line long.\n'.repeat(20_000)
    const parts = splitText(text, { size: 500, overlap: 50, measure })
    expect(parts.length).toBeLessThan(1.25 * (text.length / (4 * 450)))
    expect(measured).toBeLessThan(6 * text.length)
    expect(cut('x'.repeat(300_000), { size: 500, measure }).length).toBeLessThanOrEqual(155)
  })
  it('refuses sizes that nothing fits', () => {
    for (const wrong of [
      { size: 0 },
      { size: Number.NaN },
      { size: 5, overlap: 5 },
      { size: 5, overlap: -1 },
      { size: 1, measure: () => 9 },
      { size: 1, measure: () => Number.NaN },
      { size: 5, chunkSize: 5 },
      { size: 5, at: ['verse'] },
    ])
      expect(() => splitText('x y', wrong as unknown as SplitOptions)).toThrow(UsageError)
    expect(() => splitText('😀', { size: 1 })).toThrow('size: expected room for a character at 0 of the text, got 1')
  })
})

// What people told of other splitters.
describe('splitText, where others have failed', () => {
  it('keeps an overlap where nothing can be cut at (haystack 11767), and one of commas (langchain 8142)', () => {
    expect(cut('abcdefghij', { size: 5, overlap: 2, at: ['paragraph'] })).toEqual(['abcde', 'defgh', 'ghij'])
    expect(cut('123,456', { size: 2, overlap: 1, at: [] })).toEqual(['12', '23', '3,', ',4', '45', '56'])
  })
  it('gives no part that is too large (langchain 6958)', () => {
    const table = `| ${'a'.repeat(90)} | ${'-'.repeat(120)} |\n`.repeat(9)
    for (const part of cut(table, { size: 50, overlap: 10 })) expect(part.length).toBeLessThanOrEqual(50)
  })
  it('ends on a table that is all bars and spaces (llama_index 7287), and on short sentences (graphbit 147)', () => {
    const table = `## March\n\n| ${'Training'.padEnd(118)} | ${'-'.repeat(118)} |\n`.repeat(5)
    expect(cut(table, 64).join('')).toBe(table)
    expect(cut('My name is Chunky. And this is a sentence.', { size: 10, overlap: 1 }).length).toBeLessThan(20)
  })
  it('leaves a full stop with its sentence, also a Chinese one (langchain 18770 and 20908, llama_index 12828)', () => {
    expect(cut('天青色等烟雨，而我在等你。哈哈哈。', 14)).toEqual(['天青色等烟雨，而我在等你。', '哈哈哈。'])
    expect(cut('Text 1. Text 2. Text 3.', { size: 10, at: ['sentence'] })).toEqual(['Text 1. ', 'Text 2. ', 'Text 3.'])
  })
  it('cuts between words where there are no spaces (langchain 19295)', () => {
    expect(cut('สวัสดีครับผมชื่อสมชาย', 10)).toEqual(['สวัสดีครับ', 'ผมชื่อ', 'สมชาย'])
    expect(cut('東京都に住んでいます', 5).join('|')).not.toContain('東|京')
  })
  it('drops no separators, tabs or spaces (langchain 22256 and 40071)', () => {
    const text = '# My Heading\n\nThis is\ta paragraph.\n\n```\n\tcode\u00a0here\n```\n\n\n'
    expect(cut(text, 16).join('')).toBe(text)
  })
  it('takes no comment in code for a heading (langchain 10262, haystack 11011)', () => {
    const code = '```python\n# no heading\n```\n~~~\n```\n# none\n~~~\n'
    expect(
      headingsOf(`# One\n${code}## Two ##\n### C#\n#hash\n####### seven\n`).map(({ title, level }) => [level, title]),
    ).toEqual([
      [1, 'One'],
      [2, 'Two'],
      [3, 'C#'],
    ])
  })
  it('refuses an overlap that is no smaller than the size, and does not run on (litellm 38980)', () => {
    expect(() => cut('abc', { size: 2, overlap: 2 })).toThrow(UsageError)
    const wide = (text: string) => 3 * text.length
    expect(cut('abcd', { size: 4, overlap: 3, measure: wide })).toEqual(['a', 'b', 'c', 'd'])
  })
})
