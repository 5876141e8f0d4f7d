import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UsageError } from '../../errors.ts'
import { type Backend, modelOf } from '../base/model.ts'
import { trace } from '../base/trace.ts'
import { AgentError, type AgentEvent, agent, tool } from './agent.ts'

type Say = string | { name: string; arguments: string }[]

/** A model that says or calls these, one after another; the last one for ever. */
function saying(...all: Say[]) {
  const asked: Parameters<Backend['answer']>[0][] = []
  const model = modelOf({
    name: 'saying',
    holds: 'none',
    async *answer(call) {
      asked.push(call)
      const said = all[Math.min(asked.length, all.length) - 1]!
      const usage = { promptTokens: 1, completionTokens: 10, reasoningTokens: 0 }
      if (typeof said === 'string') {
        yield { deltas: [{ type: 'text', text: said }], tokenIds: [], finishReason: 'stop', usage }
        return
      }
      const deltas = said.flatMap((one, index) => [
        { type: 'tool-call' as const, index, id: `id${asked.length}-${index}`, name: one.name },
        { type: 'tool-arguments' as const, index, text: one.arguments },
      ])
      yield { deltas, tokenIds: [], finishReason: 'tool_calls', usage }
    },
  })
  return { model, asked }
}

const add = tool({
  name: 'add',
  description: 'Adds two numbers.',
  input: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => ({ sum: a + b }),
})
const call = (name: string, given: unknown): { name: string; arguments: string }[] => [
  { name, arguments: typeof given === 'string' ? given : JSON.stringify(given) },
]

async function eventsOf(run: AsyncIterable<AgentEvent>): Promise<AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const event of run) events.push(event)
  return events
}

describe('agent', () => {
  it('calls tools until it answers, and is told what they say', async () => {
    const { model, asked } = saying(call('add', { a: 1, b: 2 }), 'It is 3.')
    const helper = agent(model, { profile: 'You add.', tools: [add], budget: { steps: 5 }, temperature: 0 })
    const { value, calls } = await trace(() => eventsOf(helper.run('1 + 2?')))
    expect(value.map(({ type }) => type)).toEqual(['call', 'result', 'text', 'end'])
    expect(value[1]).toEqual({ type: 'result', id: 'id1-0', name: 'add', output: '{"sum":3}', isError: false })
    expect(value.at(-1)).toMatchObject({ text: 'It is 3.', steps: 2, tokens: 20 })
    expect(asked[1]!.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool'])
    expect(asked[0]).toMatchObject({ temperature: 0, toolChoice: 'auto', tools: [{ function: { name: 'add' } }] })
    expect(calls.length).toBe(2)
  })
  it('tells the model what goes wrong in a tool', async () => {
    const broken = tool({
      name: 'broken',
      description: '',
      input: z.object({}),
      run: () => {
        throw new Error('no network')
      },
    })
    const slow = tool({
      name: 'slow',
      description: '',
      input: z.object({}),
      timeoutSeconds: 0.01,
      run: () => new Promise(() => undefined),
    })
    const said = [
      ...call('broken', {}),
      ...call('slow', {}),
      ...call('add', { a: 1 }),
      ...call('add', '{"a":'),
      ...call('other', {}),
    ]
    const { model } = saying(said, 'Sorry.')
    const events = await eventsOf(agent(model, { tools: [broken, slow, add], budget: { steps: 2 } }).run('x'))
    const results = events.flatMap((event) => (event.type === 'result' ? [event] : []))
    expect(results.every(({ isError }) => isError)).toBe(true)
    expect(results.map(({ output }) => output)).toEqual([
      'error: no network',
      'error: slow took longer than 0.01 s',
      expect.stringContaining('expected number'),
      expect.stringMatching(/^error: no JSON/),
      'error: there is no tool other; there are broken, slow, add',
    ])
  })
  it('may call nothing in its last step, and ends where the same calls come again and again', async () => {
    const endless = saying(call('add', { a: 1, b: 1 }))
    const helper = agent(endless.model, { tools: [add], budget: { steps: 10 } })
    await expect(helper.ask('x')).rejects.toThrow(/expected progress, got the same calls 4 times/)
    const short = saying(call('add', { a: 1, b: 1 }))
    await expect(agent(short.model, { tools: [add], budget: { steps: 2 } }).ask('x')).rejects.toThrow(AgentError)
    expect(short.asked.map(({ toolChoice }) => toolChoice)).toEqual(['auto', 'none'])
    const tokens = saying(call('add', { a: 1, b: 1 }), 'Two.')
    expect(await agent(tokens.model, { tools: [add], budget: { steps: 9, tokens: 10 } }).ask('x')).toBe('Two.')
    expect(tokens.asked.map(({ toolChoice }) => toolChoice)).toEqual(['auto', 'none'])
  })
  it('ends when its time is up, and with its signal', async () => {
    const wait = tool({ name: 'wait', description: '', input: z.object({}), run: () => new Promise(() => undefined) })
    const { model } = saying(call('wait', {}))
    const timed = agent(model, { tools: [wait], budget: { steps: 3, seconds: 0.02 } })
    await expect(timed.ask('x')).rejects.toThrow('agent: expected an answer within 0.02 s')
    const stop = new AbortController()
    const asked = agent(model, { tools: [wait], budget: { steps: 3 } }).ask('x', { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })
  it('tells of a very long value its beginning, and of one that cannot be written what is wrong', async () => {
    const made: Record<string, unknown> = {
      huge: 'x'.repeat(100 * 2 ** 20),
      many: { list: Array.from({ length: 1e6 }, (_, i) => i) },
      big: 1n,
    }
    const circle: Record<string, unknown> = {}
    circle.self = circle
    made.circle = circle
    const get = tool({
      name: 'get',
      description: '',
      input: z.object({ key: z.string() }),
      run: ({ key }) => made[key],
    })
    const few = { ...get, name: 'few', mostCharacters: 5 }
    const keys = ['huge', 'many', 'big', 'circle', 'nothing']
    const { model } = saying([...keys.flatMap((key) => call('get', { key })), ...call('few', { key: 'huge' })], 'Done.')
    const events = await eventsOf(agent(model, { tools: [get, few], budget: { steps: 2 } }).run('x'))
    const outputs = events.flatMap((event) => (event.type === 'result' ? [event.output] : []))
    expect(outputs[0]).toBe(`${'x'.repeat(20_000)}\n[the first 20000 of 104857600 characters]`)
    expect(outputs[1]!.length).toBeLessThan(20_100)
    expect(outputs.slice(2)).toEqual([
      expect.stringMatching(/^error: .*BigInt/),
      expect.stringMatching(/^error: .*circular/),
      '',
      'xxxxx\n[the first 5 of 104857600 characters]',
    ])
  })
  it('leaves the trace up to where it ends without an answer', async () => {
    const { model } = saying(call('add', { a: 1, b: 1 }))
    const helper = agent(model, { tools: [add], budget: { steps: 10 } })
    const error = (await trace(() => helper.ask('x')).catch((e: unknown) => e)) as AgentError & {
      calls: readonly unknown[]
    }
    expect(error.message).toMatch(/^agent: expected progress/)
    expect(error.calls).toHaveLength(4)
    expect(error.messages.map(({ role }) => role)).toEqual([
      'user',
      ...Array.from({ length: 3 }, () => ['assistant', 'tool']).flat(),
      'assistant',
    ])
  })
  it('wants a budget', () => {
    const { model } = saying('x')
    expect(() => agent(model, { tools: [], budget: { steps: 0 } })).toThrow(UsageError)
    // @ts-expect-error a budget is required
    expect(() => agent(model, { tools: [] })).toThrow(UsageError)
  })
})
