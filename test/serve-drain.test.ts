// SIGTERM to a server in a process of its own: what was begun ends whole, nothing new begins, and the process ends well.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { tinyModelDirectory } from './tiny-model.ts'

const { directory, remove } = await tinyModelDirectory()
afterAll(remove)

const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

it('drains on SIGTERM', async () => {
  const words = ['serve', '--model', directory, '--port', '0', '--json', '--batch-size', '2']
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...words], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  try {
    let url = ''
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes('"serving"')) continue
      url = (JSON.parse(line) as { url: string }).url
      break
    }
    const post = (body: object): Promise<Response> =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ prompt: 'a', max_tokens: 400, ignore_eos: true, ...body }),
        headers: { 'content-type': 'application/json' },
      })
    // Three for two places: one of them waits, and was promised its turn.
    const streams = await Promise.all([post({ stream: true }), post({ stream: true })])
    const whole = post({ stream: false })
    const waits = async (): Promise<boolean> =>
      /num_requests_waiting\{[^}]*\} 1\n/.test(await (await fetch(`${url}/metrics`)).text())
    let isOver = false
    void whole.then(() => {
      isOver = true // on a machine that let this process wait
    })
    while (!isOver && !(await waits())) await pause(5)
    child.kill('SIGTERM')
    const statuses = new Set<number>()
    const refused = async (): Promise<boolean> => {
      const status = await post({ max_tokens: 1 }).then(
        (response) => response.status,
        () => 0, // the socket is closed
      )
      statuses.add(status)
      return status !== 200
    }
    while (!(await refused())) await pause(5)
    for (const response of streams) {
      const text = await response.text()
      expect(text).toContain('"finish_reason":"length"')
      expect(text).toMatch(/data: \[DONE\]\n\n$/)
    }
    const answer = await whole
    expect(answer.status).toBe(200)
    expect(((await answer.json()) as { usage: object }).usage).toMatchObject({ completion_tokens: 400 })
    expect(await ended).toEqual([0, null])
    expect([...statuses].filter((status) => status !== 0 && status !== 200 && status !== 503)).toEqual([])
  } finally {
    child.kill('SIGKILL')
  }
})
