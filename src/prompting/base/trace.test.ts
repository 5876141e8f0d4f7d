import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InputError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { guard } from '../execute/guard.ts'
import { rule } from '../execute/rule.ts'
import { connect } from './connect.ts'
import { localModel } from './local-model.ts'
import { type Model, modelOf } from './model.ts'
import { fallback, route } from './route.ts'
import { note, program, trace } from './trace.ts'
import { readTrace } from './trace-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'trace-'))
afterAll(() => rmSync(folder, { recursive: true }))

const saying = (text: string, name = text): Model => localModel(fakeLm({ reply: () => text, info: { name } }))

describe('calls within calls', () => {
  it('name the wrapper as their parent, and wrappers tell what they decided', async () => {
    const model = guard(route([saying('small'), saying('large')], { by: () => 1 }), {})
    const ask = program('outer', () => model.ask('x'))
    const { calls } = await trace(async () => [await ask(), await ask()])
    expect(calls.map(({ id, parent, path, model: name }) => [id, parent, path, name])).toEqual([
      [0, undefined, ['outer'], 'small or large'],
      [1, 0, ['outer'], 'small or large'],
      [2, 1, ['outer'], 'large'],
      [3, undefined, ['outer'], 'small or large'],
      [4, 3, ['outer'], 'small or large'],
      [5, 4, ['outer'], 'large'],
    ])
    expect(calls[1]!.notes).toEqual([{ by: 'route', chosen: 'large' }])
    // Who only passes a call on has read nothing.
    expect(calls.map(({ text }) => text !== undefined)).toEqual([false, false, true, false, false, true])
  })
  it('are told apart where they run side by side, and in streams', async () => {
    const model = guard(saying('ab'), {})
    const { calls } = await trace(() =>
      Promise.all(
        ['x', 'y'].map(async (text) => {
          for await (const _ of model.stream(text)) await new Promise((resolve) => setImmediate(resolve))
        }),
      ),
    )
    const roots = calls.filter(({ parent }) => parent === undefined)
    expect(roots.length).toBe(2)
    for (const { id, call } of roots) {
      const inner = calls.filter(({ parent }) => parent === id)
      expect(inner.map((one) => one.call.messages)).toEqual([call.messages])
    }
  })
  it('of a model that fails are there, with the next that was asked', async () => {
    const broken = modelOf({
      name: 'broken',
      holds: 'none',
      // biome-ignore lint/correctness/useYield: it fails before
      async *answer() {
        note('broken', { met: 'a wall' })
        throw new Error('out of order')
      },
    })
    const { calls } = await trace(() => fallback([broken, saying('b')]).ask('x'))
    expect(calls.map(({ model, fault, notes }) => [model, fault, notes])).toEqual([
      ['broken or b', undefined, [{ by: 'fallback', failed: 'broken', next: 'b' }]],
      ['broken', 'out of order', [{ by: 'broken', met: 'a wall' }]],
      ['b', undefined, []],
    ])
  })
  it('that nobody listened to keep what had come', async () => {
    const model = guard(saying('One. Bad thing. More.'), { output: [rule('no bad', (text) => !text.includes('Bad'))] })
    const { calls } = await trace(() => model.ask('x'))
    expect(calls[1]!.answer).toMatchObject({ finishReason: 'aborted', text: 'One. Bad thing. Mo' })
    expect(calls[1]!.answer!.usage.completionTokens).toBe(calls[1]!.answer!.tokenIds.length)
    const early = await trace(async () => {
      for await (const _ of saying('abc').stream('x')) break
    })
    expect(early.calls[0]!.answer).toMatchObject({ finishReason: 'aborted', text: 'a' })
  })
})

describe('a call', () => {
  it('tells the tokens and their log-probabilities where they are asked for, and what it cost', async () => {
    const lm = fakeLm({ reply: () => 'ab', candidates: () => [120], logProb: (ids, i) => (ids[i] === 120 ? -3 : -0.5) })
    const model = localModel(lm, { cost: { input: 2, output: 10, cached: 1 } })
    const { calls } = await trace(async () => {
      await model.ask('x', { topLogprobs: 2 })
      await guard(model, {}).ask('x')
    })
    const [x] = [{ token: 'x', logprob: -3 }]
    expect(calls[0]!.answer!.tokens!.slice(0, 2)).toEqual([
      { token: 'a', logprob: -0.5, top: [{ token: 'a', logprob: -0.5 }, x] },
      { token: 'b', logprob: -0.5, top: [{ token: 'b', logprob: -0.5 }, x] },
    ])
    // 19 tokens are read and three made; then 18 of the 19 were still there.
    expect([calls[0]!.ids!.length, calls[0]!.answer!.usage.completionTokens]).toEqual([19, 3])
    expect(calls.map(({ cost }) => cost)).toEqual([(19 * 2 + 30) / 1e6, undefined, (1 * 2 + 18 * 1 + 30) / 1e6])
  })
  it('says which refused one it makes good', async () => {
    let asked = 0
    const lm = fakeLm({ reply: () => ['1', '3', '4'][asked++]! })
    const even = z.number().refine((n) => n % 2 === 0, 'must be even')
    const { calls } = await trace(() => localModel(lm).ask('x', { as: even }))
    expect(calls.map(({ id, again, fault }) => [id, again, fault])).toEqual([
      [0, undefined, 'must be even'],
      [1, 0, 'must be even'],
      [2, 1, undefined],
    ])
  })
  it('for log-probabilities of texts is on record too', async () => {
    const model = localModel(fakeLm({ logProb: (ids, i) => -ids[i]! / 100 }))
    const { value, calls } = await trace(() => model.logprobs('Spam?', ['a', 'bc'], { system: 'Judge.' }))
    expect(value).toEqual({ a: -0.97, bc: expect.closeTo(-0.98 - 0.99, 10) as number })
    expect([calls[0]!.scores, calls[0]!.text]).toEqual([value, 'system: Judge.\nuser: Spam?\nassistant: '])
  })
})

describe('a file of a trace', () => {
  it('has everything again, and no key', async () => {
    const file = join(folder, 'whole.jsonl')
    const key = 'sk-very-secret'
    const fetch = async (): Promise<Response> => new Response(`no such model for ${key}`, { status: 404 })
    const remote = connect('http://host/v1', { model: 'm', key, fetch, headers: { 'x-other': key } })
    const model = route([remote, saying('b')], { by: () => 1 })
    const { calls, began } = await trace(
      async () => {
        await remote.ask('x', { signal: new AbortController().signal }).catch(() => undefined)
        await model.ask('x', { logprobs: true, as: z.enum(['b', 'c']).or(z.string()) }).catch(() => undefined)
        await saying('b').logprobs('x', ['y'])
      },
      { file },
    )
    expect(readTrace(file)).toEqual({ calls, began })
    expect(readFileSync(file, 'utf8')).not.toContain(key)
    expect(calls[0]!.fault).toContain('no such model for (key)')
    expect(calls[0]!.call).not.toHaveProperty('signal')
  })
  it('is there up to a failure, with the failure', async () => {
    const file = join(folder, 'failed.jsonl')
    const failing = async (): Promise<void> => {
      await saying('a').ask('x')
      throw new Error('broken')
    }
    await expect(trace(failing, { file })).rejects.toThrow('broken')
    const read = readTrace(file)
    expect([read.fault, read.calls.length]).toEqual(['broken', 1])
  })
  it('that is none gives one line', () => {
    const file = join(folder, 'other.jsonl')
    for (const [text, message] of [
      ['', /expected a trace of version 1/],
      ['{"messages": []}', /expected a trace of version 1/],
      ['{"anneal_trace":1,"began":0}\n{"id":4}', /other.jsonl:2: expected call 0 of a trace/],
      ['{"anneal_trace":1,"began":0}\n{"id":', /other.jsonl:2: expected JSON/],
    ] as const) {
      writeFileSync(file, text)
      expect(() => readTrace(file)).toThrow(message)
      expect(() => readTrace(file)).toThrow(InputError)
    }
  })
})
