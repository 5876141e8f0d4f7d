// What models, tools and saved files do that they should not, and what programs hear of it.

import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { cached } from '../base/cached.ts'
import { localModel } from '../base/local-model.ts'
import { type Backend, modelOf } from '../base/model.ts'
import type { ModelCall, ModelPiece } from '../base/model-call.ts'
import { fallback, route } from '../base/route.ts'
import { dryRun } from '../base/trace.ts'
import { agent, tool } from './agent.ts'
import { conversation } from './conversation.ts'
import { guard } from './guard.ts'
import { mapReduce } from './map-reduce.ts'
import { rule } from './rule.ts'

const usage = { promptTokens: 1, completionTokens: 3, reasoningTokens: 0 }
const end = (finishReason: ModelPiece['finishReason'] = 'stop'): ModelPiece => ({
  deltas: [],
  tokenIds: [],
  finishReason: finishReason!,
  usage,
})
const text = (said: string): ModelPiece => ({ deltas: [{ type: 'text', text: said }], tokenIds: [] })

/** A model whose answers are made of the number of the call. */
function model(pieces: (n: number, call: ModelCall) => readonly ModelPiece[], more: Partial<Backend> = {}) {
  const asked: ModelCall[] = []
  const made = modelOf({
    name: 'm',
    holds: 'none',
    ...more,
    async *answer(call) {
      asked.push(call)
      yield* pieces(asked.length - 1, call)
    },
  })
  return { model: made, asked }
}

describe('an answer', () => {
  it('that was stopped is the reason of the signal, whatever had come (vercel/ai#6814, #15430)', async () => {
    const stop = new AbortController()
    const stopped = model(function* () {
      yield text('{"a"')
      stop.abort(new Error('stopped'))
      yield end('aborted')
    } as never)
    await expect(stopped.model.ask('x', { signal: stop.signal })).rejects.toThrow('stopped')
    // Nothing is asked again for it.
    const typed = stopped.model.ask('x', { signal: stop.signal, as: z.object({ a: z.number() }) })
    await expect(typed).rejects.toThrow('stopped')
    expect(stopped.asked.length).toBe(2)
    const heard: string[] = []
    const listen = async (): Promise<void> => {
      for await (const one of stopped.model.stream('x', { signal: stop.signal })) heard.push(one)
    }
    await expect(listen()).rejects.toThrow('stopped')
    expect(heard).toEqual(['{"a"'])
  })
  it('that ends at its limit says so (567-labs/instructor#1736)', async () => {
    const cut = model(() => [text('{"a": "lo'), end('length')])
    const ask = cut.model.ask('x', { as: z.object({ a: z.string() }), again: 0, maxTokens: 3 })
    await expect(ask).rejects.toThrow(/got an end after 3 tokens, the most that were allowed; no JSON/)
  })
  it('is found between fences and behind a byte order mark, and takes no time that grows with its square', async () => {
    const says = (said: string) => model(() => [text(said), end()]).model.ask('x', { as: z.number(), again: 0 })
    expect(await says('\uFEFF 5')).toBe(5)
    expect(await says('```json\n5\n```\n')).toBe(5)
    expect(await says('```\n5```')).toBe(5)
    await expect(says(`\`\`\`${'\n'.repeat(1 << 20)}x`)).rejects.toThrow(/no JSON/)
  })
  it('that is too deep to check is asked for again', async () => {
    const list: z.ZodType = z.lazy(() => z.array(list))
    const deep = model((n) => [text(n === 0 ? '['.repeat(20_000) + ']'.repeat(20_000) : '[[]]'), end()])
    expect(await deep.model.ask('x', { as: z.array(list) })).toEqual([[]])
  })
  it('is asked for behind parts of a message too', async () => {
    const said = model(() => [text('1'), end()])
    const picture = { type: 'image_url', image_url: { url: 'data:' } }
    await said.model.ask([{ role: 'user', content: [picture] }], { as: z.number() })
    expect(said.asked[0]!.messages[0]!.content).toEqual([
      picture,
      { type: 'text', text: expect.stringContaining('JSON Schema') },
    ])
  })
  it('of a dry run has an end where its schema has none', async () => {
    interface Tree {
      left?: Tree | undefined
      right?: Tree | undefined
    }
    const tree: z.ZodType<Tree> = z.lazy(() => z.object({ left: tree.optional(), right: tree.optional() }))
    const { value } = await dryRun(() => model(() => []).model.ask('x', { as: z.object({ tree }) }))
    expect(value.tree.left).toBeDefined()
    const endless = { $ref: '#', type: 'object' }
    const pair = { type: 'object', properties: { a: endless, b: endless }, required: ['a', 'b'] }
    const schema = { version: 1, vendor: 'x', validate: (one: unknown) => ({ value: one }), jsonSchema: { input: () => pair } } as const // biome-ignore format: a line
    await dryRun(() => model(() => []).model.ask('x', { as: { '~standard': schema } }))
  })
})

describe('wrappers', () => {
  it('keep a failure that comes at once to the call that it belongs to', async () => {
    const mute = { ...fakeLm({ reply: () => 'a' }), canChat: false }
    const model = cached(localModel(mute))
    for (let i = 0; i < 2; i++) await expect(model.ask('x', { temperature: 0 })).rejects.toThrow(/chat template/)
    expect(model.cache.misses).toBe(2)
  })
  it('ask all of their models for no more than the weakest can', async () => {
    const down = model(() => {
      throw new Error('down')
    }, { holds: 'masks', continues: true }) // biome-ignore format: a line
    const plain = model((n) => [text(n === 0 ? '1' : 'Bad.'), end()])
    for (const both of [fallback([down.model, plain.model]), route([down.model, plain.model], { by: () => 1 })]) {
      expect([both.name, both.holds, both.continues]).toEqual(['m or m', 'none', false])
      await both.ask('x', { as: z.number(), again: 0 }).catch(() => undefined)
      expect(plain.asked.at(-1)).toMatchObject({ messages: [{ content: expect.stringContaining('JSON Schema') }] })
      expect(plain.asked.at(-1)!.structure).toBeUndefined()
      const safe = guard(both, { output: [rule('no', (said) => !said.includes('Bad'))], onRefuse: 'retry', again: 1 })
      await safe.ask('x')
      expect(plain.asked.at(-1)!.continueFinalMessage).toBeUndefined()
    }
  })
  it('leave nothing running where one of many fails', async () => {
    let running = 0
    const many = modelOf({
      name: 'm',
      holds: 'none',
      async *answer({ messages, signal }) {
        if (messages[0]!.content === 'bad') throw new Error('down')
        running++
        await new Promise<void>((resolve) => signal!.addEventListener('abort', () => resolve(), { once: true }))
        running--
        yield end('aborted')
      },
    })
    const parts = ['a', 'b', 'bad']
    await expect(mapReduce(parts, { model: many, map: (part) => part, reduce: () => 'x' })).rejects.toThrow('down')
    await expect.poll(() => running).toBe(0)
  })
})

describe('a tool', () => {
  const calling = (given: string) =>
    model(
      (n) =>
      n > 0
        ? [text('done'), end()]
        : [{ deltas: [{ type: 'tool-call', index: 0, id: 'c', name: 'f' }, { type: 'tool-arguments', index: 0, text: given }], tokenIds: [] }, end('tool_calls')], // biome-ignore format: a line
    )
  const told = async (given: string, input: z.ZodType, run: () => unknown = () => 'fine') => {
    const { model, asked } = calling(given)
    await agent(model, { tools: [tool({ name: 'f', description: '', input, run })], budget: { steps: 3 } }).ask('x')
    return String(asked[1]!.messages.at(-1)!.content)
  }
  it('is told in which field its input is wrong, and that its check failed', async () => {
    expect(await told('{"a": {"n": "x"}}', z.object({ a: z.object({ n: z.number() }) }))).toMatch(/^error: a\.n: /)
    const broken = z.object({}).refine(() => {
      throw new Error('no database')
    })
    expect(await told('{}', broken)).toBe('error: no database')
  })
  it('takes no arguments at all for none (openai/openai-agents-js#664, langchain-ai/langchainjs#11311)', async () => {
    expect(await told('', z.object({}))).toBe('fine')
  })
  it('has errors no longer than its answers', async () => {
    const long = () => {
      throw new Error('e'.repeat(1 << 20))
    }
    expect((await told('{}', z.object({}), long)).length).toBeLessThan(21_000)
  })
  it('is stopped with the signal while it runs (vercel/ai#8107)', async () => {
    const stop = new AbortController()
    const run = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
        stop.abort(new Error('stopped'))
      })
    const { model, asked } = calling('{}')
    const helper = agent(model, { tools: [tool({ name: 'f', description: '', input: z.object({}), run })], budget: { steps: 3 } }) // biome-ignore format: a line
    await expect(helper.ask('x', { signal: stop.signal })).rejects.toThrow('stopped')
    expect(asked.length).toBe(1)
  })
  it('has a name of its own, that services take, and a time that timers take', () => {
    const one = tool({ name: 'f', description: '', input: z.object({}), run: () => 1 })
    const of = (...tools: (typeof one)[]) => () => agent(calling('').model, { tools, budget: { steps: 3 } }) // biome-ignore format: a line
    expect(of(one, one)).toThrow(/each name once, got f twice/)
    expect(of({ ...one, name: 'f g' })).toThrow(UsageError)
    for (const timeoutSeconds of [0, Number.NaN, 3e6, Number.POSITIVE_INFINITY])
      expect(of({ ...one, timeoutSeconds })).toThrow(/timeoutSeconds of f: expected/)
    expect(() => agent(calling('').model, { tools: [], budget: { steps: 1, seconds: 3e6 } })).toThrow(/budget.seconds/)
    expect(() => agent(calling('').model, { tools: [], budget: { steps: 1, token: 5 } as never })).toThrow(/'token'/)
    expect(() => agent(calling('').model, { tool: [] } as never)).toThrow(/'tool'/)
  })
})

describe('a saved conversation', () => {
  it.each([
    ['null', null],
    ['a text', 'x'],
    ['a message that is none', { version: 1, head: 0, turns: [{ id: 0, state: { from: 0 }, messages: [{ role: 'user', content: 'x' }, null] }] }], // biome-ignore format: a line
    ['a summary that is no text', { version: 1, head: 0, turns: [{ id: 0, state: { from: 0, summary: 5 }, messages: [{ role: 'user', content: 'x' }] }] }], // biome-ignore format: a line
    ['more left behind than there is', { version: 1, head: 0, turns: [{ id: 0, state: { from: 9 }, messages: [{ role: 'user', content: 'x' }] }] }], // biome-ignore format: a line
  ])('is refused with %s', (_, saved) => {
    expect(() => conversation(model(() => []).model, { saved: saved as never })).toThrow(/saved: expected what/)
  })
})
