import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InputError, UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { agent, tool } from '../execute/agent.ts'
import { cassette } from './cassette.ts'
import { localModel } from './local-model.ts'
import { type Model, modelOf } from './model.ts'
import { trace } from './trace.ts'

const folder = mkdtempSync(join(tmpdir(), 'cassette-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const fresh = (): string => join(folder, `${files++}.jsonl`)

/** A model that counts what it is asked: its answers are `1`, `2`, … */
const counting = (): Model => {
  let asked = 0
  return localModel(fakeLm({ reply: () => `answer ${++asked}` }))
}

describe('cassette', () => {
  it('plays what was recorded, to streams too, and asks nobody', async () => {
    const file = fresh()
    const model = counting()
    const first = cassette(file, model)
    expect([await first.ask('a'), await first.ask('b', { temperature: 1 })]).toEqual(['answer 1', 'answer 2'])
    const again = cassette(file)
    expect(again.name).toBe(model.name)
    let text = ''
    for await (const delta of again.stream('b', { temperature: 1 })) text += `${delta}.`
    expect([text, await again.ask('a')]).toEqual(['a.n.s.w.e.r. 2.', 'answer 1'])
    // What the file has is not asked of the model; what it has not is added.
    const more = cassette(file, model)
    expect([await more.ask('a'), await more.ask('c')]).toEqual(['answer 1', 'answer 3'])
    expect(await cassette(file).ask('c')).toBe('answer 3')
  })
  it('gives equal calls their answers whatever is asked in between, and by their seed', async () => {
    const file = fresh()
    const model = cassette(file, counting())
    for (const [text, seed] of [
      ['a', 5],
      ['b', 6],
      ['a', 7],
    ] as const)
      await model.ask(text, { seed })
    const answers = await Promise.all(['a', 'a', 'b'].map((text) => cassette(file).ask(text)))
    expect(answers).toEqual(['answer 1', 'answer 1', 'answer 2'])
    const one = cassette(file)
    expect(await Promise.all(['b', 'a', 'a'].map((text) => one.ask(text)))).toEqual([
      'answer 2',
      'answer 1',
      'answer 3',
    ])
    const other = cassette(file)
    expect(await other.ask('a', { seed: 7 })).toBe('answer 3')
    await other.ask('a')
    await expect(other.ask('a')).rejects.toThrow(
      /expected an equal call 2 times, as often as it is recorded, got one more/,
    )
  })
  it('tells of a call that is not recorded where the nearest differs', async () => {
    const file = fresh()
    const model = cassette(file, counting())
    await model.ask('The cat sat on the mat.', { system: 'Be brief.' })
    await model.ask('The dog.', { maxTokens: 5 })
    const error = (await cassette(file)
      .ask('The cat sat on the hat.', { system: 'Be brief.' })
      .catch((e: unknown) => e)) as Error
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toBe(
      `${file}: expected a call that is recorded, got another: the nearest differs in messages[1].content at character 19: "…cat sat on the mat." is recorded, "…cat sat on the hat." was asked`,
    )
    await expect(cassette(file).ask('The dog.', { maxTokens: 6 })).rejects.toThrow(
      'the nearest has 5 as maxTokens, asked was 6',
    )
  })
  it('plays an agent with its tools, typed answers and vectors', async () => {
    const file = fresh()
    const lm = fakeLm({
      reply: (request) => {
        const text = JSON.stringify(request)
        if (text.includes('Rate')) return '{"stars": 4}'
        return text.includes('21 degrees')
          ? 'It is 21.'
          : '<tool_call>{"name": "weather", "arguments": {"city": "Aarhus"}}</tool_call>'
      },
    })
    let ran = 0
    const weather = tool({
      name: 'weather',
      description: 'The weather.',
      input: z.object({ city: z.string() }),
      run: () => {
        ran++
        return '21 degrees'
      },
    })
    const program = async (model: Model) => ({
      said: await agent(model, { tools: [weather], budget: { steps: 3 } }).ask('How warm is it?'),
      rating: await model.ask('Rate it.', { as: z.object({ stars: z.number() }) }),
      vectors: await model.embed!(['a', 'b']),
      scores: await model.logprobs('Which?', ['a', 'b']),
    })
    const wanted = await program(cassette(file, localModel(lm)))
    expect([wanted.said, wanted.rating, ran]).toEqual(['It is 21.', { stars: 4 }, 1])
    const { value, calls } = await trace(() => program(cassette(file)))
    expect([value, ran]).toEqual([wanted, 2])
    expect(calls.map(({ notes }) => notes)).toEqual([0, 1, 2, 4].map((take) => [{ by: 'cassette', take }]))
  })
  it('keeps what was stopped as it was, and nothing of a failure', async () => {
    const file = fresh()
    for await (const _ of cassette(file, counting()).stream('x')) break
    let text = ''
    for await (const delta of cassette(file).stream('x')) {
      text += delta
      break
    }
    expect(text).toBe('a')
    await expect(cassette(file).ask('x')).rejects.toThrow(/nobody to listen beyond what is recorded/)
    const other = fresh()
    const broken = modelOf({
      name: 'broken',
      holds: 'none',
      // biome-ignore lint/correctness/useYield: it fails before
      async *answer() {
        throw new Error('out of order')
      },
    })
    await expect(cassette(other, broken).ask('x')).rejects.toThrow('out of order')
    expect(readFileSync(other, 'utf8').trim().split('\n').length).toBe(1)
  })
  it('refuses files that are none, and a recording of another model', () => {
    const file = fresh()
    expect(() => cassette(file)).toThrow('expected a recording, got nothing')
    writeFileSync(file, '{}\n')
    expect(() => cassette(file)).toThrow(InputError)
    const good = fresh()
    cassette(good, counting())
    expect(() => cassette(good, localModel(fakeLm(), { name: 'other' }))).toThrow(
      'expected model fake, which it is a recording of, got other',
    )
  })
})
