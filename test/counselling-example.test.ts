// examples/counselling.mjs: a message of somebody in danger gets the help text whatever the model says, over every way to ask, and nothing
// of the model's answer leaves before.
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fakeLm } from '../src/lm/fake-lm.ts'
import { localModel } from '../src/prompting/base/local-model.ts'
import type { Model } from '../src/prompting/base/model.ts'
import { WORDINGS } from '../src/prompting/base/wordings.ts'
import type { Service } from '../src/prompting/service/service.ts'
import { writeChatModel } from './text-model.ts'

// The names that the example imports are those of the installed package.
vi.mock('anneal/prompting', () => import('../src/prompting/index.ts'))
vi.mock('anneal/prompting/service', () => import('../src/prompting/service/index.ts'))

const { default: counselling } = (await import('../examples/' + 'counselling.mjs')) as {
  default: (model: Model) => [Service]
}
const root = fileURLToPath(new URL('..', import.meta.url))
const main = ['--import', 'tsx', join(root, 'src', 'cli', 'main.ts')]
const example = join(root, 'examples', 'counselling.mjs')

async function piecesOf(one: Service, input: unknown): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of one.stream(input)) pieces.push(piece)
  return pieces
}

describe('the counselling service', () => {
  const heard: string[] = []
  const reply = ({ messages }: { messages?: readonly { content?: unknown }[] }): string => {
    heard.push(...(messages ?? []).map(({ content }) => String(content)))
    return 'LEAK. Nobody would care. You have depression.'
  }
  const [counsel] = counselling(localModel(fakeLm({ reply: reply as never })))

  it('answers people in danger without the model', async () => {
    for (const [message, help] of [
      ['I want to kill myself', WORDINGS.crisis.en],
      ['我不想活了', WORDINGS.crisis.zh],
      ['Quiero morirme', WORDINGS.crisis.es],
    ]) {
      const pieces = await piecesOf(counsel, { message })
      expect(pieces[0]).toBe(help)
      expect(pieces.join('')).not.toContain('LEAK')
      expect(pieces.at(-1)).toContain('I am a computer program and no therapist')
    }
    expect(heard).toEqual([])
  })

  it('diagnoses nobody, and goes on after an earlier message', async () => {
    const history = [
      { role: 'user', content: 'I want to kill myself' },
      { role: 'assistant', content: WORDINGS.crisis.en },
    ]
    const text = (await piecesOf(counsel, { message: 'I called them.', history })).join('')
    expect(text).toMatch(/^LEAK\. Nobody would care\.\n\nI cannot say what illness/)
    expect(text).not.toContain('depression')
    expect(heard).toContain('I called them.')
    expect((await piecesOf(counsel, { message: 'Do I have ADHD?' }))[0]).toBe(WORDINGS.noDiagnosis)
  })

  describe('with a small model', () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-counselling-'))
    let model: string
    beforeAll(async () => {
      ;({ model } = await writeChatModel(folder, 2048))
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    it('is a command', { timeout: 300_000 }, async () => {
      const words = ['service', example, 'counsel', '--model', model, '--message', 'I want to kill myself']
      const { stdout } = await promisify(execFile)(process.execPath, [...main, ...words], { cwd: root })
      expect(stdout.startsWith(`${WORDINGS.crisis.en}\n\nI am a computer program`)).toBe(true)
    })
    it('is behind a server, streamed', { timeout: 300_000 }, async () => {
      const words = ['serve', '--model', model, '--services', example, '--port', '0', '--json']
      const child = spawn(process.execPath, [...main, ...words], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      try {
        let url = ''
        for await (const line of createInterface({ input: child.stdout })) {
          if (!line.includes('"serving"')) continue
          url = (JSON.parse(line) as { url: string }).url
          break
        }
        const called = await fetch(`${url}/services/counsel`, {
          method: 'POST',
          body: JSON.stringify({ message: 'I want to kill myself' }),
          headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        })
        const stream = await called.text()
        const said = stream
          .split('\n')
          .filter((line) => line.startsWith('data: {'))
          .map((line) => JSON.parse(line.slice(6)) as { delta?: string })
        expect(said[0]?.delta).toBe(WORDINGS.crisis.en)
        const plain = await fetch(`${url}/services/counsel`, {
          method: 'POST',
          body: JSON.stringify({ message: 'I cannot sleep.' }),
          headers: { 'content-type': 'application/json' },
        })
        expect(((await plain.json()) as { output: string }).output).toContain('no therapist')
      } finally {
        child.kill('SIGKILL')
      }
    })
  })
})
