import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../../test/tiny-model.ts'
import { stretches } from '../preview.ts'
import type { Dataset, Sample } from '../sample.ts'
import { type Pair, pairBatches, readPreferences } from './preferences.ts'
import type { TuningFileOptions } from './supervised-files.ts'

const tokenizer = tinyTokenizer(TINY_CHAT_TEMPLATE) // a token per byte; <s> in front of texts

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-preferences-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const read = (rows: readonly unknown[], options: Partial<TuningFileOptions> = {}) => {
  const path = join(directory, 'pairs.jsonl')
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return readPreferences(path, { tokenizer, maxLength: 200, ...options })
}
/** [what is read, what is learnt, …] */
const parts = (sample: Sample): string[] => stretches(sample, tokenizer).map(({ text }) => text)
const pairsOf = (pairs: Dataset<Pair>): string[][][] =>
  Array.from({ length: pairs.length }, (_, i) => [parts(pairs.get(i).chosen), parts(pairs.get(i).rejected)])
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

describe('readPreferences', () => {
  it('reads strings and messages, with the prompt given or shared by the answers', async () => {
    const { train, report } = await read([
      { prompt: 'ab', chosen: 'c', rejected: 'de' },
      { chosen: 'Q: x A: y', rejected: 'Q: x A: z' },
      { prompt: [user('hi')], chosen: [assistant('yes')], rejected: [assistant('no')] },
      { chosen: [user('hi'), assistant('yes')], rejected: [user('hi'), assistant('no')] },
      { instruction: 'hi', chosen: 'yes', rejected: 'no' },
    ])
    const chat = (answer: string): string[] => [
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n',
      `${answer}<|im_end|>`,
      '\n',
    ]
    expect(pairsOf(train)).toEqual([
      [
        ['<s>ab', 'c</s>'],
        ['<s>ab', 'de</s>'],
      ],
      [
        ['<s>Q: x A:', ' y</s>'],
        ['<s>Q: x A:', ' z</s>'],
      ],
      ...Array.from({ length: 3 }, () => [chat('yes'), chat('no')]),
    ])
    expect(report).toMatchObject({ rows: 5, leftOut: 0, stopTokenIds: [2, 4], notices: [] })
  })

  it('leaves out pairs whose answers are the same, with and without a prompt', async () => {
    const { train, report } = await read([
      { prompt: 'a', chosen: 'b', rejected: 'b' },
      { prompt: 'a', chosen: 'b', rejected: 'c' },
      { chosen: 'same answer', rejected: 'same answer' },
      { chosen: [user('a'), assistant('b')], rejected: [user('a'), assistant('b')] },
    ])
    expect(train.length).toBe(1)
    expect(report.rows).toBe(1)
    expect(report.tokens).toBe(train.get(0).chosen.ids.length + train.get(0).rejected.ids.length)
    expect(report.notices).toEqual(['3 pairs have the same answer twice and are left out'])
    await expect(read([{ prompt: 'a', chosen: 'b', rejected: 'b' }])).rejects.toThrow(
      /pairs\.jsonl: expected pairs of two different answers, got the same answer twice in each of 1$/,
    )
  })

  it('learns to stop from an answer that goes on in the other', async () => {
    const { train, report } = await read([{ chosen: 'The cat', rejected: 'The cat sat' }])
    expect(pairsOf(train)).toEqual([
      [
        ['<s>The cat', '</s>'],
        ['<s>The cat', ' sat</s>'],
      ],
    ])
    expect(report.notices).toEqual([])
  })

  it('takes for the prompt what both chats share, however often it is repeated', async () => {
    const chosen = [user('What is up?'), assistant('The sky.')]
    const rejected = [user('What is up?'), assistant('No.')]
    const { train } = await read([
      { prompt: 'What is up?', messages: chosen, chosen, rejected },
      { prompt: 'What is up?', chosen, rejected },
      { prompt: [user('What is up?')], chosen, rejected },
      { messages: chosen, chosen: 'The sky.', rejected: 'No.' },
    ])
    const header = '<|im_start|>user\nWhat is up?<|im_end|>\n<|im_start|>assistant\n'
    for (const pair of pairsOf(train))
      expect(pair).toEqual([
        [header, 'The sky.<|im_end|>', '\n'],
        [header, 'No.<|im_end|>', '\n'],
      ])
    expect(train.length).toBe(4)
  })

  it('leaves out and names rows with an empty answer', async () => {
    const { train, report } = await read([
      { prompt: 'a', chosen: 'b', rejected: 'c' },
      { prompt: 'a', chosen: null, rejected: 'c', id: 7 },
      { prompt: 'a', chosen: '', rejected: 'c' },
    ])
    expect(train.length).toBe(1)
    expect(report.notices).toEqual([
      expect.stringMatching(/^2 rows with an empty answer left out \(the first: .*pairs\.jsonl:2, field 'chosen'\)$/),
      'columns that are not read: id',
    ])
  })

  it('cuts the same from both prompts, so that both answers follow one prompt', async () => {
    const rows = [{ prompt: 'abcdefgh', chosen: '1234', rejected: '12' }]
    const { train, report } = await read(rows, { maxLength: 10, onOverlong: 'truncate-left' })
    expect(pairsOf(train)).toEqual([
      [
        ['<s>efgh', '1234</s>'],
        ['<s>efgh', '12</s>'],
      ],
    ])
    expect(report).toMatchObject({ overlong: 1, leftOut: 0, answersCut: 0 })
  })

  it('leaves out a pair when an answer would be cut from the left', async () => {
    const rows = [
      { prompt: 'a', chosen: '1'.repeat(30), rejected: '12' },
      { prompt: 'a', chosen: 'b', rejected: 'c' },
    ]
    const { train, report } = await read(rows, { maxLength: 10, onOverlong: 'truncate-left' })
    expect([train.length, report.leftOut]).toEqual([1, 1])
  })

  it('holds out whole prompts', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({ prompt: `${i % 50}`, chosen: `${i}`, rejected: 'no' }))
    const { train, validation } = await read(rows, { validation: { fraction: 0.3 } })
    expect(train.length + validation.length).toBe(200)
    const prompts = (pairs: Dataset<Pair>): Set<string> => new Set(pairsOf(pairs).map(([chosen]) => chosen![0]!))
    const held = prompts(validation)
    expect([...prompts(train)].some((prompt) => held.has(prompt))).toBe(false)
    expect(held.size).toBeGreaterThan(3)
  })

  it('names a row that is no pair, and refuses to split', async () => {
    await expect(read([{ prompt: 'a', completion: 'b' }])).rejects.toThrow(
      /row in .*pairs\.jsonl:1: expected chosen and rejected answers, got a row of the shape prompt-completion \{prompt, completion\}\. Train it with stage: sft/,
    )
    await expect(read([], { onOverlong: 'split' })).rejects.toThrow(/on_overlong: .* for pairs, got split/)
  })
})

describe('pairBatches', () => {
  const sample = (...ids: number[]): Sample => ({
    ids: Int32Array.from(ids),
    labels: Int32Array.from(ids, (id, i) => (i === 0 ? -100 : id)),
  })
  const pairs: Pair[] = Array.from({ length: 5 }, (_, i) => ({
    chosen: sample(i, 10 + i),
    rejected: sample(i, 20 + i, 9),
  }))
  const dataset: Dataset<Pair> = { length: 5, get: (index) => pairs[index]! }

  it('stacks chosen answers over rejected ones, padded on the right', () => {
    const batch = pairBatches(dataset, { batchSize: 2, shuffle: false, padId: 7 }).at(1)
    expect(batch).toMatchObject({ rows: 4, length: 3, pairs: Int32Array.of(2, 3) })
    expect([...batch.inputIds]).toEqual([2, 12, 7, 3, 13, 7, 2, 22, 9, 3, 23, 9])
    expect([...batch.labels]).toEqual([-100, 12, -100, -100, 13, -100, -100, 22, 9, -100, 23, 9])
    expect([...batch.samples!]).toEqual([2, 2, -1, 3, 3, -1, 2, 2, 2, 3, 3, 3])
  })

  it('visits every pair once an epoch, in an order that the seed and the index tell', () => {
    const source = pairBatches(dataset, { batchSize: 2, seed: 3 })
    expect(source.batchesPerEpoch).toBe(3)
    expect(pairBatches(dataset, { batchSize: 2, dropLast: true }).batchesPerEpoch).toBe(2)
    const epoch = (first: number): number[] => [0, 1, 2].flatMap((i) => [...source.at(first + i).pairs])
    expect(epoch(0).toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(epoch(3).toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(epoch(0)).toEqual(epoch(0))
    expect(epoch(0)).not.toEqual(epoch(3))
  })

  it('needs a batch', () => {
    expect(() => pairBatches(dataset, { batchSize: 6, dropLast: true })).toThrow(
      /expected at least one batch of 6 pairs, got 5/,
    )
    expect(() => pairBatches(dataset, { batchSize: 0 })).toThrow(/batchSize/)
  })
})
