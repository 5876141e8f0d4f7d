// `anneal synth` as a process that is stopped by a signal.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it('leaves whole rows at Ctrl-C, and goes on from there', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synth-cli-'))
  writeFileSync(join(folder, 'seeds.jsonl'), '{"n":1}\n{"n":2}\n{"n":3}\n')
  const end = { choices: [{ delta: { content: 'fine' }, finish_reason: 'stop' }] }
  let asked = 0
  let onHang = (): void => undefined
  const server = createServer((request, response) => {
    request.resume()
    // The third question is not answered until somebody has left.
    if (++asked === 3) onHang()
    else response.end(`data: ${JSON.stringify(end)}\n\ndata: [DONE]\n\n`)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const config = `out: ${folder}/rows\nseeds: ${folder}/seeds.jsonl\nconcurrency: 1\nteacher: { model: m, url: '${url}' }\ncolumns: [{ name: a, prompt: '{{ n }}' }]\n`
  writeFileSync(join(folder, 'synth.yaml'), config)
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const start = () => spawn(process.execPath, ['--import', 'tsx', main, 'synth', join(folder, 'synth.yaml')])
  const rows = (): string => readFileSync(join(folder, 'rows', 'rows.jsonl'), 'utf8')
  try {
    const first = start()
    onHang = () => void first.kill('SIGINT')
    expect(await once(first, 'exit')).toEqual([130, null])
    expect(rows()).toBe('{"a":"fine"}\n'.repeat(2))
    expect(await once(start(), 'exit')).toEqual([0, null])
    expect(rows()).toBe('{"a":"fine"}\n'.repeat(3))
    expect(asked).toBe(4)
  } finally {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  }
})
