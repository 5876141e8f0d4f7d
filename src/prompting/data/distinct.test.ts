import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identifyLanguage } from '../../data/language/identify-language.ts'
import { InputError, UsageError } from '../../errors.ts'
import { combine, interleave } from './combine.ts'
import { type DistinctOptions, distinct } from './distinct.ts'
import type { Document } from './document.ts'

const documents = (...texts: string[]): Document[] => texts.map((text, i) => ({ id: `d${i}`, text, meta: {} }))
async function all(list: AsyncIterable<Document>): Promise<Document[]> {
  const found: Document[] = []
  for await (const document of list) found.push(document)
  return found
}
const ids = async (list: AsyncIterable<Document>): Promise<string[]> => (await all(list)).map(({ id }) => id)
const words = (from: number, to: number): string =>
  Array.from(
    { length: to - from },
    (_, i) => `w${'abcdefghij'[(from + i) % 10]}${'klmnopqrstuvwxyz'[Math.floor((from + i) / 10) % 16]}`,
  ).join(' ')

describe('distinct', () => {
  const doubles = async (options: DistinctOptions, ...texts: string[]) => {
    const gone: string[] = []
    const left = await ids(
      distinct(documents(...texts), { ...options, onDouble: ({ id }, kept) => gone.push(`${id}=${kept}`) }),
    )
    return { left, gone }
  }
  it('leaves out the same text, and says what for', async () => {
    expect(await doubles({}, 'a b', 'c', ' a b\n', 'a  b', 'c')).toEqual({
      left: ['d0', 'd1', 'd3'],
      gone: ['d2=d0', 'd4=d1'],
    })
  })
  it('leaves out what is nearly the same, from the share that is asked', async () => {
    // Of 100 words 98 runs of three; with 5 others at the end 93 are in both, of 103 in all: .903. With 20: 78 of 118: .66.
    const texts = [
      words(0, 100),
      `${words(0, 95)} ${words(130, 135)}`,
      `${words(0, 80)} ${words(100, 120)}`,
      words(0, 100).toUpperCase(),
    ]
    expect((await doubles({ near: 0.88 }, ...texts)).gone).toEqual(['d1=d0', 'd3=d0'])
    expect((await doubles({ near: 0.95 }, ...texts)).gone).toEqual(['d3=d0'])
    expect((await doubles({ near: 0.6 }, ...texts)).gone).toEqual(['d1=d0', 'd2=d0', 'd3=d0'])
  })
  it('keeps texts without a word, and refuses shares that are none', async () => {
    expect((await doubles({ near: 0.5 }, '', '!!', '…')).left).toEqual(['d0', 'd1', 'd2'])
    await expect(all(distinct([], { near: 0 }))).rejects.toThrow(UsageError)
    await expect(all(distinct([], { threshold: 1 } as never))).rejects.toThrow(UsageError)
  })
})

describe('combine', () => {
  it('puts together what fits, with titles, and says what is in it', async () => {
    const list = documents('one', 'two', 'three', 'four')
    expect(await all(combine(list, { size: 12 }))).toEqual([
      { id: 'd0+1', text: 'one\n\ntwo', meta: { documents: ['d0', 'd1'] } },
      { id: 'd2+1', text: 'three\n\nfour', meta: { documents: ['d2', 'd3'] } },
    ])
    const titled = await all(combine(list.slice(0, 2), { size: 30, title: ({ id }) => `[${id}]`, separator: '\n' }))
    expect(titled.map(({ text }) => text)).toEqual(['[d0]\none\n[d1]\ntwo'])
    await expect(all(combine(list, { size: 4 }))).rejects.toThrow(InputError)
    await expect(all(combine(list, { size: 0 }))).rejects.toThrow(UsageError)
  })
  it('never exceeds the size, drops nothing, and puts no fewer together than it may', async () => {
    const text = fc.string({ maxLength: 9 })
    const measures = [(t: string) => t.length, (t: string) => t.split(/\s+/).length, (t: string) => t.length ** 1.5]
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 12 }),
        fc.integer({ min: 27, max: 60 }),
        fc.nat(2),
        async (texts, size, which) => {
          const measure = measures[which]!
          const made = await all(combine(documents(...texts), { size, measure }))
          for (const { text } of made) expect(measure(text)).toBeLessThanOrEqual(size)
          expect(made.flatMap(({ meta }) => meta.documents)).toEqual(texts.map((_, i) => `d${i}`))
          expect(made.map(({ text }) => text).join('\n\n')).toBe(texts.join('\n\n'))
          if (which === 0)
            for (const [i, { text }] of made.slice(1).entries()) {
              const first = texts[Number(made[i + 1]!.id.slice(1).split('+')[0])]!
              expect(text.startsWith(first) && measure(`${made[i]!.text}\n\n${first}`) > size).toBe(true)
            }
        },
      ),
    )
  })
})

describe('interleave', () => {
  it('takes from each source in turns, and closes them', async () => {
    let closed = 0
    async function* source(...names: string[]) {
      try {
        for (const id of names) yield { id, text: '', meta: {} }
      } finally {
        closed++
      }
    }
    expect(
      await ids(interleave(source('a', 'b', 'c'), source(), [{ id: '1', text: '', meta: {} }], source('x', 'y'))),
    ).toEqual(['a', '1', 'x', 'b', 'y', 'c'])
    expect(closed).toBe(3)
    for await (const _ of interleave(source('a', 'b'), source('x'))) break
    // The second one had not begun: there is nothing to close.
    expect(closed).toBe(4)
  })
})

it('other filters are plain loops', async () => {
  async function* danish(list: Iterable<Document>) {
    for (const document of list)
      if (document.text.length > 20 && (await identifyLanguage(document.text)).language === 'da') yield document
  }
  const list = documents(
    'Hvad hedder du, og hvor bor du henne i byen?',
    'What is your name, and where do you live?',
    'Hej',
  )
  expect(await ids(danish(list))).toEqual(['d0'])
})
