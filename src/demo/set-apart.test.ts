import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { setApart } from './set-apart.ts'

const prose = (index: number): string =>
  `On day ${index} we went down to the sea, and ${'the waves were high and '.repeat(3 + (index % 5))}nobody said a word.`
const code = (index: number): string => `for (let i = ${index}; i < n; i++) {\n  a[i] = f(b[i], c[i]);\n}\n`.repeat(3)

describe('setApart', () => {
  it('finds the passages of code among prose, and says by what', () => {
    const passages = Array.from({ length: 100 }, (_, index) => ({
      text: index % 10 === 3 ? code(index) : prose(index),
    }))
    const { apart, rest, marks } = setApart(passages, 0.1)
    expect(apart.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, index) => code(10 * index + 3)))
    expect(rest).toHaveLength(90)
    expect(marks).toHaveLength(5)
    expect(marks).toEqual(expect.arrayContaining([';', '[']))
    expect(marks).not.toContain('e')
  })

  it('finds verse by its line ends, in any script', () => {
    const passages = Array.from({ length: 60 }, (_, index) => ({
      text:
        index % 6 === 0
          ? 'тихо\nв море\nволна\n'.repeat(5)
          : `говорить о море ${'и о волнах '.repeat(4 + (index % 3))}`,
    }))
    const { apart, marks } = setApart(passages, 0.15)
    expect(apart.every(({ text }) => text.includes('\n'))).toBe(true)
    expect(marks[0]).toBe('⏎')
  })

  it('takes the share, keeps the order, and depends on it for nothing else', () => {
    const texts = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 30, maxLength: 80 }), {
      minLength: 8,
      maxLength: 30,
    })
    fc.assert(
      fc.property(texts, (list) => {
        const passages = list.map((text) => ({ text }))
        const { apart, rest } = setApart(passages, 0.25)
        expect(apart).toHaveLength(Math.floor(list.length / 4))
        expect(passages.filter((passage) => apart.includes(passage))).toEqual(apart)
        expect(apart.length + rest.length).toBe(list.length)
      }),
    )
    const mixed = Array.from({ length: 40 }, (_, index) => ({ text: index % 8 === 0 ? code(index) : prose(index) }))
    const back = setApart(mixed.toReversed(), 0.1)
    expect(new Set(back.apart)).toEqual(new Set(setApart(mixed, 0.1).apart))
  })

  it('sets nothing apart where there are too few passages', () => {
    const passages = [{ text: 'one' }, { text: 'two' }, { text: 'three' }]
    expect(setApart(passages, 0.3)).toEqual({ apart: [], rest: passages, marks: [] })
  })

  it('takes passages that are all the same', () => {
    expect(
      setApart(
        Array.from({ length: 20 }, () => ({ text: 'the same' })),
        0.1,
      ).apart,
    ).toHaveLength(2)
  })
})
