import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Message } from './conversation.ts'
import { ExampleReader } from './read-examples.ts'
import { notesOnTurns } from './turn-notes.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-turns-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'data.jsonl')

async function readAll(rows: readonly object[]): Promise<{ chats: Message[][]; notices: string[] }> {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const reader = new ExampleReader(file, { purpose: 'supervised' })
  const chats: Message[][] = []
  for await (const { example } of reader.examples()) if (example.kind === 'conversation') chats.push(example.messages)
  return { chats, notices: reader.notices() }
}
const chat = (answer: object): object => ({
  messages: [
    { role: 'user', content: 'q' },
    { content: 'a', ...answer },
  ],
})

describe('notes on turns', () => {
  it('names the first weight between all and nothing, with its row, and counts the others', async () => {
    const weights = [1, 0.5, true, 0.25, 2]
    const { chats, notices } = await readAll(weights.map((weight) => chat({ role: 'assistant', weight })))
    expect(chats.map(([, answer]) => answer!.isTrained)).toEqual([true, true, true, true, true])
    expect(notices).toEqual([
      `${file}:2, field 'messages'[1].weight is 0.5, which counts as 1 (as do 2 other weights): a turn is learnt, or with 0 it is not. Leave out rows to learn less from them`,
    ])
    const none = await readAll([chat({ role: 'assistant', weight: 0, loss: 1 }), chat({ role: 'assistant' })])
    expect(none.notices).toEqual([])
  })

  it('finds weights in JSON that a table holds, and under each of their names', () => {
    const turns = [
      { role: 'assistant', content: 'a', loss_weight: 0.1 },
      { role: 'assistant', content: 'b', loss: 0.3 },
    ]
    expect(notesOnTurns(JSON.stringify(turns)).partialWeights).toEqual([
      { at: '[0].loss_weight', weight: 0.1 },
      { at: '[1].loss', weight: 0.3 },
    ])
    expect(notesOnTurns('a plain text').partialWeights).toEqual([])
  })

  it.each([-1, '0.5', 'no'])('refuses the weight %j', async (weight) => {
    await expect(readAll([chat({ role: 'assistant', weight })])).rejects.toThrow(
      /data\.jsonl:1, field 'messages'\[1\]\.weight: expected true, false or a number of at least 0, got/,
    )
  })

  it('reads the names of models as the assistant, and says so once', async () => {
    const shareGpt = {
      conversations: [
        { from: 'human', value: 'q' },
        { from: 'chatgpt', value: 'a' },
      ],
    }
    const { chats, notices } = await readAll([chat({ role: 'model' }), shareGpt, chat({ role: 'model' })])
    expect(chats.map((turns) => turns.map(({ role }) => role))).toEqual(Array(3).fill(['user', 'assistant']))
    expect(notices).toEqual(["turns of 'model' and 'chatgpt' are read as those of the assistant"])
    const { notices: usual } = await readAll([chat({ role: 'assistant' })])
    expect(usual).toEqual([])
  })

  it.each([
    [
      { prompt: 'q', completion: 5 },
      `field 'completion': expected a text or a list of messages, got 5. Write it as text, "5"`,
    ],
    [{ instruction: 'q', output: true }, `field 'output': expected a string, got true. Write it as text, "true"`],
    [
      chat({ role: 'assistant', content: 5 }),
      `field 'messages'[1].content: expected a string or a list of text parts, got 5. Write it as text, "5"`,
    ],
    [{ prompt: 'q', completion: {} }, `field 'completion'.role: expected system, developer, user`],
  ])('says what to do about %j', async (row, message) => {
    await expect(readAll([row])).rejects.toThrow(`${file}:1, ${message}`)
  })
})
