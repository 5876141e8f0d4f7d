import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { readCases } from './cases.ts'
import { readSingleTurns, type SingleTurn } from './single-turns.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'psydt-cases-'))
})
const file = (name: string, content: string | readonly unknown[]): string => {
  const path = join(folder, name)
  const text = typeof content === 'string' ? content : content.map((row) => `${JSON.stringify(row)}\n`).join('')
  writeFileSync(path, text)
  return path
}
const two = [
  { role: 'client', content: 'A' },
  { role: 'counselor', content: 'B' },
]

describe('readCases', () => {
  it('takes every shape that conversations have', async () => {
    file('a.jsonl', [
      {
        id: 1,
        topic: 'Work',
        messages: [
          { role: 'system', content: 'S' },
          { role: 'user', content: 'A' },
          { role: 'assistant', content: 'B' },
        ],
      },
      {
        id: 2,
        topic: 'work',
        conversations: [
          { from: 'human', value: 'A' },
          { from: 'gpt', value: 'B' },
        ],
      },
      { id: 3, normalizedTag: '婚恋', text: '来访者：A\r\n\r\n心理咨询师：B\r\n' },
      { id: 4, topic: 'x-ray', messages: JSON.stringify(two) },
    ])
    file('b.txt', 'Topic: grief\n\nClient: A\n\nCounsellor: B\n')
    const cases = await readCases(folder)
    expect(cases.topics).toEqual(['work', '婚恋', 'x ray', 'grief'])
    expect(cases.of('WORK').map(({ id }) => id)).toEqual(['1', '2'])
    expect(cases.of('X_Ray')).toHaveLength(1)
    expect(cases.of('nothing')).toEqual([])
    const turns = [
      { speaker: 'client', text: 'A' },
      { speaker: 'counsellor', text: 'B' },
    ]
    for (const one of cases.cases) expect(one.turns).toEqual(turns)
  })
  it('takes a list of messages as one case, with the topic of the file’s name', async () => {
    file('sleep.1.json', JSON.stringify(two))
    file('sleep.2.json', JSON.stringify([...two, ...two]))
    const cases = await readCases(folder, { topicFrom: 'file' })
    expect(cases.of('sleep').map(({ turns }) => turns.length)).toEqual([2, 4])
  })
  it('joins turns where that is wanted', async () => {
    const path = file('a.jsonl', [{ topic: 't', messages: [two[0], two[0], two[1]] }])
    expect((await readCases(path, { joinTurns: true })).cases[0]!.turns).toEqual([
      { speaker: 'client', text: 'A\nA' },
      { speaker: 'counsellor', text: 'B' },
    ])
  })
  it.each([
    [
      'no turns',
      [{ topic: 't', text: 'Dear diary' }],
      'a.jsonl:1: expected turns of a client and a counsellor, got none',
    ],
    [
      'one turn',
      [{ topic: 't', text: 'Client: Hi' }],
      'a.jsonl:1: expected turns of a client and a counsellor, got one',
    ],
    ['no messages', [{ topic: 't', messages: [] }], 'got none'],
    [
      'a double',
      [{ topic: 't', messages: [two[0], two[1], two[1]] }],
      "a.jsonl:1, field 'messages'[2]: expected client and counsellor in turns, got the counsellor twice",
    ],
    [
      'a double in a text',
      [{ topic: 't', text: 'Client: a\nb\nClient: c' }],
      'a.jsonl:1, line 3 of the text: expected client',
    ],
    ['no topic', [{ messages: two }], "a.jsonl:1: expected a topic, got none. Give the row a field 'topic'"],
    [
      'an unknown role',
      [{ topic: 't', messages: [{ role: 'cat', content: 'A' }, two[1]] }],
      '[0]: expected the role of a client or a counsellor, got "cat"',
    ],
    [
      'no text',
      [{ topic: 't', messages: [two[0], { role: 'counselor', content: ' ' }] }],
      '[1]: expected a text of counsellor, got none',
    ],
    [
      'other fields',
      [{ topic: 't', question: 'Q' }],
      "expected 'messages', 'conversations' or 'text', got fields topic, question",
    ],
    [
      'one id twice',
      [
        { id: 1, topic: 't', messages: two },
        { id: 1, topic: 't', messages: two },
      ],
      'case 1: expected an id of its own',
    ],
  ])('refuses a file for %s, with its place', async (_, rows, message) => {
    const path = file('a.jsonl', rows)
    await expect(readCases(path)).rejects.toThrow(InputError)
    await expect(readCases(path)).rejects.toThrow(message)
  })
  it('names the line of a text file', async () => {
    const path = file('a.txt', 'Topic: t\n\nClient: a\nmore\n\nClient: b\nCounsellor: c\n')
    await expect(readCases(path)).rejects.toThrow('a.txt:6: expected client and counsellor in turns')
    await expect(readCases(file('b.txt', 'Hello\nClient: a\nCounsellor: b'))).rejects.toThrow('got "Hello"')
  })
})

describe('readSingleTurns', () => {
  const all = async (...rows: unknown[]): Promise<{ turns: SingleTurn[]; notices: string[] }> => {
    const notices: string[] = []
    const turns: SingleTurn[] = []
    for await (const one of readSingleTurns(file('s.jsonl', rows), { onNotice: (text) => notices.push(text) }))
      turns.push(one)
    return { turns, notices }
  }
  it('takes the paper’s rows, counsel-chat’s, and questions with answers', async () => {
    const { turns } = await all(
      { topic: 't', questionTitle: 'T', questionDetail: 'D', counsellorLongText: 'A' },
      { questionID: '0', topic: 't', questionTitle: 'T', questionText: 'D', answerText: 'A' },
      { id: 7, question: 'D', answer: 'A' },
      { instruction: 'D', output: 'A' },
    )
    expect(turns.map(({ id }) => id)).toEqual(['s.jsonl:1', 's.jsonl:2', '7', 's.jsonl:4'])
    expect(turns.map(({ topic, title, detail, answer }) => [topic, title, detail, answer])).toEqual([
      ['t', 'T', 'D', 'A'],
      ['t', 'T', 'D', 'A'],
      [undefined, '', 'D', 'A'],
      [undefined, '', 'D', 'A'],
    ])
  })
  it('counts rows that are none, and refuses a file of nothing else', async () => {
    const { turns, notices } = await all(
      { question: 'D', answer: 'A' },
      { question: 'D', answer: ' ' },
      { answer: 'A' },
    )
    expect(turns).toHaveLength(1)
    expect(notices.at(-1)).toMatch(/^2 rows left out \(the first: .*s\.jsonl:2: expected an answer/)
    await expect(all({ text: 'x' })).rejects.toThrow('expected a question')
  })
})
