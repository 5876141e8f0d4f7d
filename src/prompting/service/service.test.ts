import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { UnsupportedError, UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { ServiceError } from '../base/dialect.ts'
import { localModel } from '../base/local-model.ts'
import { AnswerError } from '../base/model.ts'
import { trace } from '../base/trace.ts'
import { AgentError } from '../execute/agent.ts'
import { type ServiceOptions, service } from './service.ts'
import { faultOf, ServiceFault } from './service-fault.ts'

const Input = z.object({ text: z.string(), times: z.number().int().min(1).default(2) })
const repeat = (more: Partial<ServiceOptions<z.infer<typeof Input>, unknown>> = {}) =>
  service('repeat', {
    description: 'Says a text again.',
    input: Input,
    run: ({ text, times }) => text.repeat(times),
    ...more,
  })
const faultIn = async (call: Promise<unknown>): Promise<ServiceFault> => {
  const error = await call.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(ServiceFault)
  return error as ServiceFault
}

describe('service', () => {
  it('fills in defaults, and gives JSON', async () => {
    expect(await repeat().call({ text: 'ab' })).toBe('abab')
    const dated = repeat({ run: () => ({ at: new Date(0), none: undefined }) })
    expect(await dated.call({ text: '' })).toEqual({ at: '1970-01-01T00:00:00.000Z' })
    expect(await repeat({ run: () => undefined }).call({ text: '' })).toBe(null)
  })
  it.each([
    [{}, 'text', /^text: .*expected string/],
    [{ text: 'a', times: 0 }, 'times', /^times: .*>=1/],
    [{ text: 'a', tims: 3 }, 'tims', /^tims: unknown field\. Did you mean 'times'/],
    [{ text: 'a', colour: 3 }, 'colour', /There are: text, times/],
    [[], undefined, /expected an object, got a list/],
    [null, undefined, /expected an object, got null/],
    [JSON.parse('{"text":"a","__proto__":{"times":9}}'), undefined, /no key named '__proto__'/],
    [JSON.parse('{"text":{"a":{"__proto__":1}}}'), undefined, /no key named '__proto__'/],
  ])('refuses %j with the place', async (input, field, message) => {
    const fault = await faultIn(repeat().call(input))
    expect([fault.status, fault.code, fault.field]).toEqual([400, 'invalid_input', field])
    expect(fault.message).toMatch(message)
    expect(fault.message.split('\n').length).toBe(1)
    expect(({} as { times?: number }).times).toBe(undefined)
  })
  it('refuses what is too deep', async () => {
    const deep = JSON.parse(`{"text":${'['.repeat(5000)}${']'.repeat(5000)}}`) as unknown
    expect((await faultIn(repeat().call(deep))).message).toMatch(/at most 64 lists/)
  })
  it('takes fields that its schema leaves open', async () => {
    const open = service('open', { description: 'x', input: z.looseObject({}), run: (input) => input })
    expect(await open.call({ a: 1 })).toEqual({ a: 1 })
  })
  it('streams the pieces of its text, and returns the output', async () => {
    const all = async (made: ReturnType<typeof repeat>): Promise<[string[], unknown]> => {
      const pieces: string[] = []
      const stream = made.stream({ text: 'a' })
      for (;;) {
        const { done, value } = await stream.next()
        if (done) return [pieces, value]
        pieces.push(value)
      }
    }
    async function* said(): AsyncGenerator<string> {
      yield 'a'
      yield 'b'
    }
    async function* counted(): AsyncGenerator<string, unknown> {
      yield 'a'
      yield 'b'
      return { pieces: 2 }
    }
    expect(await all(repeat({ run: said }))).toEqual([['a', 'b'], 'ab'])
    expect(await all(repeat({ run: counted }))).toEqual([['a', 'b'], { pieces: 2 }])
    expect(await all(repeat())).toEqual([[], 'aa'])
  })
  it('checks its output', async () => {
    const wrong = service('wrong', {
      description: 'x',
      input: z.object({}),
      output: z.object({ n: z.number() }),
      run: () => ({ n: 'many' }) as never,
    })
    const fault = await faultIn(wrong.call({}))
    expect([fault.status, fault.code]).toEqual([500, 'invalid_output'])
    expect(fault.message).toMatch(/^wrong: expected an output of its schema, got n: /)
    const circle: Record<string, unknown> = {}
    circle.own = circle
    expect((await faultIn(repeat({ run: () => circle }).call({ text: '' }))).message).toMatch(/what JSON cannot write/)
    expect((await faultIn(repeat({ run: () => 1n }).call({ text: '' }))).message).toMatch(/what JSON cannot write/)
  })
  it('ends when its time is up, with its signal, and when nobody takes its pieces', async () => {
    const signals: AbortSignal[] = []
    const never = (_: unknown, { signal }: { signal: AbortSignal }): Promise<never> => {
      signals.push(signal)
      return new Promise(() => undefined)
    }
    const late = await faultIn(repeat({ run: never, timeoutSeconds: 0.01 }).call({ text: '' }))
    expect([late.status, late.code]).toEqual([504, 'timeout'])
    const stop = new AbortController()
    const called = repeat({ run: never }).call({ text: '' }, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(called).rejects.toThrow('enough')
    async function* endless(_: unknown, { signal }: { signal: AbortSignal }): AsyncGenerator<string> {
      signals.push(signal)
      for (;;) yield 'x'
    }
    for await (const piece of repeat({ run: endless }).stream({ text: '' })) {
      expect(piece).toBe('x')
      break
    }
    // The second was stopped before it had a place.
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })
  it('runs so many at a time, lets so many wait, and tells the others to come again', async () => {
    const open: (() => void)[] = []
    let most = 0
    let inside = 0
    const made = repeat({
      concurrency: 2,
      waiting: 1,
      run: async () => {
        most = Math.max(most, ++inside)
        await new Promise<void>((resolve) => open.push(resolve))
        inside--
      },
    })
    const calls = [1, 2, 3].map(() => made.call({ text: '' }))
    const refused = await faultIn(made.call({ text: '' }))
    expect([refused.status, refused.code, refused.retryAfter]).toEqual([429, 'busy', 1])
    while (open.length < 2) await new Promise((resolve) => setImmediate(resolve))
    open.shift()!()
    open.shift()!()
    while (open.length < 1) await new Promise((resolve) => setImmediate(resolve))
    open.shift()!()
    await Promise.all(calls)
    expect(most).toBe(2)
    expect(await repeat().call({ text: 'a' })).toBe('aa')
  })
  it('stands in traces by its name, streamed or not', async () => {
    const model = localModel(fakeLm({ reply: () => 'yes' }))
    const asked = service('asked', {
      description: 'x',
      input: z.object({}),
      run: (_, { signal }) => model.ask('x', { signal }),
    })
    const said = service('said', {
      description: 'x',
      input: z.object({}),
      run: (_, { signal }) => model.stream('x', { signal }),
    })
    const { value, calls } = await trace(() => Promise.all([asked.call({}), said.call({})]))
    expect(value).toEqual(['yes', 'yes'])
    expect(calls.map(({ path }) => path).sort()).toEqual([['asked'], ['said']])
  })
})

describe('registration', () => {
  const make = (name: string, more: object) => () =>
    service(name, { description: 'x', input: z.object({}), run: () => 1, ...more } as ServiceOptions<unknown, unknown>)
  it.each([
    ['a b', {}, /expected a name of at most 64 letters/],
    ['../x', {}, /expected a name/],
    ['a', { description: ' ' }, /service a: expected a description/],
    ['a', { input: z.string() }, /expected an object as input/],
    ['a', { input: z.object({ at: z.date() }) }, /expected an input that JSON Schema can express.*Date/],
    ['a', { input: z.object({ n: z.bigint() }) }, /expected an input that JSON Schema can express/],
    [
      'a',
      { output: z.object({ f: z.custom() }).transform(() => 1) },
      /expected an output that JSON Schema can express/,
    ],
    ['a', { input: {} }, /expected a Standard Schema as input/],
    ['a', { input: { '~standard': { version: 1, vendor: 'mine', validate: () => ({ value: 1 }) } } }, /one of mine/],
    ['a', { timeout: 3 }, /timeout/],
    ['a', { timeoutSeconds: 0 }, /timeoutSeconds: expected/],
    ['a', { concurrency: 0 }, /concurrency: expected/],
  ])('%s %j is one clear line', (name, more, message) => {
    expect(make(name, more)).toThrow(UsageError)
    expect(make(name, more)).toThrow(message)
    expect(make(name, more)).toThrow(/^[^\n]*$/)
  })
})

describe('faultOf', () => {
  const answer = {
    text: '',
    reasoning: '',
    toolCalls: [],
    tokenIds: [],
    finishReason: 'stop' as const,
    usage: { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 },
  }
  it.each([
    [new AnswerError('no JSON', answer), 502, 'model_failed', 's: no JSON'],
    [new AgentError('no progress', []), 502, 'model_failed', 's: no progress'],
    [new ServiceError('down', { status: 500 }), 502, 'model_failed', 's: down'],
    [new ServiceError('busy', { status: 429 }), 503, 'model_failed', 's: busy'],
    [new UnsupportedError('no vectors'), 501, 'unsupported', 's: no vectors'],
    [new UsageError('seed: wrong'), 500, 'failed', 's: seed: wrong'],
    [Object.assign(new Error('no such order'), { status: 404 }), 404, 'refused', 's: no such order'],
    [new Error('password is hunter2'), 500, 'failed', 's: it met an error of its own; the log of the server has more'],
    ['thrown text', 500, 'failed', 's: it met an error of its own; the log of the server has more'],
  ])('%s', (error, status, code, message) => {
    const fault = faultOf(error, 's')
    expect([fault.status, fault.code, fault.message]).toEqual([status, code, message])
  })
})
