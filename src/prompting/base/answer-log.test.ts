import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { AnswerLog } from './answer-log.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-answer-log-'))
afterAll(() => rmSync(directory, { recursive: true }))

const MODULE = fileURLToPath(new URL('./answer-log.ts', import.meta.url))
/** Adds answers, each with its key again and again as its text, and tells how far it is. */
const WRITER = `
const { AnswerLog } = await import(${JSON.stringify(MODULE)})
const [who, directory] = process.argv.slice(-2)
const log = new AnswerLog(directory, { maxBytes: 1e9, onEntry() {}, onFault: console.error })
const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
for (let i = 0; i < 500; i++) {
  const key = who + '-' + i
  log.put({ key, at: 0, answer: { text: key.repeat(300), reasoning: '', toolCalls: [], tokenIds: [], finishReason: 'stop', usage } })
  if (i === 100) console.log('far enough')
}`

describe('answer log', () => {
  it.skipIf(process.env.ANNEAL_LONG !== '1')('is whole though three write and one is killed', async () => {
    const writers = ['a', 'b', 'c'].map((who) =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', WRITER, '--', who, directory], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    )
    writers[1]!.stdout!.once('data', () => writers[1]!.kill('SIGKILL'))
    await Promise.all(writers.map((writer) => new Promise((resolve) => writer.once('exit', resolve))))
    const found = new Map<string, string>()
    new AnswerLog(directory, {
      maxBytes: 1e9,
      onEntry: ({ key, answer }) => found.set(key, answer.text),
      onFault: () => undefined, // of the line that was torn, if one was
    })
    for (const [key, text] of found) expect(text).toBe(key.repeat(300))
    const of = (who: string): number => [...found.keys()].filter((key) => key.startsWith(who)).length
    expect([of('a'), of('c')]).toEqual([500, 500])
    expect(of('b')).toBeGreaterThanOrEqual(101)
  })
})
