import { describe, expect, it } from 'vitest'
import { fakeLm } from '../../lm/fake-lm.ts'
import { localModel } from '../base/local-model.ts'
import { trace } from '../base/trace.ts'
import { prompt } from '../data/prompt.ts'
import { splitText } from '../data/split-text.ts'
import { mapReduce } from './map-reduce.ts'

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
    const parts = splitText(haystack, { size: 350, overlap: 60, measure: count })
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
