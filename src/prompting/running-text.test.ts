import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { exportTrace, readTrace, replay } from './base/index.ts'
import { traceLines } from './base/trace-lines.ts'
import { openSession, script, trace, where } from './index.ts'

const { directory } = dataFolder()

/** What a script and a session asked, as a file has it. */
async function traced(lm: ReturnType<typeof fakeLm>) {
  const file = join(directory, 'trace.jsonl')
  const ask = async () => {
    await script('"A mail.\\nKind: [kind: "order" | "question"]\\nWhy: [why]" where len(words(why)) < 5').run(lm)
    const session = openSession(lm, 'Where? ')
    await session.choose(['here', 'there'])
    await session.ask(' So: ', { seed: 1 })
    await session.ask(' And: ', { seed: 2, where: [where.words({ max: 9 })] })
  }
  await trace(ask, { file })
  return readTrace(file)
}

describe('a text that a model goes on with', () => {
  const lm = fakeLm({ reply: () => 'well' })

  it('is replayed from its ids, but for what is held to conditions or chosen', async () => {
    const calls = await traced(lm)
    expect(calls.calls).toHaveLength(5)
    expect(await replay(calls, lm)).toMatchObject({ calls: 2, equal: 2, skipped: 3 })
    const found = await replay(calls, fakeLm({ reply: () => 'wall' }))
    expect(found).toMatchObject({ equal: 1, difference: { call: 3, of: 'answer', at: 1 } })
  })

  it('is exported as prompt and completion', async () => {
    const calls = await traced(lm)
    const rows = exportTrace(calls, 'sft') as { prompt: string; completion: string }[]
    expect(rows.map(({ prompt }) => prompt)).toEqual(calls.calls.filter(({ answer }) => answer).map(({ text }) => text))
    expect(rows[0]).toEqual({ prompt: 'A mail.\nKind:', completion: expect.stringMatching(/^ (order|question)\n/) })
    expect(exportTrace(calls, 'dpo')).toEqual([])
  })

  it('with turns is one answer for each hole, with what stood before it', async () => {
    const chat = fakeLm({ reply: () => 'well' })
    const turns = script('user "Where?"\nassistant "Kind: [kind: "a" | "b"]"')
    const rows = exportTrace(await trace(() => turns.run(chat)), 'sft')
    expect(rows).toEqual([
      {
        messages: [
          { role: 'user', content: 'Where?' },
          { role: 'assistant', content: expect.stringMatching(/^Kind: [ab]$/) },
        ],
      },
    ])
  })

  it('is told by its end', async () => {
    const long = `${'begin '.repeat(40)}the end`
    const lines = traceLines(await trace(() => openSession(lm, long).ask('', { seed: 1 })))
    expect(lines.join('\n')).toMatch(/< text: ….*the end\n/)
  })
})

describe('a variable that is missing', () => {
  it('is not guessed from names that a declared one cannot be', async () => {
    const of = (text: string) => script(text).run(fakeLm(), {})
    const declared = 'input mails: list\nfor mail in mails: "{mail}"'
    await expect(of(declared)).rejects.toThrow('got none. Give mails (on the command line, --var mails=VALUE)')
    await expect(of('"a [review] {revew}"')).rejects.toThrow("Did you mean 'review'?")
  })
})
