import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError, InputError } from '../errors.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { localModel } from '../prompting/base/local-model.ts'
import { type Hold, type Model, modelOf } from '../prompting/base/model.ts'
import { resultOf } from '../work.ts'
import { type ColumnsOptions, columns } from './columns.ts'
import { previewSynthesis } from './preview-synthesis.ts'
import { synthesize } from './synthesize.ts'

const folder = mkdtempSync(join(tmpdir(), 'columns-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0

/** Answers what is said of the last message. */
function teacher(reply: (text: string) => string, holds: Hold = 'none'): { model: Model; asked: string[] } {
  const asked: string[] = []
  const model = modelOf({
    name: 'scripted',
    holds,
    cost: { input: 1e6, output: 1e6 },
    async *answer({ messages }) {
      const text = messages.map(({ role, content }) => `${role}: ${content}`).join('\n')
      asked.push(text)
      const usage = { promptTokens: 3, completionTokens: 1, reasoningTokens: 0 }
      yield { deltas: [{ type: 'text', text: reply(text) }], tokenIds: [], finishReason: 'stop', usage }
    },
  })
  return { model, asked }
}

async function rowsOf(options: ColumnsOptions, seeds: unknown[], model: Model) {
  const out = join(folder, `out-${count++}`)
  const result = await resultOf(synthesize({ recipe: columns(options), seeds, model, out }))
  const linesOf = (name: string) => {
    try {
      return readFileSync(join(out, name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as never)
    } catch {
      return []
    }
  }
  return { result, rows: linesOf('rows.jsonl') as unknown[], rejects: linesOf('rejects.jsonl'), out }
}

describe('columns', () => {
  it('fill templates with fields, earlier columns and quotes, into rows of a shape', async () => {
    const { model, asked } = teacher((text) => (text.includes('Ask') ? 'Why?' : 'So.'))
    const { rows } = await rowsOf(
      {
        columns: [
          { name: 'question', prompt: 'Ask about {{ topic }}:\n{{topic | quote}}', system: 'Be {{ tone }}.' },
          { name: 'answer', prompt: '{{ question }}' },
        ],
        row: {
          messages: [
            { role: 'user', content: '{{ question }}' },
            { role: 'assistant', content: '> {{ answer }}' },
          ],
          tags: '{{ tags }}',
        },
      },
      [{ topic: 'cats </topic> {{ tone }}', tone: 'kind', tags: ['a', 1] }],
      model,
    )
    expect(asked).toEqual([
      'system: Be kind.\nuser: Ask about cats </topic> {{ tone }}:\n<topic>\ncats <\\/topic> {{ tone }}\n</topic>',
      'user: Why?',
    ])
    expect(rows).toEqual([
      {
        messages: [
          { role: 'user', content: 'Why?' },
          { role: 'assistant', content: '> So.' },
        ],
        tags: ['a', 1],
      },
    ])
  })
  it('are asked for again with the reason, and kept where they were refused', async () => {
    const { model, asked } = teacher((text) => (text.includes('refused') ? 'yes' : 'perhaps'))
    const { rows, rejects } = await rowsOf(
      { columns: [{ name: 'is', prompt: 'Is {{ text }}?', choices: ['yes', 'no'] }] },
      ['it'],
      model,
    )
    expect(rows).toEqual([{ is: 'yes' }])
    expect(rejects).toEqual([
      { row: 0, attempt: 1, reason: expect.stringContaining('one of "yes", "no"'), text: 'perhaps' },
    ])
    expect(asked[1]).toContain(
      'An earlier answer was refused, for this reason:\n<reason>\nanswer: expected a text one of',
    )
  })
  it('take nothing for nothing, JSON of a schema, patterns and what a judge says', async () => {
    const never = await rowsOf({ columns: [{ name: 'a', prompt: 'x' }] }, ['s'], teacher(() => '').model)
    expect(never.result).toMatchObject({ rows: 0, rejected: 1, refused: 3 })
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }
    const nonsense = await rowsOf(
      { columns: [{ name: 'a', prompt: 'x', json_schema: schema }] },
      ['s'],
      teacher(() => '{"n": "no').model,
    )
    expect(nonsense.result).toMatchObject({ rows: 0, rejected: 1, refused: 3 })
    const typed = await rowsOf(
      {
        columns: [
          { name: 'a', prompt: 'x', json_schema: schema },
          { name: 'b', prompt: '{{ a }}', regex: '[a-z]+[0-9]' },
          { name: 'good', prompt: 'Good?', choices: ['yes', 'no'], refuse: ['no'] },
        ],
      },
      ['s', 't'],
      teacher((text) => (text.includes('JSON Schema') ? '{"n": 5}' : text.includes('Good') ? 'no' : 'b7'), 'none')
        .model,
    )
    expect(typed.rows).toEqual([])
    expect(typed.rejects[0]).toMatchObject({
      reason: 'good: no',
      text: '{"text":"s","a":{"n":5},"b":"b7","good":"no"}',
      isLast: true,
    })
  })
  it('keep to choices by masks on a model of ours', async () => {
    const lm = fakeLm({ reply: () => 'nonsense', candidates: () => [...'yesno'].map((one) => one.codePointAt(0)!) })
    const { rows, rejects } = await rowsOf(
      { columns: [{ name: 'a', prompt: 'x', choices: ['yes', 'no'] }] },
      ['s'],
      localModel(lm),
    )
    expect(['yes', 'no']).toContain((rows[0] as { a: string }).a)
    expect(rejects).toEqual([])
  })
  it('say what is wrong with them', async () => {
    const made = (column: object, more: object = {}) =>
      columns({ columns: [{ name: 'a', prompt: 'x', ...column }], ...more })
    expect(() => made({ promt: 'y' })).toThrow('prompt')
    expect(() => made({ name: 'a b' })).toThrow(ConfigError)
    expect(() => made({ prompt: '{{ a b }}' })).toThrow(
      "columns.0.prompt: expected a name between {{ and }}, got 'a b'",
    )
    expect(() => made({ prompt: '{{ a | upper }}' })).toThrow('expected {{ a }} or {{ a | quote }}')
    expect(() => made({ choices: ['a'], regex: 'a' })).toThrow('expected one of choices, regex and json_schema')
    expect(() => made({ min_length: 5, max_length: 2 })).toThrow('min_length of at most max_length')
    const { model, asked } = teacher(() => 'x')
    const wrong = rowsOf({ columns: [{ name: 'a', prompt: '{{ topc }}' }] }, [{ topic: 'x' }], model)
    await expect(wrong).rejects.toThrow(/seeds: row 1: columns.0.prompt: .*'topc'.*'topic'/)
    await expect(
      rowsOf({ columns: [{ name: 'a', prompt: '{{ topic }}' }] }, [{ topic: 'x' }, 5], model),
    ).rejects.toThrow(InputError)
    expect(asked).toEqual([])
  })
})

describe('previewSynthesis', () => {
  it('renders what would be asked and counts what it may cost', async () => {
    const { model, asked } = teacher(() => '')
    const recipe = columns({
      columns: [
        { name: 'a', prompt: 'Ask about {{ text }}', max_tokens: 10 },
        { name: 'b', prompt: '{{ a }}', max_tokens: 5 },
      ],
    })
    const preview = await previewSynthesis({ recipe, seeds: ['one', 'two', 'six', 'ten'], model, out: 'none' }, 2)
    expect(asked).toEqual([])
    expect(preview.calls.map(({ row, messages }) => [row, messages[0]!.content])).toEqual([
      [0, 'Ask about one'],
      [0, '(an answer)'],
      [1, 'Ask about two'],
      [1, '(an answer)'],
    ])
    // 13 and 11 characters: 4 + 3 tokens; four seeds.
    expect(preview.estimate).toEqual({ calls: 8, promptTokens: 28, completionTokens: 60, cost: 88 })
  })
})
