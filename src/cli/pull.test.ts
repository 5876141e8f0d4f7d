import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commitOf, HUB_FILES, HubServer, sha256 } from '../../test/hub-server.ts'
import { runCommand } from '../../test/run-command.ts'
import { command } from './pull.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const weights = Buffer.alloc(1 << 20, 'weights ')
let server: HubServer
let home: string

beforeAll(async () => {
  server = await HubServer.start()
  server.add('models/org/tiny', { ...HUB_FILES, 'model.safetensors': weights })
})
afterAll(() => server.close())
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'anneal-pull-'))
})
afterEach(() => {
  rmSync(home, { recursive: true })
  server.requests.length = 0
  server.fault = () => false
})

interface Ended {
  code: number | null
  out: string
  err: string
}

/** `anneal pull` in a process of its own. */
function pull(...words: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const environment = { ...process.env, HF_HOME: home, HF_ENDPOINT: server.endpoint, HF_HUB_OFFLINE: '0' }
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'pull', ...words], { env: environment })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => (said.out += chunk))
  child.stderr.on('data', (chunk) => (said.err += chunk))
  const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, ...said })))
  return { child, ended }
}

const folder = (): string => join(home, 'hub', 'models--org--tiny')
const snapshot = (): string => join(folder(), 'snapshots', commitOf('a'))
const fromCdn = (): (string | undefined)[] =>
  server.requests.filter(({ host }) => host === 'cdn').map(({ range }) => range)
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((done) => setTimeout(done, 10))
}

/** Sends half of the weights and then nothing, until it is let go. */
function stall(): () => void {
  const waiting: (() => void)[] = []
  let isOpen = false
  server.fault = ({ host, range }, response, body) => {
    if (host !== 'cdn' || isOpen) return false
    const from = Number(/\d+/.exec(range ?? '')?.[0] ?? 0)
    response.writeHead(range ? 206 : 200, { 'content-length': body!.length - from })
    response.write(body!.subarray(from, body!.length / 2))
    waiting.push(() => response.end(body!.subarray(Math.max(from, body!.length / 2))))
    return true
  }
  return () => {
    isOpen = true
    for (const go of waiting) go()
  }
}

describe('anneal pull', () => {
  it('says where the model lies, what it is made of and which commit it is', async () => {
    const { code, out, err } = await pull('org/tiny').ended
    expect(code, err).toBe(0)
    expect(out).toBe(`${snapshot()}\n`)
    expect(err).toContain('1.05 MB  model.safetensors')
    expect(err).toContain(`org/tiny at commit ${commitOf('a')}: 1.05 MB, of which 1.05 MB came now`)
    const again = await pull('org/tiny', '--json').ended
    const { path, commit, files, downloaded } = JSON.parse(again.out)
    expect({ path, commit, downloaded }).toEqual({ path: snapshot(), commit: commitOf('a'), downloaded: 0 })
    expect(files).toContainEqual({ path: 'model.safetensors', size: weights.length })
  })
  it('killed, has left nothing that anybody takes for a model, and goes on from what came', async () => {
    const open = stall()
    const { child, ended } = pull('org/tiny')
    const partial = (): string[] => readdirSync(join(folder(), 'blobs')).filter((name) => name.endsWith('.incomplete'))
    const bytes = (): number => Math.max(0, ...partial().map((name) => statSync(join(folder(), 'blobs', name)).size))
    await until(() => server.requests.some(({ host }) => host === 'cdn'))
    await until(() => bytes() === weights.length / 2)
    child.kill('SIGKILL')
    await ended
    open()
    expect(readdirSync(folder())).toEqual(['blobs'])
    expect(readdirSync(join(folder(), 'blobs'))).not.toContain(sha256(weights))
    server.requests.length = 0
    const { code, err } = await pull('org/tiny').ended
    expect(code, err).toBe(0)
    expect(fromCdn()).toEqual([`bytes=${weights.length / 2}-`])
    expect(readFileSync(join(snapshot(), 'model.safetensors'))).toEqual(weights)
    expect(partial()).toEqual([])
  })
  it('waits for another one that downloads the same, and brings nothing twice', async () => {
    const open = stall()
    const first = pull('org/tiny')
    await until(() => server.requests.some(({ host }) => host === 'cdn'))
    const second = pull('org/tiny')
    let said = ''
    second.child.stderr!.on('data', (chunk) => (said += chunk))
    await until(() => said.includes('another process downloads'))
    open()
    const ends = [await first.ended, await second.ended]
    expect(ends.map(({ code }) => code)).toEqual([0, 0])
    expect(ends.map(({ out }) => out)).toEqual([`${snapshot()}\n`, `${snapshot()}\n`])
    expect(fromCdn()).toEqual([undefined])
    expect(readFileSync(join(snapshot(), 'model.safetensors'))).toEqual(weights)
  })
  it('writes rows of a dataset to a file, which a signal leaves as it was', async () => {
    const rows = '{"text":"one"}\n'.repeat(20_000)
    server.add('datasets/org/rows', { 'train.jsonl': rows })
    const out = join(home, 'rows.jsonl')
    const words = ['--dataset', 'org/rows', '--out', out]
    const first = await pull(...words, '--max-samples', '3').ended
    expect([first.code, first.out]).toEqual([0, `${out}\n`])
    expect(first.err).toMatch(/org\/rows@a+:train: 3 rows, 45 B/)
    expect(readFileSync(out, 'utf8')).toBe('{"text":"one"}\n'.repeat(3))
    let isStalled = false
    server.fault = ({ range }) => {
      if (range === undefined || range.startsWith('bytes=0-')) return false
      isStalled = true
      return true // and never answers
    }
    const second = pull(...words)
    await until(() => isStalled)
    second.child.kill('SIGINT')
    const { code, err } = await second.ended
    expect(code, err).toBe(130)
    expect(err).toContain('stopping; a file that was there stays')
    expect(readFileSync(out, 'utf8')).toBe('{"text":"one"}\n'.repeat(3))
    expect(readdirSync(home).filter((name) => name.includes('rows.jsonl'))).toEqual(['rows.jsonl'])
  })
  it('names what is wrong with a name, in its own exit code', async () => {
    const { code, err } = await pull('org/../tiny').ended
    expect([code, err]).toEqual([
      2,
      'error: name on the hub: expected ORG/NAME[@revision][:file or quantization], got "org/../tiny". Check it\n',
    ])
  })
  it('says which options belong together', async () => {
    const refused = async (...words: string[]): Promise<string> =>
      (await runCommand(command, ['org/tiny', ...words])).err
    expect(await refused('--dataset', '--max-samples', '3')).toMatch(/--max-samples: expected --out as well/)
    expect(await refused('--out', join(home, 'rows.jsonl'))).toMatch(/--out: expected --dataset as well/)
    expect(server.requests).toEqual([])
  })
})
