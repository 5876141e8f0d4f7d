import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kindTeacher, type TurnRow, turnRecipe, turnSeeds } from '../../test/synthesis-parts.ts'
import { InputError, UsageError } from '../errors.ts'
import { hashOf } from '../files/hash.ts'
import { ServiceError } from '../prompting/base/dialect.ts'
import { modelOf } from '../prompting/base/model.ts'
import { resultOf, type WorkEvent } from '../work.ts'
import { readCalls } from './ledger.ts'
import { type Recipe, Refused } from './recipe.ts'
import type { Reject } from './row-files.ts'
import { hashOfSeeds } from './synthesis-setup.ts'
import { type SynthesizeOptions, synthesize } from './synthesize.ts'

const folder = mkdtempSync(join(tmpdir(), 'synth-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0
const newOut = (): string => join(folder, `out-${count++}`)
const textOf = (out: string, name: string): string => readFileSync(join(out, name), 'utf8')
const linesOf = (out: string, name: string): unknown[] =>
  textOf(out, name)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown)
const filesOf = (out: string): string[] => ['rows.jsonl', 'rejects.jsonl'].map((name) => textOf(out, name))
type Options = SynthesizeOptions<{ topic: string }, TurnRow, string>
const run = (out: string, more: Partial<Options> = {}, onEvent?: (event: WorkEvent) => void) =>
  resultOf(
    synthesize({ recipe: turnRecipe, seeds: turnSeeds(12), model: kindTeacher().model, out, seed: 7, ...more }),
    onEvent,
  )

let whole: string
beforeAll(async () => {
  whole = newOut()
  await run(whole, { concurrency: 1 })
})

describe('synthesize', () => {
  it('keeps rows in the order of the seeds, every refused try and every call', () => {
    const rows = linesOf(whole, 'rows.jsonl') as TurnRow[]
    const rejects = linesOf(whole, 'rejects.jsonl') as Reject[]
    const calls = readCalls(whole)
    const lost = rejects.filter(({ isLast }) => isLast)
    expect(rows.length + lost.length).toBe(12)
    expect(lost.length).toBeGreaterThan(0)
    expect(rejects.length).toBeGreaterThan(lost.length * 3)
    expect(rows.map(({ topic }) => topic)).toEqual(
      turnSeeds(12)
        .map(({ topic }) => topic)
        .filter((_, i) => !lost.some(({ row }) => row === i)),
    )
    // A call each for the style, for every turn that stands in a row, and for what was refused; seeds without a row had turns too.
    expect(calls.length).toBeGreaterThanOrEqual(1 + 3 * rows.length + rejects.length)
    expect(calls[0]).toMatchObject({
      row: null,
      attempt: 1,
      call: { temperature: 0 },
      answer: { finishReason: 'stop' },
    })
    const second = calls.find(({ attempt }) => attempt === 2)!
    expect(second.reason).toMatch(/^begins with [0-7]$/)
    expect(String(second.call.messages[0]!.content)).toContain(second.reason)
  })
  it('makes the same files whatever goes on at the same time', async () => {
    const out = newOut()
    await run(out, { concurrency: 5 })
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('has draws of its own for rows with the same words, and others with another seed', async () => {
    const recipe: Recipe<unknown, string[]> = {
      name: 'same',
      setup: null,
      make: async (_, { model }) => [await model.ask('x'), await model.ask('x')],
      textsOf: (row) => row,
    }
    const out = newOut()
    await resultOf(synthesize({ recipe, seeds: [1, 1], model: kindTeacher().model, out }))
    const other = newOut()
    await resultOf(synthesize({ recipe, seeds: [1, 1], model: kindTeacher().model, out: other, seed: 1 }))
    const texts = [...linesOf(out, 'rows.jsonl'), ...linesOf(other, 'rows.jsonl')].flat()
    expect(new Set(texts).size).toBe(8)
  })
  it('goes on after what a kill leaves of its files, to the same bytes', async () => {
    const rejects = linesOf(whole, 'rejects.jsonl') as Reject[]
    const rowEnds = Array.from(textOf(whole, 'rows.jsonl').matchAll(/\n/g), ({ index }) => index + 1)
    const rejectEnds = Array.from(textOf(whole, 'rejects.jsonl').matchAll(/\n/g), ({ index }) => index + 1)
    const lost = rejects.filter(({ isLast }) => isLast).map(({ row }) => row!)
    const bytes = (ends: number[], lines: number): number => (lines === 0 ? 0 : ends[lines - 1]!)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 12 }), fc.nat(), fc.nat(), async (settled, a, b) => {
        const out = newOut()
        cpSync(whole, out, { recursive: true })
        const before = rejects.filter(({ row }) => row === null || row < settled).length
        const after = rejects.filter(({ row }) => row === null || row <= settled).length
        const rows = settled - lost.filter((row) => row < settled).length
        // A part of the rejects of the next seed, or all of them and a part of its row.
        const [least, most] = [bytes(rejectEnds, before), bytes(rejectEnds, after)]
        const isRow = !lost.includes(settled)
        const cutRejects = most === least ? least : least + (a % (most - least + (isRow ? 1 : 0)))
        const rowBytes = bytes(rowEnds, rows)
        const nextRow = rowEnds[rows]
        const mayBegin = cutRejects === most && isRow && nextRow !== undefined
        truncateSync(join(out, 'rejects.jsonl'), cutRejects)
        truncateSync(join(out, 'rows.jsonl'), mayBegin ? rowBytes + (b % (nextRow - rowBytes)) : rowBytes)
        truncateSync(join(out, 'calls.jsonl'), b % (readFileSync(join(out, 'calls.jsonl')).length + 1))
        await run(out, { concurrency: 1 + (a % 3) })
        expect(filesOf(out)).toEqual(filesOf(whole))
        rmSync(out, { recursive: true })
      }),
      { numRuns: 25 },
    )
  })
  it('goes on after kills at any moment, and asks nothing again that was answered', { timeout: 120_000 }, async () => {
    const out = newOut()
    const script = fileURLToPath(new URL('../../test/fixtures/synthesis-run.ts', import.meta.url))
    for (let kills = 0; ; kills++) {
      const child = spawn(process.execPath, ['--import', 'tsx', script, out, '3'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const most = 1 + Math.floor(Math.random() * 12)
      let answered = 0
      createInterface(child.stdout).on('line', () => {
        if (++answered === most && kills < 4) child.kill('SIGKILL')
      })
      const [code] = (await once(child, 'exit')) as [number | null]
      if (code === 0) break
      expect(code).toBe(null)
    }
    expect(filesOf(out)).toEqual(filesOf(whole))
    const { model, asked } = kindTeacher()
    rmSync(join(out, 'rows.jsonl'))
    rmSync(join(out, 'rejects.jsonl'))
    await run(out, { model })
    expect(asked).toEqual([])
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('ends where files may grow no further, and goes on from there', { timeout: 60_000 }, async () => {
    const out = newOut()
    const script = fileURLToPath(new URL('../../test/fixtures/synthesis-run.ts', import.meta.url))
    const words = `ulimit -f 6; exec "$0" --import tsx "$1" "$2" 3`
    const child = spawn('bash', ['-c', words, process.execPath, script, out], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    expect(await once(child, 'close')).toEqual([1, null])
    expect(said).toMatch(/DiskFullError.*no space to write/)
    await run(out)
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('stops where the budget is spent, counts what was spent before, and goes on with more', async () => {
    const out = newOut()
    const priced = () => kindTeacher({ cost: { input: 1e5, output: 0 } })
    const first = await run(out, { model: priced().model, maxCost: 10, concurrency: 2 })
    expect(first).toMatchObject({ end: 'budget' })
    expect(first.spent.cost).toBeGreaterThanOrEqual(10)
    expect(first.spent.calls).toBeLessThanOrEqual(11)
    const { model, asked } = priced()
    expect(await run(out, { model, maxCalls: first.spent.calls })).toMatchObject({
      ...{ end: 'budget', rows: first.rows, budget: `${first.spent.calls} of ${first.spent.calls} calls` },
    })
    expect(asked).toEqual([])
    expect(await run(out, { model: priced().model })).toMatchObject({ end: 'done' })
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('says how many answers were cut at their limit of tokens', async () => {
    const lines: string[] = []
    const { model } = kindTeacher()
    const short = modelOf({
      ...model,
      async *answer(call) {
        for await (const piece of model.answer(call))
          yield piece.finishReason === undefined ? piece : { ...piece, finishReason: 'length' as const }
      },
    })
    const { spent } = await run(newOut(), { model: short, limit: 2 }, (event) => {
      if (event.type === 'result') lines.push(...event.lines!)
    })
    expect(spent.cut).toBe(spent.calls)
    expect(lines.join('\n')).toContain(`${spent.cut} answers ended at the limit of tokens`)
    expect((await run(newOut(), { limit: 2 })).spent.cut).toBe(0)
  })
  it('says what differs where a folder has another synthesis, and takes more seeds', async () => {
    const out = newOut()
    await run(out, { seeds: turnSeeds(4) })
    await expect(run(out, { seeds: turnSeeds(4), seed: 8 })).rejects.toThrow('seed was 7 and is 8')
    await expect(run(out, { recipe: { ...turnRecipe, setup: { wording: 2 } } })).rejects.toThrow(
      'recipe.setup.wording was 1 and is 2',
    )
    await expect(run(out, { seeds: turnSeeds(5).slice(1) })).rejects.toThrow(UsageError)
    await expect(run(out, { seeds: turnSeeds(4), sampling: { temperature: 0 } })).rejects.toThrow('temperature')
    await run(out)
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('leaves what was made and ends where it is stopped or the teacher fails', async () => {
    const out = newOut()
    const stop = new AbortController()
    const stopped = run(out, { signal: stop.signal, concurrency: 2 }, (event) => {
      if (event.type === 'progress' && event.done >= 3) stop.abort(new Error('stopped'))
    })
    await expect(stopped).rejects.toThrow('stopped')
    expect(linesOf(out, 'rows.jsonl').length).toBeGreaterThan(0)
    const { model } = kindTeacher()
    let left = 5
    const failing = modelOf({
      ...model,
      answer: (call) => {
        if (left-- > 0) return model.answer(call)
        throw new ServiceError('host: expected an answer, got HTTP 401', { status: 401 })
      },
    })
    const told: string[] = []
    const failed = run(out, { model: failing }, (event) => event.type === 'notice' && told.push(event.message))
    await expect(failed).rejects.toThrow('got HTTP 401')
    expect(told.at(-1)).toMatch(/^\d+ of 12 seeds are done and all calls kept/)
    await run(out)
    expect(filesOf(out)).toEqual(filesOf(whole))
  })
  it('gives up one row for a request that the service refuses, once it has answered others', async () => {
    const { model } = kindTeacher()
    const refusing = modelOf({
      ...model,
      answer: (call) => {
        if (!JSON.stringify(call.messages).includes('topic 1 ')) return model.answer(call)
        throw new ServiceError('host: expected an answer, got HTTP 400 too long', { status: 400 })
      },
    })
    const out = newOut()
    await run(out, { model: refusing })
    const rejects = linesOf(out, 'rejects.jsonl') as Reject[]
    expect(rejects.filter(({ row }) => row === 1)).toEqual([
      { row: 1, attempt: 1, reason: 'host: expected an answer, got HTTP 400 too long', text: '', isLast: true },
    ])
    const short = modelOf({
      ...model,
      answer: (call) => {
        if (!JSON.stringify(call.messages).includes('topic 0 ')) return model.answer(call)
        throw new InputError('prompt: expected at most 256 tokens, got 300. Shorten it')
      },
    })
    const other = newOut()
    expect(await run(other, { model: short, seeds: turnSeeds(2) })).toMatchObject({ end: 'done' })
    expect(textOf(other, 'rejects.jsonl')).toContain('"reason":"prompt: expected at most 256 tokens')
    const always = modelOf({
      ...model,
      answer: () => {
        throw new ServiceError('HTTP 400', { status: 400 })
      },
    })
    await expect(run(newOut(), { model: always })).rejects.toThrow('HTTP 400')
  })
  it("says where somebody changed what was made, and gives no seed another one's row", async () => {
    const recipe: Recipe<string, string> = {
      name: 'r',
      setup: null,
      make: async (seed, { model: asked, attempt }) =>
        attempt(async () => {
          const said = await asked.ask(seed)
          if (seed === 'c') throw new Refused('no', said)
          return seed
        }),
      textsOf: (row) => [row],
    }
    const seeds = ['a', 'b', 'c', 'd', 'e']
    const given = { recipe, model: kindTeacher().model, again: 0 }
    const begun = newOut()
    await resultOf(synthesize({ ...given, seeds: seeds.slice(0, 4), out: begun }))
    const changed = async (name: string, change: (text: string) => string): Promise<string> => {
      const out = newOut()
      cpSync(begun, out, { recursive: true })
      writeFileSync(join(out, name), change(textOf(out, name)))
      try {
        await resultOf(synthesize({ ...given, seeds, out }))
      } catch (error) {
        expect(error).toBeInstanceOf(InputError)
        return (error as Error).message
      }
      return textOf(out, 'rows.jsonl')
    }
    expect(await changed('rows.jsonl', (text) => text)).toBe('"a"\n"b"\n"d"\n"e"\n')
    const others = /rows.jsonl: expected the rows that were made, got another one among rows [12] to [12]/
    expect(await changed('rows.jsonl', (text) => text.replace('"b"\n', ''))).toMatch(others)
    expect(await changed('rows.jsonl', (text) => text.replace('"b"', '"x"'))).toMatch(others)
    expect(await changed('rows.jsonl', (text) => `"a"\n${text}`)).toMatch(others)
    expect(await changed('rows.jsonl', (text) => text.replace('"b"', 'b'))).toMatch(others)
    expect(await changed('rows.jsonl', (text) => text.replace('"d"\n', ''))).toBe('"a"\n"b"\n"d"\n"e"\n')
    expect(await changed('rejects.jsonl', (text) => text + text)).toMatch(/expected one last reject of a seed, got two/)
    expect(await changed('rejects.jsonl', (text) => text.replace('"reason"', '"why"'))).toMatch(
      /line of something else/,
    )
    expect(await changed('synthesis.json', () => 'null')).toMatch(/expected the setup of a synthesis/)
  })

  it('takes more seeds than a call takes arguments', () => {
    const many = Array.from({ length: 300_000 }, (_, i) => i)
    expect(hashOfSeeds(many, 2)).toBe(hashOf('0', '1'))
    expect(hashOfSeeds(many)).not.toBe(hashOfSeeds(many, 299_999))
  })

  it('lets one process at a time into a folder', async () => {
    const out = newOut()
    let refused: unknown
    await run(out, {}, (event) => {
      if (event.type === 'progress' && refused === undefined) refused = run(out).catch((error: Error) => error.message)
    })
    expect(await refused).toMatch(/another run is writing/)
  })
})
