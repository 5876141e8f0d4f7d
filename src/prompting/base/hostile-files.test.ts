// Files of traces, recordings and answers that a kill, a full disk or somebody else has spoilt.

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs' // biome-ignore format: a line
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InputError, UsageError } from '../../errors.ts'
import { hashText } from '../../files/hash.ts'
import { guard } from '../execute/guard.ts'
import { rule } from '../execute/rule.ts'
import { cached } from './cached.ts'
import { cassette } from './cassette.ts'
import { type Model, modelOf } from './model.ts'
import { trace } from './trace.ts'
import { readTrace } from './trace-file.ts'

let folder = ''
const warned: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-hostile-'))
  warned.splice(0)
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warned.push(String(warning)))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
function saying(texts: readonly string[], continues = false): Model {
  let n = 0
  return modelOf({
    name: 'm',
    holds: 'none',
    continues,
    async *answer() {
      yield { deltas: [{ type: 'text', text: texts[n++ % texts.length]! }], tokenIds: [] }
      yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
    },
  })
}

describe('a trace', () => {
  const answer = { text: 'a', reasoning: '', toolCalls: [], tokenIds: [1], finishReason: 'stop', usage }
  const call = { id: 0, model: 'm', path: ['p'], at: 0, took: 1, call: { messages: [{ role: 'user', content: 'x' }] }, answer } // biome-ignore format: a line
  const read = (more: object) => () => {
    const file = join(folder, 'trace.jsonl')
    writeFileSync(file, `{"anneal_trace":1,"began":1}\n${JSON.stringify({ ...call, ...more })}\n`)
    return readTrace(file)
  }
  it.each([
    { parent: 0 },
    { parent: 7 },
    { again: 0 },
    { path: undefined },
    { path: [1] },
    { at: 'x' },
    { took: null },
    { notes: 5 },
    { notes: [null] },
    { answer: 5 },
    { answer: { ...answer, toolCalls: [null] } },
    { answer: { ...answer, usage: {} } },
    { scores: 5 },
    { ids: ['x'] },
    { call: { messages: [null] } },
    { fault: {} },
  ])('with %j is refused, with its line', (more) => {
    expect(read({})().calls.length).toBe(1)
    expect(read(more)).toThrow(/trace\.jsonl:2: expected call 0 of a trace/)
  })
  it('that cannot be written loses neither the value nor the error of its program', async () => {
    const file = join(folder, 'trace.jsonl')
    const spoil = (): void => mkdirSync(file)
    const asking = (): Promise<string> => {
      spoil()
      return saying(['a']).ask('x')
    }
    const { value, calls } = await trace(asking, { file })
    expect([value, calls.length]).toEqual(['a', 1])
    rmSync(file, { recursive: true })
    const failing = async (): Promise<void> => {
      spoil()
      throw Object.freeze(new Error('the program'))
    }
    await expect(trace(failing, { file })).rejects.toThrow('the program')
    expect(warned).toEqual([expect.stringMatching(/was not written/), expect.stringMatching(/was not written/)])
    // What is there before anything is asked is told before.
    let hasRun = false
    const run = async (): Promise<void> => {
      hasRun = true
    }
    await expect(trace(run, { file })).rejects.toThrow(UsageError)
    await expect(trace(run, { files: file } as never)).rejects.toThrow(/'files'/)
    expect(hasRun).toBe(false)
  })
})

describe('a recording', () => {
  const file = (): string => join(folder, 'recording.jsonl')
  it('loses the last call at most to a kill, wherever it was cut', async () => {
    const model = cassette(file(), saying(['a', 'b']))
    await model.ask('x')
    const first = readFileSync(file()).length
    await model.ask('y')
    const whole = readFileSync(file())
    for (let cut = whole.length - 2; cut > first; cut -= 13) {
      writeFileSync(file(), whole.subarray(0, cut))
      expect(await cassette(file()).ask('x')).toBe('a')
      expect(warned.at(-1)).toMatch(/left out the last recording/)
      // It is taken away where more is recorded, so that the next one is whole.
      expect(await cassette(file(), saying(['c'])).ask('y')).toBe('c')
      expect(await cassette(file()).ask('y')).toBe('c')
    }
    truncateSync(file(), 10)
    expect(() => cassette(file())).toThrow(InputError)
  })
  it('that two began at the same time is one', async () => {
    await cassette(file(), saying(['a'])).ask('x')
    const [head] = readFileSync(file(), 'utf8').split('\n')
    appendFileSync(file(), `${head}\n`)
    await cassette(file(), saying(['b'])).ask('y')
    expect(await cassette(file()).ask('y')).toBe('b')
  })
  it.each(['null', '5', '{"kind":"answer","asked":{},"pieces":5}', '{"kind":"answer","asked":{},"pieces":[null]}', '{"kind":"embed","asked":{},"numbers":[5]}'])('with %s is refused, with its line', async (line) => {
    await cassette(file(), saying(['a'])).ask('x')
    appendFileSync(file(), `${line}\n`)
    expect(() => cassette(file())).toThrow(/recording\.jsonl:3: expected a recorded call/)
  }) // biome-ignore format: the list
  it('knows whether its model goes on with an answer, so that a guard asks it the same', async () => {
    const rules = { output: [rule('no bad', (text: string) => !text.includes('Bad'))], onRefuse: 'retry' } as const
    const recorded = await guard(cassette(file(), saying(['One. Bad. ', 'Two.'], true)), rules).ask('x', { seed: 1 })
    expect(await guard(cassette(file()), rules).ask('x', { seed: 1 })).toBe(recorded)
  })
})

describe('kept answers', () => {
  const greedy = { temperature: 0 }
  const faults: string[] = []
  const open = (more: object = {}): Model =>
    cached(saying(['a']), { store: folder, onFault: (fault) => faults.push(fault), ...more })
  const file = (): string => join(folder, 'answers.jsonl')
  beforeEach(() => faults.splice(0))
  it.each([
    ['a folder', () => mkdirSync(file())],
    ['a pipe', () => execFileSync('mkfifo', [file()])],
    ['a link to itself', () => symlinkSync('answers.jsonl', file())],
  ])('are made anew where their file is %s, which is told once', async (_, spoil) => {
    spoil()
    const model = open()
    for (let i = 0; i < 3; i++) expect(await model.ask('x', greedy)).toBe('a')
    expect(faults.filter((fault) => fault.includes('cannot be read')).length).toBe(1)
  })
  it('are none of another form, though their check sum is right', async () => {
    await open().ask('x', greedy)
    const { entry } = JSON.parse(readFileSync(file(), 'utf8')) as { entry: { answer: object } }
    const wrong = [null, 5, { ...entry, at: 'x' }, { ...entry, answer: 5 }, { ...entry, answer: { ...entry.answer, toolCalls: 5 } }, { ...entry, question: 5 }] // biome-ignore format: a line
    for (const one of [...wrong.map((each) => JSON.stringify(each)), '{"key":', '['.repeat(100_000)]) {
      writeFileSync(file(), `{"check":"${hashText(one).slice(0, 16)}","entry":${one}}\n`)
      expect(await open().ask('x', greedy)).toBe('a')
      expect(faults.splice(0)).toEqual([expect.stringContaining('left out 1 lines')])
    }
  })
  it('are looked for once in what does not end', async () => {
    writeFileSync(file(), 'x'.repeat(5 << 20))
    const model = open()
    for (let i = 0; i < 20; i++)
      await model.ask(`${i}`, { ...greedy, signal: AbortSignal.abort() }).catch(() => undefined)
    for (let i = 0; i < 5; i++) expect(await model.ask('x', greedy)).toBe('a')
    expect(await open().ask('x', greedy)).toBe('a')
    expect(faults.length).toBe(2)
  })
  it('are not younger than now', async () => {
    vi.useFakeTimers({ now: Date.now() + 1e10, toFake: ['Date'] })
    await open().ask('x', greedy)
    vi.useRealTimers()
    const model = cached(saying(['b']), { store: folder, ttlSeconds: 60 })
    expect(await model.ask('x', greedy)).toBe('b')
  })
})
