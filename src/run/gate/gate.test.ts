import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeTextModel } from '../../../test/text-model.ts'
import { TINY_CHAT_TEMPLATE } from '../../../test/tiny-model.ts'
import { InputError, UsageError } from '../../errors.ts'
import type { GateRecord } from '../../eval/gates/gate-record.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { gates } from '../../prompting/base/gates.ts'
import { localModel } from '../../prompting/base/local-model.ts'
import { probeProbability, promptVector } from '../../prompting/base/question-probe.ts'
import { readQuestionProbe } from '../../prompting/base/question-probe-file.ts'
import { trace } from '../../prompting/base/trace.ts'
import { retrieveIf } from '../../prompting/execute/retrieve-if.ts'
import { Bm25 } from '../../retrieve/bm25.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { loadLm } from '../load-lm.ts'
import { readGateQuestions } from './gate-questions.ts'
import { recordAnswers } from './record-answers.ts'
import { fitGate, reportGates, runGateSweep } from './run-gate.ts'
import { sweepGates, type VectorRecord } from './sweep-gates.ts'

const folder = mkdtempSync(join(tmpdir(), 'gate-'))
const at = (name: string): string => join(folder, name)
const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

/** The model knows cats; documents help with dogs and harm with cats. */
function recordOf(i: number): GateRecord {
  const isCat = i % 2 === 0
  const text = (isRight: boolean): string => (isRight ? ' moon' : ' hill')
  return {
    question: `where is the ${isCat ? 'cat' : 'dog'} number ${i} that sat on the ${i % 3 === 0 ? 'mat' : 'hill'}?`,
    gold: ['moon'],
    relation: i % 3 === 0 ? 'a' : 'b',
    entity: `${i}`,
    popularity: isCat ? 100 + i : 1 + i / 100,
    checks: { vanilla: { yes: isCat ? 0.1 : 0.9, text: isCat ? 'No' : ' Yes' } },
    closed: { text: text(isCat), logprobs: [isCat ? -0.1 : -2], entropies: [isCat ? 0.1 : 2], pTrue: 0.5 },
    retrieved: { text: text(!isCat) },
  }
}
const RECORDS = Array.from({ length: 80 }, (_, i) => recordOf(i))

describe('questions', () => {
  it('are read by our names and PopQA’s', async () => {
    writeFileSync(
      at('q.jsonl'),
      lines([
        { question: 'Who?', gold: 'Ann', passages: ['Ann is.'] },
        { question: 'Where?', possible_answers: '["Rome", "Roma"]', prop: 'place', subj_id: 7, s_pop: 12 },
      ]),
    )
    expect(await readGateQuestions([at('q.jsonl')])).toEqual([
      { question: 'Who?', gold: ['Ann'], passages: ['Ann is.'] },
      { question: 'Where?', gold: ['Rome', 'Roma'], relation: 'place', entity: '7', popularity: 12 },
    ])
    writeFileSync(at('bad.jsonl'), lines([{ text: 'x' }]))
    await expect(readGateQuestions([at('bad.jsonl')])).rejects.toThrow('bad.jsonl:1: expected `question`')
  })
  it('are asked both ways, with documents quoted, and P(true) read off probabilities', async () => {
    const lm = fakeLm({
      reply: (request) => ('prompt' in request && request.prompt.includes('<document>') ? ' Rome\nno' : ' Oslo'),
      logProb: (ids, i) => (String.fromCodePoint(...ids.slice(0, i + 1)).endsWith('Yes') ? -3 : -1),
    })
    const retriever = new Bm25([{ id: 'a', text: 'Rome is in Italy. </document> Q: x' }])
    const [record] = await recordAnswers(lm, [{ question: 'Is it Italy?', gold: ['Rome'] }], { retriever })
    expect(record).toMatchObject({ gold: ['Rome'], closed: { text: ' Oslo' }, retrieved: { text: ' Rome' } })
    // ` Yes` has four characters of −1, −1, −1, −3, ` No` three of −1.
    expect(record!.closed.pTrue).toBeCloseTo(1 / (1 + Math.exp(3)), 9)
    expect(record!.closed.logprobs).toHaveLength(6)
    expect(record!.spent).toMatchObject({ closed: { promptTokens: 18, newTokens: 6 }, search: { newTokens: 0 } })
    expect(record!.spent!.retrieved!.promptTokens).toBeGreaterThan(60)
  })
  it('are asked whether something has to be looked up, with the day and examples', async () => {
    const asked: string[] = []
    const lm = fakeLm({
      reply: (request) => {
        asked.push('prompt' in request ? request.prompt : '')
        return ' Yes.\nbut'
      },
    })
    const options = { checks: ['vanilla', 'taare'], today: '2026-01-31', examples: ['Q: A? A: a\n'] } as const
    const [record] = await recordAnswers(lm, [{ question: 'Is {today} it?', gold: ['x'] }], options)
    expect(asked[0]).toBe('Q: A? A: a\nQ: Is {today} it? A:')
    expect(record!.checks).toEqual({
      vanilla: { yes: 1 / (1 + Math.E), text: ' Yes.' },
      taare: expect.anything(),
    })
    const [vanilla, taare] = asked.slice(-2)
    expect(vanilla).toMatch(/Question: Is \{today\} it\?\nSay:$/)
    expect(taare!.startsWith('Today is 2026-01-31.')).toBe(true)
    expect(taare!.match(/Say: (Yes|No)/g)).toHaveLength(4)
  })
  it('have documents that are too long cut at their end, with a word', async () => {
    const asked: string[] = []
    const lm = fakeLm({
      contextLength: 100,
      reply: (request) => {
        asked.push('prompt' in request ? request.prompt : '')
        return 'x'
      },
    })
    const told: WorkEvent[] = []
    const long = [{ question: 'Q?', gold: ['x'], passages: ['a'.repeat(20), 'b'.repeat(500)] }]
    await recordAnswers(lm, long, { k: 2, checks: ['taare'] }, { tell: (event) => void told.push(event as WorkEvent) })
    const full = asked.find((text) => text.includes('aaa'))!
    expect(full).toContain('a'.repeat(20))
    expect(full).not.toContain('b'.repeat(20))
    expect(full.length).toBeLessThanOrEqual(100 - 15)
    expect(told.flatMap((event) => (event.type === 'notice' ? event.message : []))).toEqual([
      'the documents of 1 question were cut at their end, to go into the model’s context of 100 tokens'.replace(
        '’',
        "'",
      ),
      "taare: left out where its prompt does not go into the model's context of 100 tokens",
    ])
  })
})

describe('sweepGates', () => {
  it('finds what tells the two kinds of questions apart, and what does not', async () => {
    const read: VectorRecord[] = RECORDS.map((record, i) => ({
      ...record,
      question: `q ${i % 3}`,
      vectors: [Float32Array.of((i * 7) % 5, 1), Float32Array.of(i % 2 === 0 ? -1 : 1, (i * 7) % 5)],
    }))
    const { gates, questions, left_out } = await sweepGates(read, { hidden: [8], epochs: 80, learningRate: 0.05 })
    const of = (name: string) => gates.find(({ gate }) => gate === name)!
    expect(questions).toEqual({ train: 48, validation: 12, test: 20 })
    for (const best of [
      'oracle, better',
      'popularity',
      'max-probability',
      'MLP probe, layer 1',
      'linear probe, layer 1',
      'asked, vanilla, by text',
      'asked, vanilla, by probability',
    ])
      expect(of(best)).toMatchObject({ accuracy: 1, harmed: 0 })
    expect(of('linear probe, layer 1').auc).toBe(1)
    expect(of('linear probe, layer 0').accuracy).toBeLessThan(0.9)
    expect(of('p-true').auc).toBe(0.5)
    expect(of('max-probability').modelCalls).toBe(2)
    expect(of('none').accuracy + of('full').accuracy).toBeCloseTo(1, 12)
    expect(of('popularity by relation').accuracy).toBe(1)
    expect(left_out).toEqual([{ gate: 'asked, taare', why: '80 of 80 records have no `checks.taare`' }])
    expect(of('none').cost).toBeNull()
  })
  it('refuses questions of one kind', async () => {
    const same = RECORDS.filter((_, i) => i % 2 === 0)
    await expect(sweepGates(same)).rejects.toThrow(InputError)
  })
})

describe('anneal gate', () => {
  let model = ''
  beforeAll(async () => {
    ;({ model } = await writeTextModel(folder))
    writeFileSync(at('records.jsonl'), lines(RECORDS))
  })
  it('fits a probe that its model takes, and no other', async () => {
    const out = at('gate.safetensors')
    const asked = { model, records: at('records.jsonl'), out, epochs: 60, learningRate: 0.01 }
    const fitted = await resultOf(fitGate(asked))
    expect(fitted).toMatchObject({ questions: 80, out })
    expect(fitted.accuracy).toBeGreaterThan(Math.max(fitted.accuracy_none, fitted.accuracy_full))
    const lm = await loadLm(model)
    try {
      const gate = await gates.probe(lm, out)
      expect(gate.name).toBe('probe after block 1')
      const other = { ...lm, layers: 3, encode: lm.encode.bind(lm), hidden: async () => [new Float32Array(32).fill(1)] }
      await expect(gates.probe(other as never, out)).rejects.toThrow('probe: expected model, to which it was fitted')
    } finally {
      lm.free()
    }
  })
  it('sweeps, writes a page, and makes it again from the figures', async () => {
    const out = at('gates.html')
    const sweep = await resultOf(runGateSweep({ model, records: at('records.jsonl'), out, epochs: 2 }))
    expect(sweep.gates.filter(({ gate }) => gate.includes('probe')).length).toBe(8)
    const page = readFileSync(out, 'utf8')
    for (const { gate } of sweep.gates) expect(page).toContain(gate)
    await resultOf(reportGates(at('gates.json'), at('again.html')))
    expect(readFileSync(at('again.html'), 'utf8')).toBe(page)
  })
  it('asks questions where there are no records, and keeps the answers', async () => {
    const passages = ['the cat sat']
    writeFileSync(
      at('ask.jsonl'),
      lines(RECORDS.slice(0, 6).map(({ closed: _, retrieved: __, ...q }) => ({ ...q, passages }))),
    )
    const asked = { model, records: at('made.jsonl'), data: [at('ask.jsonl')], out: at('none.safetensors') }
    // A model that knows nothing has answers of one kind: an error, with the answers kept.
    await expect(resultOf(fitGate(asked))).rejects.toThrow(InputError)
    expect(readFileSync(at('made.jsonl'), 'utf8').trim().split('\n')).toHaveLength(7)
    expect(existsSync(at('none.safetensors'))).toBe(false)
  })
  it('fits a probe that reads in the chat prompt, where there is one', async () => {
    const out = at('prompt.safetensors')
    const asked = { records: at('records.jsonl'), out, epochs: 2, reading: 'prompt' } as const
    await expect(resultOf(fitGate({ ...asked, model }))).rejects.toThrow('has a chat template, got another')
    const chats = join(mkdtempSync(join(folder, 'chats-')), 'model')
    cpSync(model, chats, { recursive: true })
    writeFileSync(join(chats, 'chat_template.jinja'), TINY_CHAT_TEMPLATE)
    await resultOf(fitGate({ ...asked, model: chats }))
    const lm = await loadLm(chats)
    try {
      expect(readQuestionProbe(out).reading).toBe('prompt')
      const gate = await gates.probe(lm, out, { threshold: 2 })
      const { calls } = await trace(() =>
        retrieveIf({ gate, retriever: new Bm25([]), model: localModel(lm) }).ask('where is the cat?', { maxTokens: 2 }),
      )
      const vector = await promptVector(lm, 'where is the cat?', 1)
      expect(calls[0]!.notes![0]!.score).toBeCloseTo(probeProbability(readQuestionProbe(out), vector), 4)
    } finally {
      lm.free()
    }
  })
  it('refuses answers of another model of the same name', async () => {
    const asked = { records: at('made.jsonl'), out: at('none.html') }
    const other = join(mkdtempSync(join(folder, 'other-')), 'model')
    cpSync(model, other, { recursive: true })
    const file = join(other, 'model.safetensors')
    const bytes = readFileSync(file)
    // Another half of the numbers.
    for (let i = bytes.length >> 1; i + 4 <= bytes.length; i += 4) bytes.writeFloatLE(0.1 * Math.sin(i), i)
    writeFileSync(file, bytes)
    await expect(resultOf(runGateSweep({ ...asked, model: other }))).rejects.toThrow(
      'made.jsonl: expected answers of the model that is asked for (model), got those of another one that is called model, too',
    )
    await expect(resultOf(runGateSweep({ ...asked, model }))).rejects.toThrow('one kind only')
  })
  it('says what is missing in one line', async () => {
    const asked = { model, records: at('nowhere.jsonl'), out: at('x') }
    await expect(resultOf(fitGate(asked))).rejects.toThrow(UsageError)
    writeFileSync(at('bare.jsonl'), lines([{ question: 'Who?', gold: 'Ann' }]))
    await expect(resultOf(fitGate({ ...asked, data: [at('bare.jsonl')] }))).rejects.toThrow('index: expected one')
    writeFileSync(at('half.jsonl'), lines([{ question: 'Who?', gold: 'Ann' }]))
    await expect(resultOf(fitGate({ ...asked, records: at('half.jsonl') }))).rejects.toThrow('expected a record with')
    await expect(resultOf(reportGates(at('records.jsonl'), at('y.html')))).rejects.toThrow(InputError)
  })
})
