import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import type { GenerateRequest } from '../../lm/lm.ts'
import { prompt, quote } from '../data/prompt.ts'
import { localModel } from './local-model.ts'
import { AnswerError, type Backend, modelOf } from './model.ts'
import { dryRun, program, trace } from './trace.ts'
import type { TracedCall } from './traced-call.ts'

const lastText = (request: GenerateRequest): string =>
  String((request as unknown as { messages: { content: unknown }[] }).messages.at(-1)!.content)

/** A model that says these texts, one after another, held to nothing. */
function saying(texts: readonly string[], holds: Backend['holds'] = 'none') {
  const asked: Parameters<Backend['answer']>[0][] = []
  const model = modelOf({
    name: 'saying',
    holds,
    async *answer(call) {
      asked.push(call)
      const text = texts[asked.length - 1]!
      const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text }], tokenIds: [] }
      yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}

describe('ask', () => {
  it('gives the text, with an instruction before the question', async () => {
    const lm = fakeLm({ reply: (request) => JSON.stringify((request as { messages: unknown }).messages) })
    const text = await localModel(lm).ask(prompt`Say ${'x'}`, { system: 'Be brief.', seed: 1 })
    expect(JSON.parse(text)).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Say x' },
    ])
  })
  it('gives typed values, held by masks', async () => {
    const Person = z.object({ name: z.string(), age: z.number().int() })
    const lm = fakeLm({ reply: () => '{"name": "Ada", "age": 36}' })
    const person = await localModel(lm).ask('Who?', { as: Person })
    expect(person).toEqual({ name: 'Ada', age: 36 })
    person.name satisfies string
    // Nothing but the choice can come, whatever the model would say.
    const Colour = z.enum(['red', 'blue'])
    expect(await localModel(fakeLm({ reply: () => '"blue"' })).ask('Which?', { as: Colour })).toBe('blue')
  })
  it('asks again with what was wrong, as often as it may', async () => {
    const Even = z.object({ n: z.number().refine((n) => n % 2 === 0, 'must be even') })
    const { model, asked } = saying(['no JSON', '```json\n{"n": 3}\n```', '{"n": 4}'])
    const { value, calls } = await trace(() => model.ask('A number.', { as: Even }))
    expect(value).toEqual({ n: 4 })
    expect(String(asked[0]!.messages[0]!.content)).toContain('"n"')
    expect(asked[2]!.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user'])
    expect(calls.map(({ fault }) => fault)).toEqual([expect.stringMatching(/^no JSON/), 'n: must be even', undefined])
    const error = await saying(['1', '2'])
      .model.ask('x', { as: Even, again: 1 })
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AnswerError)
    expect((error as AnswerError).answer.text).toBe('2')
  })
  it('lets a model think before a typed answer', async () => {
    const { model, asked } = saying(['Let me see: red.', '"red"'], 'masks')
    expect(await model.ask('Which?', { as: z.enum(['red', 'blue']), think: 50 })).toBe('red')
    expect([asked[0]!.maxTokens, asked[0]!.structure]).toEqual([50, undefined])
    expect(asked[1]!.messages.map(({ content }) => content)).toEqual([
      'Which?',
      'Let me see: red.',
      'Now give the answer alone, as JSON.',
    ])
    expect(asked[1]!.structure).toEqual({ json_schema: { type: 'string', enum: ['red', 'blue'] } })
  })
  it('refuses schemas and options that it cannot read', async () => {
    const { model } = saying(['x'])
    const bare = { '~standard': { version: 1, vendor: 'other', validate: (value: unknown) => ({ value }) } } as const
    await expect(model.ask('x', { as: bare })).rejects.toThrow(/as: expected a schema that tells its JSON Schema/)
    await expect(model.ask('x', { max_tokens: 3 } as object)).rejects.toThrow(UsageError)
    const third = z.number().multipleOf(3)
    await expect(localModel(fakeLm()).ask('x', { as: third })).rejects.toThrow(/multipleOf/)
  })
  it('streams the text', async () => {
    const model = localModel(fakeLm({ reply: () => 'abc' }))
    const { value, calls } = await trace(async () => {
      let text = ''
      for await (const delta of model.stream('x')) text += `${delta}.`
      return text
    })
    expect(value).toBe('a.b.c.')
    expect(calls[0]!.answer!.text).toBe('abc')
  })
})

describe('trace', () => {
  it('tells the exact text, ids, seeds and programs of every call', async () => {
    const lm = fakeLm({ reply: (request) => lastText(request).toUpperCase() })
    const model = localModel(lm)
    const shout = program('shout', (text: string) => model.ask(text))
    const twice = program('twice', async (text: string) => shout(await shout(text)))
    const { value, calls } = await trace(() => twice('ab'))
    expect(value).toBe('AB')
    expect(calls.map(({ path, text }) => [path, text])).toEqual([
      [['twice', 'shout'], 'user: ab\nassistant: '],
      [['twice', 'shout'], 'user: AB\nassistant: '],
    ])
    expect(String.fromCodePoint(...calls[0]!.ids!)).toBe(calls[0]!.text)
    expect(calls[0]!.call.seed).toEqual(expect.any(Number))
    expect(calls[0]!.answer!.tokenIds.length).toBeGreaterThan(0)
  })
  it('keeps side by side what runs side by side', async () => {
    const model = localModel(fakeLm({ reply: lastText }))
    const one = (name: string) => program(name, () => model.ask(name))()
    const all = await Promise.all(['a', 'b'].map((name) => trace(() => one(name))))
    expect(all.map(({ calls }) => calls.map(({ path }) => path))).toEqual([[['a']], [['b']]])
  })
  it('has the calls until an error', async () => {
    const { model } = saying(['x'])
    const failing = async (): Promise<void> => {
      await model.ask('first')
      throw new Error('broken')
    }
    const error = (await trace(failing).catch((e: unknown) => e)) as Error & { calls: TracedCall[] }
    expect([error.message, error.calls.length]).toEqual(['broken', 1])
  })
})

describe('dryRun', () => {
  it('shows the prompts of a program and asks nobody', async () => {
    const { model, asked } = saying([])
    const Rating = z.object({ stars: z.number().int().min(1), kind: z.enum(['good', 'bad']), why: z.string() })
    const { value, calls } = await dryRun(async () => {
      const rating = await model.ask(prompt`Rate:\n${quote('nice')}`, { as: Rating })
      return [rating, await model.ask(prompt`Explain ${rating.stars}`)]
    })
    expect(asked).toEqual([])
    expect(value).toEqual([{ stars: 1, kind: 'good', why: '(text)' }, '(an answer)'])
    expect(calls.map(({ call }) => call.messages.at(-1)!.content)).toEqual([
      expect.stringMatching(/^Rate:\n<text>\nnice\n<\/text>/),
      'Explain 1',
    ])
  })
})

describe('prompt', () => {
  it('keeps values apart, and finds those that are missing', () => {
    const inner = prompt`[${1}]`
    const text = prompt`a ${'b'}${inner} ${['x', 'y']}`
    expect(String(text)).toBe('a b[1] x\ny')
    expect(text.parts.filter(({ isValue }) => isValue).map((part) => part.text)).toEqual(['b', '1', 'x', 'y'])
    // @ts-expect-error a value that is missing
    expect(() => prompt`x ${undefined}`).toThrow(
      'prompt: expected a text, a number or a prompt as value 1, got nothing',
    )
    // @ts-expect-error an object has no text of its own
    expect(() => prompt`x ${{}}`).toThrow(UsageError)
  })
  it('lets nobody close a quotation', () => {
    expect(String(quote('a</text>b< /TEXT >c</other>'))).toBe('<text>\na<\\/text>b<\\ /TEXT >c</other>\n</text>')
    expect(() => quote('x', { name: 'a b' })).toThrow(UsageError)
  })
})
