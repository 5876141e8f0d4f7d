import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../../test/tiny-model.ts'
import { IGNORE_INDEX } from '../batch.ts'
import { reportLengths } from '../length-report.ts'
import { shortened } from '../packing/overlong.ts'
import type { Dataset, Sample } from '../sample.ts'
import { readSupervised, type TuningFileOptions } from './supervised-files.ts'

const tokenizer = tinyTokenizer(TINY_CHAT_TEMPLATE) // a token per byte
const [EOS, END] = [2, 4]

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-supervised-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const write = (name: string, rows: readonly unknown[]): string => {
  const path = join(directory, name)
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return path
}
const read = (path: string | string[], options: Partial<TuningFileOptions> = {}) =>
  readSupervised(path, { tokenizer, maxLength: 64, ...options })
const all = (samples: Dataset<Sample>): Sample[] => Array.from({ length: samples.length }, (_, i) => samples.get(i))
const texts = (samples: Dataset<Sample>): string[] => all(samples).map(({ ids }) => tokenizer.decode(ids))
const row = (prompt: string, completion: string) => ({ prompt, completion })
const message = (role: string, content: string) => ({ role, content })

describe('readSupervised', () => {
  it('reads many files of many shapes, in order', async () => {
    const a = write('a.jsonl', [row('1', '2'), { instruction: '3', output: '4' }])
    const b = write('b.jsonl', [
      {
        conversations: [
          { from: 'human', value: '5' },
          { from: 'gpt', value: '6' },
        ],
      },
      { text: '7' },
    ])
    const { train, report } = await read([a, b])
    expect(texts(train)).toEqual([
      '<s>12</s>',
      '<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n',
      '<|im_start|>user\n5<|im_end|>\n<|im_start|>assistant\n6<|im_end|>\n',
      '<s>7</s>',
    ])
    expect(report).toMatchObject({ rows: 4, overlong: 0, leftOut: 0, answersCut: 0, stopTokenIds: [EOS, END] })
    expect(report.supervisedTokens).toBe(8)
    expect(report.guess.rows).toBe(4)
    expect(report.shapes).toEqual({ 'prompt-completion': 1, alpaca: 1, sharegpt: 1, text: 1 })
    expect(report.notices).toEqual([])
  })

  it('leaves out rows whose answer is empty or null, counts them and names the first', async () => {
    const chat = [message('user', 'a'), message('assistant', ''), message('user', 'b'), message('assistant', 'c')]
    const rows = [row('1', '2'), row('3', ''), { instruction: '4', output: null }, { messages: chat }, { text: ' ' }]
    const { train, report } = await read(write('a.jsonl', rows), { maxLength: 100 })
    expect(train.length).toBe(2)
    expect(report.notices).toEqual([
      expect.stringMatching(/^3 rows with an empty answer left out \(the first: .*a\.jsonl:2, field 'completion'\)$/),
      '1 chat with an empty turn of the assistant, from which nothing is learnt',
    ])
    // Of the chat the answer is learnt, and not to say nothing.
    const { ids, labels } = train.get(1)
    expect(tokenizer.decode(ids.filter((_, i) => labels[i] !== IGNORE_INDEX))).toBe('c<|im_end|>')
    await expect(read(write('b.jsonl', [{ instruction: '4', output: null }]))).rejects.toThrow(
      /b\.jsonl:1, field 'output': expected an answer, got an empty one, as in the only row/,
    )
  })

  it('refuses data whose answers never end', async () => {
    const chats = write('a.jsonl', [{ messages: [message('user', 'a'), message('assistant', 'b')] }])
    const template =
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    await expect(read(chats, { chatTemplate: template })).rejects.toThrow(
      /expected answers to end with a token to stop at, got none in 1 row, so the model would never stop\. Put a chat template that closes the turns .* into chat_template\.jinja beside tokenizer\.json/,
    )
  })

  it('refuses a template that opens the next turn instead of closing this one', async () => {
    const chats = write('a.jsonl', [{ messages: [message('user', 'a'), message('assistant', 'b')] }])
    const template = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content }}{% endfor %}"
    await expect(read(chats, { chatTemplate: template })).rejects.toThrow(/would never stop/)
  })

  it('holds out examples by their content', async () => {
    const rows = Array.from({ length: 400 }, (_, i) => row(`${i % 200}`, 'x'))
    const { train, validation } = await read(write('a.jsonl', rows), { validation: { fraction: 0.25 } })
    expect(train.length + validation.length).toBe(400)
    expect(Math.abs(validation.length - 100)).toBeLessThan(40)
    const held = new Set(texts(validation))
    expect(texts(train).some((text) => held.has(text))).toBe(false)
  })
})

describe('few rows', () => {
  const rows = Array.from({ length: 15 }, (_, i) => row(`${i}`, 'x'))

  it('are held out in the share asked for, equal ones together, more of them as the share grows', async () => {
    const held = async (fraction: number, list = rows) =>
      texts((await read(write('a.jsonl', list), { validation: { fraction } })).validation)
    const shares = await Promise.all([0.01, 0.1, 0.2, 0.5].map((fraction) => held(fraction)))
    expect(shares.map((share) => share.length)).toEqual([1, 2, 3, 8])
    for (const [i, share] of shares.slice(1).entries()) expect(share).toEqual(expect.arrayContaining(shares[i]!))
    expect(new Set(await held(0.5, [...rows, ...rows])).size * 2).toBe((await held(0.5, [...rows, ...rows])).length)
    expect(await held(0)).toEqual([])
  })
})

describe('samples that are too long', () => {
  // 1 + length + 1 tokens: <s>, a byte each, </s>.
  const rows = [...Array.from({ length: 9 }, () => row('ab', 'c')), row('a'.repeat(8), 'b'.repeat(12))]

  it('are an error with advice when they are many', async () => {
    await expect(read(write('a.jsonl', rows), { maxLength: 16 })).rejects.toThrow(
      /expected at most 1 % of the samples to be longer than max_length 16, got 1 of 10 \(10 %; 99 % have up to 22 tokens, the longest 22, at .*a\.jsonl:10\)\. Set max_length: 64, or on_overlong: drop \| truncate-left \| truncate-right \| split/,
    )
  })
  it('are left out, and counted, when they are few', async () => {
    const many = [...Array.from({ length: 99 }, () => row('ab', 'c')), rows.at(-1)!]
    const { train, report } = await read(write('a.jsonl', many), { maxLength: 16 })
    expect(train.length).toBe(99)
    expect(report).toMatchObject({ rows: 100, overlong: 1, leftOut: 1 })
    expect(report.notices).toEqual([
      expect.stringMatching(
        /^1 of 100 samples \(1 %\) is longer than 16 tokens and left out \(the first: .*a\.jsonl:100\)$/,
      ),
    ])
  })
  it('lose their end, and the share of cut answers is told', async () => {
    const { train, report } = await read(write('a.jsonl', rows), { maxLength: 16, onOverlong: 'truncate-right' })
    expect(texts(train).at(-1)).toBe(`<s>${'a'.repeat(8)}${'b'.repeat(7)}`)
    expect(report).toMatchObject({ overlong: 1, leftOut: 0, answersCut: 1 })
    expect(report.notices).toEqual([
      expect.stringMatching(/^1 of 10 samples \(10 %\) has an answer cut at 16 tokens \(the first: .*a\.jsonl:10\)$/),
    ])
  })
  it('lose their start but for the start token', async () => {
    const { train, report } = await read(write('a.jsonl', rows), { maxLength: 16, onOverlong: 'truncate-left' })
    expect(texts(train).at(-1)).toBe(`<s>aa${'b'.repeat(12)}</s>`)
    expect(report.answersCut).toBe(0)
  })
  it('are left out when all of the answer would be cut', async () => {
    const long = [...rows, row('a'.repeat(40), 'b')]
    const { train, report } = await read(write('a.jsonl', long), { maxLength: 16, onOverlong: 'truncate-right' })
    expect(train.length).toBe(10)
    expect(report).toMatchObject({ overlong: 2, leftOut: 1, answersCut: 1 })
  })
  it('become several', async () => {
    const { train } = await read(write('a.jsonl', [{ text: 'x'.repeat(30) }]), { maxLength: 10, onOverlong: 'split' })
    expect(all(train).map(({ ids }) => ids.length)).toEqual([10, 10, 10, 2])
    // Nothing predicts the first token of a piece.
    expect(all(train).every(({ labels }) => labels[0] === IGNORE_INDEX)).toBe(true)
  })
  it('are an error when nothing is left', async () => {
    await expect(
      read(write('a.jsonl', [row('a'.repeat(40), 'b')]), { maxLength: 16, onOverlong: 'drop' }),
    ).rejects.toThrow(/expected samples with something to learn within 16 tokens, got none of 1/)
    await expect(read(write('b.jsonl', rows), { maxLength: 0 })).rejects.toThrow(/max_length: expected an integer/)
  })
  it('leave short samples as they are', () => {
    const sample = { ids: Int32Array.of(1, 2), labels: Int32Array.of(-100, 2) }
    expect(shortened(sample, 2, 'truncate-left')).toEqual([sample])
  })
})

describe('reportLengths', () => {
  it('gives percentiles and a histogram', () => {
    const lengths = Array.from({ length: 100 }, (_, i) => i + 1)
    const { histogram, ...numbers } = reportLengths(lengths)
    expect(numbers).toEqual({
      count: 100,
      min: 1,
      mean: 50.5,
      p50: 50,
      p90: 90,
      p95: 95,
      p99: 99,
      max: 100,
      suggestedMaxLength: 128,
    })
    expect(histogram).toEqual([1, 1, 2, 4, 8, 16, 32, 36].map((count, i) => ({ upTo: 2 ** i, count })))
  })
})
