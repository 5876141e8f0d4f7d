import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCommand } from '../../test/run-command.ts'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { localModel, program, trace } from '../prompting/index.ts'
import { command } from './trace.ts'

describe('anneal trace', async () => {
  const { directory, remove } = await tinyModelDirectory()
  afterAll(remove)
  const file = join(directory, 'trace.jsonl')
  const path = (name: string): string => join(directory, name)
  const answers = ['1', '4']
  const run = program('main', () =>
    localModel(fakeLm({ reply: () => answers.shift()! }), { name: 'demo' }).ask('Say.', {
      as: z.number().refine((n) => n % 2 === 0, 'must be even'),
    }),
  )
  await trace(run, { file })

  it('prints the calls as a tree', async () => {
    const { code, out } = await runCommand(command, [file])
    expect(code).toBe(0)
    expect(out).toMatch(/^main\n {2}0 demo, \d+ \+ \d+ tokens, .*\n {6}< user: Say\.\n/)
    expect(out).toMatch(/2 calls of models, \d+ \+ \d+ tokens\n$/)
    const json = await runCommand(command, [file, '--json'])
    expect(JSON.parse(json.out).calls.length).toBe(2)
  })
  it('writes rows, pairs and spans', async () => {
    const { code, err } = await runCommand(command, [
      ...[file, '--sft', path('sft.jsonl'), '--dpo', path('dpo.jsonl'), '--otlp', path('otlp.json')],
    ])
    expect(code).toBe(0)
    expect(err).toContain('otlp.json: 3 spans')
    const rows = (name: string): unknown[] =>
      readFileSync(path(name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
    expect(err).toMatch(/sft\.jsonl: 1 row of \d calls: what failed, was refused or cut at maxTokens is left out/)
    expect(rows('sft.jsonl')).toMatchObject([{ messages: [{ content: 'Say.' }, { content: '4' }] }])
    expect(rows('dpo.jsonl')).toMatchObject([{ rejected: [{ content: '1' }] }])
    expect(rows('otlp.json')).toMatchObject([{ resourceSpans: [{}] }])
  })
  it('makes the calls again, and fails where one differs', async () => {
    const other = await runCommand(command, [file, '--replay', '--model', directory])
    expect(other.code).not.toBe(0)
    const none = path('none.jsonl')
    writeFileSync(none, '{"anneal_trace":1,"began":0}\n')
    const { code, out } = await runCommand(command, [none, '--replay', '--model', directory])
    expect([code, out]).toEqual([0, expect.stringContaining('0 of 0 calls equal to the bit')])
  })
  it('refuses a model without --replay, and files that are no trace', async () => {
    expect((await runCommand(command, [file, '--model', directory])).err).toContain('--replay: expected')
    writeFileSync(path('x.jsonl'), '{}\n')
    expect((await runCommand(command, [path('x.jsonl')])).err).toContain('expected a trace of version 1')
  })
})
