import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { ChatPiece } from '../../chat/answer.ts'
import { UsageError } from '../../errors.ts'
import { agent, tool } from '../execute/agent.ts'
import { guard } from '../execute/guard.ts'
import { rule } from '../execute/rule.ts'
import { AnswerLog } from './answer-log.ts'
import { type CacheOptions, cached } from './cached.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelCall } from './model-call.ts'
import { dryRun, trace as traced } from './trace.ts'
import type { TracedCall } from './traced-call.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-cached-'))
let store: string
let count = 0
beforeEach(() => {
  store = join(directory, `store-${count++}`)
})
afterEach(() => vi.useRealTimers())
afterAll(() => rmSync(directory, { recursive: true }))

const usage = { promptTokens: 7, completionTokens: 2, reasoningTokens: 0 }
const end: ChatPiece = { deltas: [], tokenIds: [], finishReason: 'stop', usage }
const text = (said: string): ChatPiece => ({ deltas: [{ type: 'text', text: said }], tokenIds: [1] })

/** What was asked of the cache, without what it asked itself. */
async function trace<T>(run: () => Promise<T>) {
  const { value, calls } = await traced(run)
  return { value, calls: calls.filter(({ parent }) => parent === undefined) }
}

/** Says how often it was asked. */
function counting(name = 'm') {
  const asked: ModelCall[] = []
  const model = modelOf({
    name,
    holds: 'json_schema',
    async *answer(call) {
      asked.push(call)
      yield text(`${name} ${asked.length}`)
      yield end
    },
  })
  return { model, asked }
}

const greedy = { temperature: 0 }

describe('cached', () => {
  it('gives the same answer for the same call, for no tokens, and says so', async () => {
    const { model, asked } = counting()
    const cheap = cached(model)
    const { value, calls } = await trace(async () => [await cheap.ask('x', greedy), await cheap.ask('x', greedy)])
    expect(value).toEqual(['m 1', 'm 1'])
    expect(asked.length).toBe(1)
    expect(calls.map(({ answer }) => answer!.cached)).toEqual([undefined, { kind: 'exact', usage }])
    expect(calls.map(({ answer }) => answer!.usage.promptTokens)).toEqual([7, 0])
    expect(calls[1]!.answer!.tokenIds).toEqual([1])
    let streamed = ''
    for await (const delta of cheap.stream('x', greedy)) streamed += delta
    expect(streamed).toBe('m 1')
    expect(cheap.cache).toEqual({ exact: 2, semantic: 0, misses: 1, uncached: 0 })
  })
  it('asks again where anything that decides the answer is another', async () => {
    const { model, asked } = counting()
    const cheap = cached(model)
    const messages = [{ role: 'user', content: 'x' }]
    const tools = [{ type: 'function' as const, function: { name: 'f' } }]
    const schema = (...names: string[]) => ({
      json_schema: { type: 'object', properties: Object.fromEntries(names.map((name) => [name, {}])) },
    })
    const calls: ModelCall[] = [
      { messages },
      { messages: [{ role: 'system', content: 's' }, ...messages] },
      { messages: [{ role: 'assistant', content: 'x' }] },
      { messages, maxTokens: 3 },
      { messages, topP: 0.5 },
      { messages, stop: ['a'] },
      { messages, stop: ['a', 'b'] },
      { messages, tools },
      { messages, tools, toolChoice: 'none' },
      { messages, tools, toolChoice: 'required' },
      { messages, structure: { regex: 'a' } },
      { messages, structure: schema('a', 'b') },
      { messages, structure: schema('b', 'a') }, // fields are written in this order
    ].map((call): ModelCall => ({ ...(call as ModelCall), ...greedy }))
    calls.push({ messages, temperature: 1, seed: 1 }, { messages, temperature: 1, seed: 2 }, { messages, seed: 1 })
    const ask = async (call: ModelCall): Promise<string> => {
      let said = ''
      for await (const { deltas } of cheap.answer(call)) for (const d of deltas) if (d.type === 'text') said += d.text
      return said
    }
    const first: string[] = []
    for (const call of calls) first.push(await ask(call))
    expect(new Set(first).size).toBe(calls.length)
    for (const [i, call] of calls.entries())
      if (!JSON.stringify(call).includes('json_schema')) expect(await ask({ ...call })).toBe(first[i])
      else expect(await ask({ ...call })).not.toBe(first[i])
    // JSON that nobody can read is no answer.
    expect(asked.length).toBe(calls.length + 2)
  })
  it('keeps draws only where it is told to, and then each as one', async () => {
    const { model, asked } = counting()
    const strict = cached(model)
    await strict.ask('x')
    await strict.ask('x', { temperature: 1 })
    expect(strict.cache.uncached).toBe(2)
    await strict.ask('x', { temperature: 1, seed: 5 })
    await strict.ask('x', { temperature: 1, seed: 5 })
    expect(asked.length).toBe(3)
    const loose = cached(model, { reuseDraws: true })
    expect(await loose.ask('x')).toBe(await loose.ask('x'))
    expect(asked.length).toBe(4)
    // A guard that draws again draws another one.
    const draws = guard(loose, { output: [rule('not 4', (said) => said !== 'm 4')], onRefuse: 'retry' })
    expect(await draws.ask('x')).toBe('m 5')
  })
  it('makes equal calls at the same time once', async () => {
    const { model, asked } = counting()
    const cheap = cached(model)
    const { value, calls } = await trace(() => Promise.all(Array.from({ length: 9 }, () => cheap.ask('x', greedy))))
    expect([asked.length, new Set(value)]).toEqual([1, new Set(['m 1'])])
    // Their tokens are counted once.
    expect(calls.reduce((sum, { answer }) => sum + answer!.usage.promptTokens, 0)).toBe(7)
  })
  it('keeps no failure', async () => {
    let tries = 0
    const model = modelOf({
      name: 'm',
      holds: 'none',
      async *answer() {
        if (++tries === 1) throw new Error('busy')
        yield text('good')
        yield end
      },
    })
    const cheap = cached(model)
    const both = await Promise.allSettled([cheap.ask('x', greedy), cheap.ask('x', greedy)])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect([await cheap.ask('x', greedy), await cheap.ask('x', greedy), tries]).toEqual(['good', 'good', 2])
  })
  it('keeps a tool call, and what follows it', async () => {
    let asked = 0
    const model = modelOf({
      name: 'm',
      holds: 'none',
      async *answer({ messages }) {
        asked++
        if (messages.at(-1)!.role === 'tool') yield text(`It is ${String(messages.at(-1)!.content)}`)
        else
          yield {
            deltas: [
              { type: 'tool-call', index: 0, id: 'c', name: 'f' },
              { type: 'tool-arguments', index: 0, text: '{"n":2}' },
            ],
            tokenIds: [],
          }
        yield { ...end, finishReason: messages.at(-1)!.role === 'tool' ? 'stop' : 'tool_calls' }
      },
    })
    const double = tool({ name: 'f', description: '', input: z.object({ n: z.number() }), run: ({ n }) => 2 * n })
    const helper = agent(cached(model), { tools: [double], budget: { steps: 3 }, ...greedy })
    expect([await helper.ask('x'), await helper.ask('x'), asked]).toEqual(['It is 4', 'It is 4', 2])
  })
  it('lets nobody change what it keeps', async () => {
    const cheap = cached(counting().model)
    const { calls } = await trace(() => cheap.ask('x', greedy))
    ;(calls[0]!.answer as { text: string }).text = 'changed'
    const again = await trace(() => cheap.ask('x', greedy))
    ;(again.calls[0]!.answer!.tokenIds as number[]).push(99)
    const third = await trace(() => cheap.ask('x', greedy))
    expect([third.value, third.calls[0]!.answer!.tokenIds]).toEqual(['m 1', [1]])
  })
  it('holds no more bytes than it may, those used last', async () => {
    const { model, asked } = counting()
    const cheap = cached(model, { maxBytes: 1500 })
    for (const name of ['a', 'b', 'a', 'c', 'a']) await cheap.ask(name, greedy)
    expect(asked.length).toBe(3)
    await cheap.ask('b', greedy) // went for c, for a was used since
    expect(asked.length).toBe(4)
  })
  it('gives nothing that is too old', async () => {
    vi.useFakeTimers({ now: 1_000_000 })
    const { model, asked } = counting()
    const open = (): Model => cached(model, { ttlSeconds: 60, store })
    const cheap = open()
    await cheap.ask('x', greedy)
    vi.setSystemTime(1_059_000)
    await cheap.ask('x', greedy)
    await open().ask('x', greedy)
    expect(asked.length).toBe(1)
    vi.setSystemTime(1_060_000)
    await open().ask('x', greedy)
    expect(asked.length).toBe(2)
    // What another process has made anew is found.
    await cheap.ask('x', greedy)
    expect(asked.length).toBe(2)
  })
  it('asks nothing in a dry run', async () => {
    const { model, asked } = counting()
    const cheap = cached(model)
    await dryRun(() => cheap.ask('x', greedy))
    expect([asked.length, await cheap.ask('x', greedy)]).toEqual([0, 'm 1'])
  })
  it('refuses options that cannot be', () => {
    const { model } = counting()
    expect(() => cached(model, { ttl: 3 } as CacheOptions)).toThrow(UsageError)
    expect(() => cached(model, { maxBytes: -1 })).toThrow('maxBytes: expected')
    writeFileSync(store, '')
    expect(() => cached(model, { store })).toThrow('store: expected a folder')
  })
})

describe('waiters', () => {
  /** A model that stands still until it is let go, and then says whether it was aborted. */
  function held() {
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    let calls = 0
    const model = modelOf({
      name: 'm',
      holds: 'none',
      async *answer({ signal }) {
        calls++
        yield text('a')
        if (!signal!.aborted)
          await Promise.race([gate, new Promise((resolve) => signal!.addEventListener('abort', resolve))])
        yield signal!.aborted ? { ...end, finishReason: 'aborted' } : text('b')
        if (!signal!.aborted) yield end
      },
    })
    return { model, go, calls: () => calls }
  }
  it('hears what came before it joined', async () => {
    const { model, go } = held()
    const cheap = cached(model)
    const first = cheap.stream('x', greedy)[Symbol.asyncIterator]()
    expect((await first.next()).value).toBe('a')
    const second = cheap.ask('x', greedy)
    go()
    expect([await second, (await first.next()).value]).toEqual(['ab', 'b'])
  })
  it('may leave without the others', async () => {
    const { model, go, calls } = held()
    const cheap = cached(model)
    const stop = new AbortController()
    const leaving = cheap.ask('x', { ...greedy, signal: stop.signal })
    const staying = cheap.ask('x', greedy)
    stop.abort(new Error('enough'))
    await expect(leaving).rejects.toThrow('enough')
    go()
    expect([await staying, await cheap.ask('x', greedy), calls()]).toEqual(['ab', 'ab', 1])
  })
  it('ends the model when it is the last to leave, and nothing is kept', async () => {
    const { model, go, calls } = held()
    const cheap = cached(model)
    for await (const delta of cheap.stream('x', greedy)) {
      expect(delta).toBe('a')
      break
    }
    const stop = new AbortController()
    const second = trace(() => cheap.ask('x', { ...greedy, signal: stop.signal }))
    stop.abort()
    // As without a cache: the model says that it was aborted, and whoever asked hears why.
    const failed = (await second.catch((error: unknown) => error)) as { name: string; calls: TracedCall[] }
    expect([failed.name, failed.calls[0]!.answer!.finishReason]).toEqual(['AbortError', 'aborted'])
    go()
    expect([await cheap.ask('x', greedy), calls()]).toEqual(['ab', 3])
  })
})

describe('store', () => {
  const file = (): string => join(store, 'answers.jsonl')
  const faults: string[] = []
  const open = (model: Model, more: CacheOptions = {}): Model =>
    cached(model, { store, onFault: (fault) => faults.push(fault), ...more })
  beforeEach(() => faults.splice(0))

  it('is there for the next process, for the same model alone', async () => {
    const { model, asked } = counting()
    await open(model).ask('x', greedy)
    expect(await open(model).ask('x', greedy)).toBe('m 1')
    expect(await open(counting('other').model).ask('x', greedy)).toBe('other 1')
    expect(await open(model, { version: '2' }).ask('x', greedy)).toBe('m 2')
    expect(asked.length).toBe(2)
    expect(statSync(file()).mode & 0o077).toBe(0)
  })
  it('is shared by two that are open', async () => {
    const [one, two] = [counting('m'), counting('m')]
    const [a, b] = [open(one.model), open(two.model)]
    for (let i = 0; i < 20; i++) {
      await (i % 2 === 0 ? a : b).ask(`${i}`, greedy)
      await (i % 2 === 0 ? b : a).ask(`${i}`, greedy)
    }
    expect([one.asked.length, two.asked.length, faults]).toEqual([10, 10, []])
  })
  it('loses one line at most to a kill, wherever it was cut', async () => {
    const { model } = counting()
    const writer = open(model)
    await writer.ask('kept', greedy)
    const { size } = statSync(file())
    await writer.ask('torn', greedy)
    const whole = readFileSync(file())
    for (const cut of [size + 1, size + 2, size + 30, whole.length - 2, whole.length - 1]) {
      truncateSync(file(), size)
      appendFileSync(file(), whole.subarray(size, cut))
      faults.splice(0)
      const { model: next, asked } = counting()
      const reader = open(next)
      expect(await reader.ask('kept', greedy)).toBe('m 1')
      expect(await reader.ask('new', greedy)).toBe('m 1')
      await open(next).ask('new', greedy)
      expect(asked.length).toBe(1)
      expect(new Set(faults.map((fault) => fault.replace(/^.*: /, '')))).toEqual(
        // Two may read before the second line is torn: nothing of it, or a line that a line end has made whole.
        new Set(cut > size + 1 && cut < whole.length - 1 ? ['left out 1 lines that are not whole'] : []),
      )
    }
  })
  it('serves nothing that was changed, and keeps the lines around it', async () => {
    const { model } = counting()
    const writer = open(model)
    for (const name of ['a', 'b', 'c']) await writer.ask(name, greedy)
    const good = readFileSync(file(), 'utf8')
    writeFileSync(file(), good.replace('m 2', 'm 9').replace(/$/, 'no JSON\n\0\n'))
    const { model: next, asked } = counting('m')
    const reader = open(next)
    expect([await reader.ask('a', greedy), await reader.ask('c', greedy), asked.length]).toEqual(['m 1', 'm 3', 0])
    expect(await reader.ask('b', greedy)).toBe('m 1')
    expect([asked.length, faults[0]]).toEqual([1, expect.stringContaining('left out 3 lines')])
    // Changed while it is open.
    const late = open(next)
    writeFileSync(file(), readFileSync(file(), 'utf8').replace('m 3', 'm 8'))
    expect(await late.ask('c', greedy)).toBe('m 2')
  })
  it('answers also where the disk is full', async () => {
    const told: string[] = []
    const write = (() => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    }) as never
    const log = new AnswerLog(store, { maxBytes: 1e6, write, onEntry: () => undefined, onFault: (f) => told.push(f) })
    const answer = { text: 'x', reasoning: '', toolCalls: [], tokenIds: [], finishReason: 'stop' as const, usage }
    log.put({ key: 'k', at: 0, answer })
    expect(told).toEqual([expect.stringContaining('no space left')])
    const { model, asked } = counting()
    const small = open(model, { maxFileBytes: 10 })
    await small.ask('x', greedy)
    await small.ask('x', greedy)
    await small.ask('y', greedy)
    expect([asked.length, faults.length]).toEqual([2, 1])
  })
  it('keeps half a line of a short write from the next one', () => {
    const told: string[] = []
    const found: string[] = []
    const events = {
      maxBytes: 1e6,
      onEntry: ({ key }: { key: string }) => found.push(key),
      onFault: (f: string) => told.push(f),
    }
    const answer = { text: 'ø', reasoning: '', toolCalls: [], tokenIds: [], finishReason: 'stop' as const, usage }
    new AnswerLog(store, {
      ...events,
      write: ((_: number, bytes: Buffer) => {
        appendFileSync(file(), bytes.subarray(0, 40))
        return 40
      }) as never,
    }).put({ key: 'a', at: 0, answer })
    const log = new AnswerLog(store, events)
    log.put({ key: 'b', at: 0, answer })
    expect(log.get('b')?.answer.text).toBe('ø')
    expect([found, told.length]).toEqual([['b'], 2])
  })
})
