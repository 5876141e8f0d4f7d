// What goes around rows: files of a batch, what is replaced, copies, cards, disks that are full.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { kindTeacher, type TurnRow, turnRecipe, turnSeeds } from '../../test/synthesis-parts.ts'
import { DiskFullError, InputError } from '../errors.ts'
import { collectAnswer } from '../prompting/base/collect-answer.ts'
import { resultOf } from '../work.ts'
import { copiesOf, nearCopies } from './near-copies.ts'
import { type Recipe, Refused } from './recipe.ts'
import { RowFiles } from './row-files.ts'
import { type SynthesizeOptions, synthesize } from './synthesize.ts'

const folder = mkdtempSync(join(tmpdir(), 'transports-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0
const newOut = (): string => join(folder, `out-${count++}`)
const textOf = (out: string, name: string): string => readFileSync(join(out, name), 'utf8')
type Options = SynthesizeOptions<{ topic: string }, TurnRow, string>
const { model } = kindTeacher({ cost: { input: 1, output: 2 } })
const run = (out: string, more: Partial<Options> = {}) =>
  resultOf(synthesize({ recipe: turnRecipe, seeds: turnSeeds(5), model, out, seed: 7, ...more }))

interface BatchLine {
  custom_id: string
  body: { messages: never; seed?: number; temperature?: number; stream?: true }
}

describe('a batch', () => {
  it('asks by files round after round, and makes the same rows', async () => {
    const [whole, out] = [newOut(), newOut()]
    await run(whole)
    let rounds = 0
    const results: string[] = []
    for (let result = await run(out, { batch: true }); result.end === 'batch'; rounds++) {
      const again = await run(out, { batch: true, results })
      expect(again.batch).toBe(result.batch)
      const lines = textOf('', result.batch!).trimEnd().split('\n')
      expect(lines).toHaveLength(result.waiting!)
      const answers = await Promise.all(
        lines.map(async (line) => {
          const { custom_id, body } = JSON.parse(line) as BatchLine
          expect(body.stream).toBeUndefined()
          const { text } = await collectAnswer(model.answer(body))
          const choices = [{ message: { role: 'assistant', content: text }, finish_reason: 'stop' }]
          const usage = { prompt_tokens: 10, completion_tokens: 2 }
          return { custom_id, response: { status_code: 200, body: { choices, usage } }, error: null }
        }),
      )
      if (rounds === 0) answers.push({ ...answers[0]!, custom_id: 'of somebody else' })
      const file = join(folder, `answers-${rounds}.jsonl`)
      writeFileSync(
        file,
        answers
          .toReversed()
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(''),
      )
      results.push(file)
      result = await run(out, { batch: true, results: [file] })
    }
    expect(rounds).toBeGreaterThan(3)
    for (const name of ['rows.jsonl', 'rejects.jsonl']) expect(textOf(out, name)).toBe(textOf(whole, name))
    const spent = (place: string): unknown => (JSON.parse(textOf(place, 'report.json')) as { cost: number }).cost
    expect(spent(out)).toBe(spent(whole))
  })
  it('asks again what was not answered, and refuses other files', async () => {
    const out = newOut()
    const first = await run(out, { batch: true })
    const { custom_id } = JSON.parse(textOf('', first.batch!).split('\n')[0]!) as BatchLine
    const file = join(folder, 'failed.jsonl')
    writeFileSync(file, `${JSON.stringify({ custom_id, response: { status_code: 500, body: { error: 'busy' } } })}\n`)
    const told: string[] = []
    const second = await resultOf(
      synthesize({ recipe: turnRecipe, seeds: turnSeeds(5), model, out, seed: 7, batch: true, results: [file] }),
      (event) => event.type === 'notice' && told.push(event.message),
    )
    expect(second.batch).toBe(first.batch)
    expect(told[0]).toMatch(/^1 calls of the batch were not answered .*"busy"/)
    writeFileSync(file, '{"text": "x"}\n')
    await expect(run(out, { batch: true, results: [file] })).rejects.toThrow(InputError)
  })
  it('takes nothing of an answer on trust, and says whose is none of its calls', async () => {
    const recipe: Recipe<string, string> = {
      name: 'one',
      setup: null,
      make: (seed, { model: asked }) => asked.ask(seed),
      textsOf: (row) => [row],
    }
    const given = { recipe, seeds: ['a'], model, batch: true }
    const answered = async (body: unknown, id?: string, times = 1) => {
      const out = newOut()
      const first = await resultOf(synthesize({ ...given, out }))
      const { custom_id } = JSON.parse(textOf('', first.batch!).split('\n')[0]!) as BatchLine
      const file = `${out}.jsonl`
      const line = `${JSON.stringify({ custom_id: id ?? custom_id, response: { status_code: 200, body } })}\n`
      writeFileSync(file, line.repeat(times))
      const told: string[] = []
      const { spent } = await resultOf(
        synthesize({ ...given, out, results: [file] }),
        (event) => event.type === 'notice' && told.push(event.message),
      )
      return [textOf(out, 'rows.jsonl').trim(), spent.calls, spent.promptTokens, told.join()]
    }
    const choices = (message: unknown) => [{ message, finish_reason: 'stop' }]
    for (const message of [
      null,
      3,
      { content: 3 },
      { content: '', tool_calls: [{}] },
      { content: '', tool_calls: 'x' },
    ])
      expect(await answered({ choices: choices(message) })).toEqual(['', 0, 0, expect.stringContaining('not answered')])
    for (const prompt_tokens of ['12', -5, null, 1.5])
      expect(await answered({ choices: choices({ content: 'b' }), usage: { prompt_tokens } })).toEqual([
        '"b"',
        1,
        0,
        '',
      ])
    expect(await answered({ choices: choices({ content: 'b' }) }, undefined, 2)).toEqual([
      ...['"b"', 1, 0],
      '1 calls of the batch were answered again: the first answer is kept',
    ])
    const parts = [{ type: 'text', text: 'c' }, { text: 'd' }]
    expect(await answered({ choices: choices({ content: parts }), usage: { prompt_tokens: 7 } })).toEqual([
      '"cd"',
      1,
      7,
      '',
    ])
    expect((await answered({ choices: choices({ content: null, refusal: 'no' }) }))[0]).toBe('"no"')
    expect(await answered({ choices: choices({ content: 'b' }) }, 'other')).toEqual([
      '',
      0,
      0,
      '1 answers of the batch are to no call of this synthesis, and are left out',
    ])
  })
})

const echo: Recipe<{ text: string }, { said: string; of: string }> = {
  name: 'echo',
  setup: null,
  make: async ({ text }, { model: asked }) => ({ said: `${await asked.ask(text)} ann@example.org`, of: text }),
  textsOf: ({ of }) => [of],
  topicOf: ({ of }) => of.slice(0, 3),
}

describe('what is told of rows', () => {
  it('replaces addresses in seeds and rows, and says so on the card', async () => {
    const out = newOut()
    const seeds = [{ text: 'write to bob@site.org at 8.8.8.8' }]
    const scrub = { seeds: ['email', 'ip'], rows: ['email'] } as const
    const given = { recipe: echo, seeds, model, out, scrub, licence: 'CC0 | free' }
    await resultOf(synthesize({ ...given, seedFiles: [{ path: 'a.jsonl', sha256: '0'.repeat(64) }] }))
    const [row] = textOf(out, 'rows.jsonl').split('\n')
    expect(JSON.parse(row!)).toMatchObject({ of: 'write to email@example.com at 192.0.2.1' })
    expect(row).not.toContain('ann@')
    expect(textOf(out, 'calls.jsonl')).not.toContain('bob@')
    expect(JSON.parse(textOf(out, 'lineage.json'))).toMatchObject({
      teacher: { name: 'kind', licence: 'CC0 | free' },
      seeds: { count: 1, files: [{ path: 'a.jsonl' }] },
      isComplete: true,
      rows: { count: 1 },
      calls: 1,
      scrubbed: { seeds: { email: 1, ip: 1 }, rows: { email: 2 } },
    })
    expect(textOf(out, 'README.md')).toContain('| Licence of what the teacher writes | CC0 \\| free |')
    const other = newOut()
    await resultOf(synthesize({ recipe: echo, seeds, model, out: other }))
    expect(textOf(other, 'README.md')).toContain('unknown: find it out before')
  })
  it('finds copies of others as plain loops do, and among 20,000 of one template', () => {
    const word = fc.integer({ min: 0, max: 5 }).map((n) => 'abcdef'[n]!)
    const some = fc.array(
      fc.array(word, { maxLength: 14 }).map((words) => words.join(' ')),
      { maxLength: 12 },
    )
    const runsOf = (text: string): Set<string> => {
      const words = text.split(' ')
      return new Set(words.slice(4).map((_, i) => words.slice(i, i + 5).join(' ')))
    }
    fc.assert(
      fc.property(some, some, fc.constantFrom(0.5, 0.8, 1), (texts, others, near) => {
        const wanted = texts.flatMap((text, i) => {
          const shares = others.map((other) => {
            const [a, b] = [runsOf(text), runsOf(other)]
            const least = Math.min(a.size, b.size)
            return least < 4 ? 0 : [...a].filter((run) => b.has(run)).length / least
          })
          const most = Math.max(0, ...shares)
          return most >= near ? [[i, most]] : []
        })
        expect(copiesOf(texts, others, near).map(({ text, share }) => [text, share])).toEqual(wanted)
      }),
    )
    const like = (i: number) =>
      `Please write a short story for small children about ${i.toString(36).replace(/\d/g, 'z')}x${i % 26}`
    const many = Array.from({ length: 20_000 }, (_, i) => like(i))
    expect(copiesOf(many, many)).toHaveLength(20_000)
  })
  it('finds copies within rows, of seeds and of tests', async () => {
    const words = (from: number) =>
      Array.from(
        { length: 30 },
        (_, i) => `w${'abcdefghij'[(from + i) % 10]}${'klmnopqrst'[Math.floor((from + i) / 10) % 10]}`,
      ).join(' ')
    const [a, b, c] = [words(0), words(40), words(70)]
    expect(nearCopies([a, b, `${a} more`, '', 'x'])).toEqual([{ text: 2, like: 0, share: 26 / 27 }])
    expect(copiesOf([`${b} and ${a}`, 'one two'], [c, a, 'one two'])).toEqual([{ text: 0, like: 1, share: 1 }])
    const out = newOut()
    const seeds = [a, b, a].map((text) => ({ text }))
    await resultOf(synthesize({ recipe: echo, seeds, model, out, against: [{ name: 'test.jsonl', texts: [b] }] }))
    const report = JSON.parse(textOf(out, 'report.json')) as Record<string, unknown>
    expect(report).toMatchObject({
      rows: 3,
      within: { count: 1, examples: [{ row: 2, like: 0, share: 1 }] },
      against: { seeds: { count: 3 }, 'test.jsonl': { count: 1, examples: [{ row: 1, like: 0 }] } },
      diversity: { texts: 3 },
    })
    expect(textOf(out, 'report.html')).toContain('test.jsonl')
  })
})

describe('row files', () => {
  it('stay as they were where the disk is full, and go on', () => {
    const out = newOut()
    mkdirSync(out)
    let left = 20
    const full: typeof writeSync = ((descriptor: number, bytes: Buffer, at: number) => {
      if (left <= 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      const part = Math.min(left, bytes.length - at)
      left -= part
      return writeSync(descriptor, bytes, at, part)
    }) as typeof writeSync
    const reject = { row: 1, attempt: 1, reason: 'r', text: 't' }
    const files = new RowFiles(out, full)
    files.add({ row: { a: 1 }, rejects: [] })
    expect(() => files.add({ row: { a: 2 }, rejects: [reject] })).toThrow(DiskFullError)
    left = 1000
    files.add({ row: { a: 2 }, rejects: [reject] })
    expect(textOf(out, 'rows.jsonl')).toBe('{"a":1}\n{"a":2}\n')
    expect(textOf(out, 'rejects.jsonl')).toBe(`${JSON.stringify(reject)}\n`)
    expect(new RowFiles(out).settled).toBe(2)
  })
  it('end a run whose first need is refused, with the reason', async () => {
    const recipe: Recipe<unknown, null> = {
      name: 'none',
      setup: null,
      prepare: () => Promise.reject(new Refused('no style', 'x')),
      make: () => Promise.resolve(null),
      textsOf: () => [],
    }
    const out = newOut()
    await expect(resultOf(synthesize({ recipe, seeds: [1], model, out }))).rejects.toThrow(
      'got what was refused: no style',
    )
    expect(JSON.parse(textOf(out, 'rejects.jsonl'))).toMatchObject({ row: null, reason: 'no style' })
  })
})
