import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeTextModel } from '../../../test/text-model.ts'
import { DiskFullError, InputError, UsageError } from '../../errors.ts'
import type { GateRecord } from '../../eval/gates/gate-record.ts'
import { splitByEntity } from '../../eval/gates/split-by-entity.ts'
import { resultOf } from '../../work.ts'
import { readGateQuestions } from './gate-questions.ts'
import {
  checkRecordSettings,
  dropTornLine,
  type RecordSettings,
  readGateRecords,
  recordWriter,
} from './gate-records.ts'
import { fitGate } from './run-gate.ts'
import { relationShots } from './shots.ts'

const folder = mkdtempSync(join(tmpdir(), 'gate-records-'))
const at = (name: string): string => join(folder, name)
const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const SETTINGS: RecordSettings = {
  model: 'm',
  check: [1, 0],
  questions: 2,
  data: 'abc',
  k: 1,
  index: null,
  maxNewTokens: 15,
  shots: null,
  today: '2026-01-31',
}
const record = (question: string): GateRecord => ({
  question,
  gold: ['a'],
  closed: { text: ' a', logprobs: [-1], entropies: [1], pTrue: 0.5 },
  retrieved: { text: ' b' },
  checks: { vanilla: { yes: 0.5, text: '[Yes]' } },
  spent: { closed: { seconds: 0.1, promptTokens: 3, newTokens: 2 } },
})

describe('questions', () => {
  const told: string[] = []
  const read = (rows: readonly unknown[]) => {
    writeFileSync(at('q.jsonl'), lines(rows))
    told.length = 0
    return readGateQuestions([at('q.jsonl')], (message) => told.push(message))
  }
  it('are read by RetrievalQA’s names and PopQA’s passages, and the rest is told', async () => {
    const title = { title: 'A', text: 'one' }
    expect(
      await read([
        {
          data_source: 'toolqa',
          question_id: 1,
          question: 'Q?',
          ground_truth: ['8', 20],
          context: [title, { title: 'B' }],
        },
        { question: 'R?', possible_answers: '["x"]', s_pop: 0, paragraphs: [{ ...title, is_supporting: true }] },
      ]),
    ).toEqual([
      { question: 'Q?', gold: ['8', '20'], relation: 'toolqa', passages: ['A\none', 'B'] },
      { question: 'R?', gold: ['x'], passages: ['A\none'] },
    ])
    expect(told).toEqual([
      'fields that are not read: question_id',
      '1 question with a popularity of 0, which counts as none: it has no logarithm',
    ])
    await read([{ question: 'R?', gold: 'x', paragraphs: [{ ...title, is_supporting: true }] }])
    expect(told.at(-1)).toContain('with no search before it')
  })
  it.each([
    [{ question: ' ', gold: 'x' }, 'expected `question`, a text, got " "'],
    [{ question: 'Q?' }, 'expected `gold`'],
    [{ question: 'Q?', gold: ['', ' '] }, 'expected `gold`'],
    [{ question: 'Q?', gold: [{}] }, 'expected `gold`'],
    [{ question: 'Q?', gold: 'x', popularity: 'many' }, 'expected `popularity`, a number of at least 0, got "many"'],
    [{ question: 'Q?', gold: 'x', popularity: 'NaN' }, 'expected `popularity`'],
    [{ question: 'Q?', gold: 'x', relation: {} }, 'expected `relation`'],
    [{ question: 'Q?', gold: 'x', passages: [{ body: 'x' }] }, 'expected `passages`'],
    [{ question: 'Q?', gold: 'x', passages: 7 }, 'expected `passages`'],
  ])('are refused in one line: %j', async (row, says) => {
    await expect(read([{ question: 'A?', gold: 'x' }, row])).rejects.toThrow(`q.jsonl:2: ${says}`)
    await expect(read([row])).rejects.toThrow(InputError)
  })
})

describe('records', () => {
  it('come back as they were written, without a line that a kill has cut', () => {
    const path = at('whole.jsonl')
    const add = recordWriter(path, SETTINGS)
    add(record('A?'))
    const whole = readFileSync(path, 'utf8')
    add(record('B?'))
    const kept = { settings: SETTINGS, records: [record('A?'), record('B?')] }
    expect(readGateRecords(path)).toMatchObject(kept)
    const bytes = readFileSync(path)
    const told: string[] = []
    // Wherever it is cut.
    for (let end = whole.length + 1; end < bytes.length - 1; end += 7) {
      writeFileSync(path, bytes.subarray(0, end))
      expect(readGateRecords(path, (message) => told.push(message)).records).toHaveLength(1)
      expect(told.at(-1)).toBe(`${path}: its last line is cut off and left out`)
      dropTornLine(path)
      expect(readFileSync(path, 'utf8')).toBe(whole)
    }
    recordWriter(path, SETTINGS)(record('B?'))
    expect(readFileSync(path)).toEqual(bytes)
  })
  it('keep their whole lines where the disk is full', () => {
    const path = at('full.jsonl')
    recordWriter(path, SETTINGS)(record('A?'))
    const before = readFileSync(path)
    const full = ((): never => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }) as never
    expect(() => recordWriter(path, SETTINGS, full)(record('B?'))).toThrow(DiskFullError)
    expect(readFileSync(path)).toEqual(before)
  })
  it.each([
    [{ model: 'n' }, 'expected answers of the model that is asked for (n), got those of m.'],
    [{ check: [0, 1] }, 'another one that is called m, too'],
    [{ check: [] }, 'another one'],
    [{ data: 'x' }, 'questions, by their hash'],
    [{ k: 5 }, 'of the k that is asked for (5), got those of 1'],
    [{ shots: 3 }, 'seed of examples that is asked for (3), got those of none'],
    [{ index: '9 documents' }, 'of the index that'],
  ] as const)('are refused to others: %j', (given, says) => {
    expect(() => checkRecordSettings('a', SETTINGS, given)).toThrow(says)
    expect(() => checkRecordSettings('a', SETTINGS, { ...SETTINGS, check: [2, 0] })).not.toThrow()
  })
  it.each([
    ['null', 'in JSON'],
    ['[1]', 'in JSON'],
    ['{"question":', 'in JSON'],
    [JSON.stringify({ ...record('A?'), gold: [] }), 'expected `gold`'],
    [JSON.stringify({ ...record('A?'), question: '' }), 'expected `question`'],
    [JSON.stringify({ ...record('A?'), closed: null }), 'with a `text`'],
    [JSON.stringify({ ...record('A?'), closed: { text: 'a', logprobs: [null] } }), 'with `logprobs`'],
    [JSON.stringify(record('A?')).replace('"logprobs":[-1]', '"logprobs":[-1e999]'), 'with `logprobs`'],
    [JSON.stringify({ ...record('A?'), closed: { text: 'a', entropies: [-1] } }), 'with `entropies`'],
    [JSON.stringify({ ...record('A?'), closed: { text: 'a', pTrue: 2 } }), 'with a `pTrue`'],
    [JSON.stringify({ ...record('A?'), checks: { vanilla: 1 } }), 'with `checks`'],
    [JSON.stringify({ ...record('A?'), spent: { closed: null } }), 'with `spent`'],
  ])('are refused where they are none: %s', (line, says) => {
    writeFileSync(at('hostile.jsonl'), `${lines([record('A?')])}${line}\n`)
    expect(() => readGateRecords(at('hostile.jsonl'))).toThrow(InputError)
    expect(() => readGateRecords(at('hostile.jsonl'))).toThrow(says)
  })
})

describe('examples', () => {
  it('are one of each other relation, from the part that is fitted on', () => {
    const questions = Array.from({ length: 60 }, (_, i) => ({
      question: `q${i}?`,
      gold: [`g${i}`],
      relation: `r${i % 4}`,
      entity: `${i}`,
    }))
    const train = new Set(splitByEntity(questions, { seed: 5 })[0]!.map(({ question }) => question))
    const shots = relationShots(questions, 5)
    for (const [i, text] of shots.entries()) {
      const found = Array.from(text.matchAll(/Q: (q(\d+)\?) A: g(\d+)\n/g))
      expect(found.map(([, , number]) => Number(number) % 4).sort()).toEqual([0, 1, 2, 3].filter((r) => r !== i % 4))
      expect(found.every(([, question, a, b]) => train.has(question!) && a === b)).toBe(true)
    }
    expect(relationShots(questions, 5)).toEqual(shots)
    expect(relationShots(questions, 6)).not.toEqual(shots)
    expect(() =>
      relationShots(
        questions.map((one) => ({ ...one, relation: 'r' })),
        1,
      ),
    ).toThrow('at least two relations')
  })
})

describe('a run that was stopped', () => {
  let model = ''
  beforeAll(async () => {
    ;({ model } = await writeTextModel(folder))
  })
  const rows = Array.from({ length: 8 }, (_, i) => ({ question: `the cat ${i}`, gold: 'zz', passages: ['the dog'] }))
  it('goes on behind the last record, to the same file', async () => {
    writeFileSync(at('data.jsonl'), lines(rows))
    const asked = { model, data: [at('data.jsonl')], out: at('x.safetensors') }
    const run = async (records: string): Promise<string[]> => {
      const told: string[] = []
      // A model that knows nothing: nothing can be fitted, and the answers are kept.
      const run = resultOf(fitGate({ ...asked, records }), (event) => {
        if (event.type === 'notice') told.push(event.message)
      })
      await expect(run).rejects.toThrow('got 0 of')
      return told
    }
    await run(at('at-once.jsonl'))
    const bytes = readFileSync(at('at-once.jsonl'))
    const second = Buffer.byteLength(bytes.toString().split('\n').slice(0, 3).join('\n')) + 1
    writeFileSync(at('torn.jsonl'), bytes.subarray(0, second + 20))
    const told = await run(at('torn.jsonl'))
    expect(told).toContain(`${at('torn.jsonl')}: its last line is cut off and left out`)
    expect(told).toContainEqual(expect.stringContaining('2 of 8 questions are answered and not asked again'))
    // All but the seconds.
    const said = (path: string) => readGateRecords(path).records.map(({ spent: _, ...rest }) => rest)
    expect(said(at('torn.jsonl'))).toEqual(said(at('at-once.jsonl')))
    expect(readFileSync(at('torn.jsonl')).subarray(0, second)).toEqual(bytes.subarray(0, second))
    const whole = readFileSync(at('torn.jsonl'))
    await run(at('torn.jsonl'))
    expect(readFileSync(at('torn.jsonl'))).toEqual(whole)
    await expect(resultOf(fitGate({ ...asked, records: at('torn.jsonl'), k: 2 }))).rejects.toThrow('of the k that')
    writeFileSync(at('data.jsonl'), lines(rows.slice(1)))
    await expect(resultOf(fitGate({ ...asked, records: at('torn.jsonl') }))).rejects.toThrow('number of questions')
    writeFileSync(at('by-hand.jsonl'), lines([record('A?')]))
    await expect(resultOf(fitGate({ ...asked, records: at('by-hand.jsonl') }))).rejects.toThrow(UsageError)
  })
  it('is refused a folder that is no index', async () => {
    writeFileSync(at('bare.jsonl'), lines([{ question: 'Who?', gold: 'Ann' }]))
    const asked = { model, records: at('none.jsonl'), data: [at('bare.jsonl')], out: at('x'), index: folder }
    await expect(resultOf(fitGate(asked))).rejects.toThrow('expected an index, got no index.json')
  })
})
