import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../../test/data-folder.ts'
import { bertScore } from '../../../lm/bert-score.ts'
import { fakeEmbedder } from '../../../lm/fake-embedder.ts'
import { fakeLm } from '../../../lm/fake-lm.ts'
import { evaluate } from '../../evaluate.ts'
import { findTasks } from '../../find-tasks.ts'
import { lmModel } from '../../lm-model.ts'
import { loadTask } from '../../task.ts'
import type { SuiteOptions } from '../suite-options.ts'
import { readStyleData } from './read-dialogues.ts'
import { docsOf } from './style.ts'

const { directory } = dataFolder()
const folder = (name: string, files: Readonly<Record<string, readonly object[]>>): string => {
  const path = join(directory, name)
  mkdirSync(path, { recursive: true })
  for (const [file, rows] of Object.entries(files))
    writeFileSync(join(path, `${file}.jsonl`), rows.map((row) => JSON.stringify(row)).join('\n'))
  return path
}
const said = (topic: string, ...turns: string[]) => ({
  topic,
  messages: turns.map((content, i) => ({ role: i % 2 === 0 ? 'client' : 'counselor', content })),
})
const TEST = [
  said('sleep', 'I lie awake.', 'Since when?', 'May.', 'What was in May?'),
  said('work', 'Too much.', 'Too much of what?'),
]
const CASES = [said('work', 'My boss shouts.', 'And then?'), said('sleep', 'Bad dreams.', 'Tell me one.')]
const data = folder('all', { test: TEST, cases: CASES, others: [{ ...said('x', 'Hi', 'Do sports!'), speaker: 'b' }] })

const run = async (options: SuiteOptions, reply = 'Since when is it so?') => {
  const asked: string[] = []
  const { tasks } = await findTasks(['style'], options)
  const loaded = await Promise.all(tasks.map((task) => loadTask(task, options)))
  const runs = await evaluate(lmModel(fakeLm({ reply: () => reply })), loaded, {})
  for (const { samples } of runs) asked.push(...samples.map(({ arguments: [first] }) => String(first?.[0])))
  return { runs, asked }
}

describe('the task style', () => {
  it('asks for each turn behind the true history, and with the case of the same topic', async () => {
    const { runs, asked } = await run({ data })
    expect(runs.map(({ task }) => task.name)).toEqual(['style_plain', 'style_one_shot'])
    expect(asked.slice(0, 3)).toEqual([
      'Client: I lie awake.\nCounsellor:',
      'Client: I lie awake.\nCounsellor: Since when?\nClient: May.\nCounsellor:',
      'Client: Too much.\nCounsellor:',
    ])
    expect(asked[3]).toMatch(
      /^Below is a dialogue .*\n\nClient: Bad dreams\.\nCounsellor: Tell me one\.\n\nClient: I lie awake\.\nCounsellor:$/s,
    )
    expect(asked[5]).toContain('My boss shouts.')
    // "since when" of "since when is it so".
    expect(runs[0]!.samples[0]!.scores.rouge1).toBeCloseTo((2 * 2) / (5 + 2), 12)
    expect(runs[0]!.samples[0]!.scores.words).toBe(5)
  })

  it('takes the turns that are wanted', async () => {
    const read = await readStyleData(data)
    expect(docsOf(read, 'all').map(({ gold }) => gold)).toEqual([
      'Since when?',
      'What was in May?',
      'Too much of what?',
    ])
    expect(docsOf(read, 'last').map(({ gold }) => gold)).toEqual(['What was in May?', 'Too much of what?'])
    expect(docsOf(read, 1).map(({ gold }) => gold)).toEqual(['Since when?', 'Too much of what?'])
    expect(() => docsOf(read, 0)).toThrow('turns: expected all, last, or a whole number of at least 1, got 0')
  })

  it('never shows a dialogue itself, and says where no case has the topic', async () => {
    const notices: string[] = []
    const alone = folder('alone', { test: TEST })
    const { asked } = await run({ data: alone, notice: (message) => notices.push(message) })
    expect(notices.join('\n')).toContain('3 of 3 turns have no case of their topic')
    expect(asked[3]).toContain('Too much of what?')
    expect(asked[3]!.split('I lie awake').length).toBe(2)
  })

  it('compares Chinese by characters', async () => {
    const zh = folder('zh', { test: [said('a', '我睡不着', '多久了？'), said('a', '好', '嗯')] })
    const { runs } = await run({ data: zh }, '多久')
    expect(runs[0]!.samples[0]!.scores.rouge1).toBeCloseTo((2 * 2) / (2 + 3), 12)
  })

  it('has BERTScore and a judge where they are given', async () => {
    const encoder = fakeEmbedder()
    const heard: unknown[] = []
    const { runs } = await run({
      data,
      encoder,
      styleJudge: async (asked) => {
        heard.push(...asked)
        return asked.map((_, i) => (i === 0 ? undefined : 0.75))
      },
    })
    const [first, second] = runs[0]!.samples
    const [{ f1 } = { f1: 0 }] = await bertScore(encoder, ['Since when is it so?'], ['Since when?'])
    expect(first!.scores.bert_f1).toBeCloseTo(f1, 12)
    expect([first!.scores.judge, second!.scores.judge]).toEqual([undefined, 0.75])
    expect(heard[0]).toEqual({ answer: 'Since when is it so?', reference: ['And then?', 'Tell me one.'] })
  })

  it('says what is wrong with data', async () => {
    const wrong = async (name: string, rows: object[]) => readStyleData(folder(name, { test: rows }))
    await expect(wrong('a', [{ text: 'x' }])).rejects.toThrow('test.jsonl, row 0: expected messages, got')
    await expect(wrong('b', [{ messages: [{ role: 'robot', content: 'x' }] }])).rejects.toThrow(
      'expected messages of system, user, client, assistant, counselor, counsellor with texts',
    )
    await expect(wrong('c', [{ messages: [{ role: 'user', content: 'x' }] }])).rejects.toThrow(
      'expected a turn of the assistant',
    )
    await expect(readStyleData(folder('d', { cases: CASES }))).rejects.toThrow('got no test.jsonl')
    const twice = TEST.map((one) => ({ ...one, id: 7 }))
    await expect(wrong('e', twice)).rejects.toThrow('expected an id once, got "7" twice')
    await expect(readStyleData(undefined)).rejects.toThrow('data: expected a folder with test.jsonl')
  })
})
