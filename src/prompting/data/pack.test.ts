import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import type { Measure } from './measure.ts'
import { type PackOptions, type PackPart, pack } from './pack.ts'
import { prompt } from './prompt.ts'

const words: Measure = (text) => text.split(/\s+/).filter(Boolean).length
const packed = (parts: readonly PackPart[], options: PackOptions) => {
  const { prompt, ...told } = pack(parts, options)
  return { text: String(prompt), ...told }
}

describe('pack', () => {
  it('takes what is required, then by priority, and keeps the order', () => {
    const parts = [
      { name: 'rules', text: 'Be brief.', required: true },
      { name: 'low', text: 'a a a', priority: 1 },
      { name: 'big', text: 'b b b b b b', priority: 3 },
      { name: 'high', text: 'c c c', priority: 2 },
      { name: 'question', text: 'Who is it?', required: true },
    ]
    expect(packed(parts, { size: 11, measure: words })).toEqual({
      text: 'Be brief.\n\nb b b b b b\n\nWho is it?',
      size: 11,
      parts: [
        { name: 'rules', state: 'whole', size: 2, of: 2 },
        { name: 'low', state: 'left out', size: 0, of: 3 },
        { name: 'big', state: 'whole', size: 6, of: 6 },
        { name: 'high', state: 'left out', size: 0, of: 3 },
        { name: 'question', state: 'whole', size: 3, of: 3 },
      ],
      summary: '11 of 11; left out: low (3), high (3)',
    })
    expect(packed(parts, { size: 10, measure: words }).text).toBe(
      'Be brief.\n\na a a\n\nc c c\n\nWho is it?'.replace('a a a\n\n', ''),
    )
    expect(packed(parts, { size: 17, measure: words }).summary).toBe('17 of 17')
  })
  it('cuts at a pause on the side that it is told, and marks the place', () => {
    const text = 'One two. Three four. Five six.'
    const one = (cut: 'start' | 'end', size: number) => packed([{ text, cut }], { size }).text
    expect(one('end', 27)).toBe('One two. Three four. […]')
    expect(one('start', 27)).toBe('[…]Three four. Five six.')
    expect(one('end', 9)).toBe('One […]')
    expect(packed([{ text, cut: 'end' }], { size: 9, mark: '' })).toMatchObject({
      text: 'One two. ',
      summary: '9 of 9; cut: part 1 (9 of 30)',
    })
  })
  it('leaves a part out of which less than the least would be left, and the next one in', () => {
    const parts: PackPart[] = [
      { name: 'history', text: 'h '.repeat(40), cut: 'start', min: 10, priority: 1 },
      { name: 'note', text: 'n n n' },
      { name: 'question', text: 'q q q q q', required: true },
    ]
    expect(packed(parts, { size: 13, measure: words }).summary).toBe('8 of 13; left out: history (40)')
    expect(packed(parts, { size: 20, measure: words, mark: '' }).summary).toBe(
      '20 of 20; cut: history (15 of 40); left out: note (3)',
    )
  })
  it('keeps the least of what is required, and then gives it what there is before others', () => {
    const parts: PackPart[] = [
      { name: 'text', text: 't '.repeat(50), required: true, cut: 'end', min: 4 },
      { name: 'extra', text: 'e e', priority: 9 },
      { name: 'question', text: 'q q', required: true },
    ]
    const fits = (size: number) => packed(parts, { size, measure: words, mark: '' }).parts.map((part) => part.size)
    expect(fits(6)).toEqual([4, 0, 2])
    expect(fits(20)).toEqual([18, 0, 2])
    expect(fits(54)).toEqual([50, 2, 2])
    expect(() => fits(5)).toThrow(
      /^pack: expected room for what is required \(text, question: at least 6\), got a size of 5$/,
    )
    const bound = [
      { text: 'a b', required: true, cut: 'end' as const },
      { text: 'q', required: true, name: 'q' },
    ]
    expect(() => pack(bound, { size: 1 })).toThrow(UsageError)
  })
  it('says that it counts about, where it does', () => {
    const about: Measure = Object.assign((text: string) => text.length, { isEstimate: true })
    expect(packed([{ text: 'abc' }], { size: 5, measure: about }).summary).toBe('about 3 of 5')
    expect(() => pack([{ text: 'abc', required: true }], { size: 2, measure: about })).toThrow(/at least about 3/)
  })
  it('keeps values and words of the author apart, also where it cuts', () => {
    const { prompt: made } = pack([{ text: prompt`Read: ${'a value. And more of it.'}`, cut: 'end' }], { size: 20 })
    expect(made.parts).toEqual([
      { text: 'Read: ', isValue: false },
      { text: 'a value. ', isValue: true },
      { text: '[…]', isValue: false },
    ])
  })
  it('fits, says of each part what became of it, and has no half characters', () => {
    const text = fc
      .array(fc.constantFrom('wo ', 'Ende. ', '\n\n', '😀', '👩‍👩‍👧', 'ab', 'é', 'x'), { maxLength: 12 })
      .map((pieces) => pieces.join(''))
    const part = fc.record(
      {
        text,
        required: fc.boolean(),
        priority: fc.integer({ min: 0, max: 2 }),
        cut: fc.constantFrom('start' as const, 'end' as const),
        min: fc.integer({ min: 0, max: 6 }),
      },
      { requiredKeys: ['text'] },
    )
    const measures: Measure[] = [(text) => text.length, words, (text) => text.replaceAll(/ab|wo |e\. /g, '1').length]
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 5 }),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(...measures),
        (parts, size, measure) => {
          let result: ReturnType<typeof pack>
          try {
            result = pack(parts, { size, measure })
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError)
            expect(parts.some(({ required }) => required)).toBe(true)
            return
          }
          const whole = String(result.prompt)
          expect(whole.isWellFormed()).toBe(true)
          expect(measure(whole)).toBeLessThanOrEqual(size)
          expect(result.size).toBe(measure(whole))
          for (const [i, { state }] of result.parts.entries()) {
            const { text, required, cut } = parts[i]!
            if (state === 'whole') expect(whole).toContain(text)
            if (state === 'cut') expect(cut).toBeDefined()
            if (required) expect(state).not.toBe('left out')
          }
        },
      ),
      { numRuns: 400 },
    )
  })
  it('counts each text a few times only', () => {
    let counted = 0
    const measure: Measure = (text) => {
      counted += text.length
      return text.length / 4
    }
    const parts = Array.from({ length: 2000 }, (_, i) => ({
      text: `Passage ${i}. ${'word '.repeat(60)}`,
      priority: -i,
    }))
    const { size } = pack(parts, { size: 2000, measure })
    expect(size).toBeGreaterThan(1900)
    // All of them once, and what is in the prompt once for each that is taken.
    expect(counted).toBeLessThan(2000 * 320 + 60 * 8000)
  })
  it('refuses parts and limits that are none', () => {
    expect(() => pack([], { size: 0 })).toThrow(UsageError)
    for (const wrong of [
      { text: undefined },
      { text: 'x', cut: 'middle' },
      { text: 'x', min: 'y' },
      { text: 'x', prio: 1 },
    ])
      expect(() => pack([wrong as unknown as PackPart], { size: 9 })).toThrow(UsageError)
    expect(packed([], { size: 1 })).toMatchObject({ text: '', summary: '0 of 1' })
  })
})
