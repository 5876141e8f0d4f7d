import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, textSink } from '../../test/run-command.ts'
import { writeTextModel } from '../../test/text-model.ts'
import { tinyEncoderDirectory } from '../../test/tiny-encoder.ts'
import { loadClassifier, saveModel } from '../checkpoint/model-directory/classifier-directory.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { saveLora } from '../methods/lora/adapter-files.ts'
import { addLora } from '../methods/lora/lora.ts'
import { Generator, noGrad, ops, scope } from '../torch/index.ts'
import { parseArguments } from './arguments.ts'
import { createOutput, type TextStream } from './output.ts'
import { command } from './serve.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-serve-'))
afterAll(() => rmSync(folder, { recursive: true }))
const encoder = tinyEncoderDirectory('bert-mlm')
afterAll(() => encoder.remove())
const [adapters, ranker] = [join(folder, 'adapters'), join(folder, 'ranker')]
let model = ''
beforeAll(async () => {
  ;({ model } = await writeTextModel(folder))
  const decoder = loadDecoder(model)
  addLora(decoder, { r: 2 })
  scope(() => {
    for (const [path, parameter] of decoder.parameters())
      if (path.includes('lora_B')) noGrad(() => ops.normal_(parameter, 0, 0.5, new Generator(1)))
  })
  mkdirSync(join(adapters, 'poet'), { recursive: true })
  saveLora(decoder, join(adapters, 'poet'), { baseModel: model })
  decoder.free()
  const classifier = tinyEncoderDirectory('bert-classify')
  mkdirSync(ranker)
  const head = loadClassifier(classifier.directory, { labels: ['fits'], seed: 1 })
  saveModel(head, ranker)
  head.free()
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    writeFileSync(join(ranker, file), readFileSync(join(classifier.directory, file)))
  classifier.remove()
})

/** Starts the command in this process; `ready` is what it says when it is ready, or nothing where it ends before. */
async function start(...words: string[]) {
  let said: (line: string) => void = () => {}
  const first = new Promise<string>((resolve) => {
    said = resolve
  })
  const stdout: TextStream = { write: (text) => void (text.includes('serving') && said(text)) }
  const stderr = textSink()
  const { json, help: _, ...invocation } = parseArguments(command, ['--model', model, '--port', '0', ...words])
  const ended = Promise.resolve(command.run({ ...invocation, output: createOutput(json, stdout, stderr) }))
  const ready = await Promise.race([first, ended.then(() => '')])
  return { ready, ended, stderr, stop: () => process.emit('SIGTERM', 'SIGTERM') }
}

const post = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })

describe('anneal serve', () => {
  it('serves what it was given, says so in an event, logs, and ends with 0 at a signal', async () => {
    const log = join(folder, 'requests.jsonl')
    const { ready, ended, stop, stderr } = await start(
      ...[
        '--json',
        '--adapter',
        `poet=${join(adapters, 'poet')}`,
        '--adapters',
        adapters,
        '--served-model-name',
        'base',
      ],
      ...['--embed-model', encoder.directory, '--rerank-model', ranker, '--log', log, '--api-key', 'secret'],
      // Longer than any test: connections that clients would keep are not waited for.
      ...['--threads', '1', '--device', 'cpu', '--drain-seconds', '3600'],
    )
    const event = JSON.parse(ready) as Record<string, string>
    expect(event).toMatchObject({ type: 'serving', model: 'base', adapters: ['poet'], rerank_kind: 'cross-encoder' })
    const { url } = event
    const headers = { authorization: 'Bearer secret' }
    expect((await fetch(`${url}/v1/models`)).status).toBe(401)
    const listed = (await (await fetch(`${url}/v1/models`, { headers })).json()) as { data: { id: string }[] }
    expect(listed.data.map(({ id }) => id)).toEqual(['base', 'poet', event.embed_model, 'ranker'])
    const complete = async (name: string): Promise<string> => {
      const asked = { model: name, prompt: 'the cat sat', temperature: 0, max_tokens: 16 }
      const answer = await post(`${url}/v1/completions`, asked, headers)
      return ((await answer.json()) as { choices: { text: string }[] }).choices[0]!.text
    }
    const [plain, poet] = [await complete('base'), await complete('poet')]
    expect(poet).not.toBe(plain)
    const lora = { lora_name: 'second', lora_path: 'poet' }
    expect((await post(`${url}/v1/load_lora_adapter`, lora, headers)).status).toBe(200)
    expect(await complete('second')).toBe(poet)
    expect((await post(`${url}/v1/unload_lora_adapter`, lora, headers)).status).toBe(200)
    const outside = { lora_name: 'x', lora_path: model }
    expect((await post(`${url}/v1/load_lora_adapter`, outside, headers)).status).toBe(400)
    const ranked = await post(`${url}/v1/rerank`, { query: 'the sun', documents: ['the sea', 'a bus'] }, headers)
    expect(((await ranked.json()) as { results: object[] }).results).toHaveLength(2)
    const embedded = await post(`${url}/v1/embeddings`, { input: 'the sun', model: event.embed_model }, headers)
    expect(((await embedded.json()) as { data: { embedding: number[] }[] }).data[0]!.embedding).toHaveLength(16)
    // What was begun ends before the server does.
    const last = await post(`${url}/v1/completions`, { prompt: 'the', stream: true, ignore_eos: true }, headers)
    stop()
    expect((await last.text()).trim()).toMatch(/data: \[DONE\]$/)
    expect(await ended).toBe(0)
    expect(stderr.text).toContain('SIGTERM: ending what was begun')
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const requests = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(requests.filter(({ route }) => route === '/v1/completions').map((request) => request.model)).toEqual([
      'base',
      'poet',
      'second',
      'base',
    ])
    expect(requests.at(-1)).toMatchObject({ completion_tokens: 16, finish_reasons: ['length'] })
    expect(readFileSync(log, 'utf8')).not.toContain('the cat sat')
  })

  it('writes one line for people, and with --log-contents what was asked and answered', async () => {
    const log = join(folder, 'contents.jsonl')
    writeFileSync(log, '{"before":1}\n')
    const small = ['--cache-tokens', '64']
    const { ready, ended, stop, stderr } = await start('--log', log, '--log-contents', '--threads', '1', ...small)
    const [, url] =
      /^serving on (http:\/\/127\.0\.0\.1:\d+) \(base URL for clients: \1\/v1\): model \(64 tokens\); no key\n$/.exec(
        ready,
      )!
    expect(stderr.text).toContain('have at most 64 tokens together, where the model could take 256: the cache holds')
    const answer = await post(`${url}/v1/completions`, { prompt: 'the cat', max_tokens: 4 })
    const { choices } = (await answer.json()) as { choices: { text: string }[] }
    stop()
    await ended
    const [before, entry] = readFileSync(log, 'utf8').trim().split('\n')
    expect(before).toBe('{"before":1}')
    expect(JSON.parse(entry!)).toMatchObject({ request: { prompt: 'the cat' }, response: [choices[0]!.text] })
  })

  it('refuses an address that is taken or open to all, keys that are none, and adapters without a name', async () => {
    const run = (...words: string[]) => runCommand(command, ['--model', model, ...words])
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    expect(await run('--port', `${port}`)).toMatchObject({
      code: 2,
      err: `error: --port: expected one that is free, got ${port}, where something listens already. Choose another, or 0 for any\n`,
    })
    taken.close()
    const open = await run('--host', '0.0.0.0')
    expect([open.code, open.err]).toEqual([
      2,
      'error: --api-key: expected one for an address that others can reach (0.0.0.0), got none\n',
    ])
    expect((await run('--host', '203.0.113.7', '--api-key', 'k', '--port', '0')).err).toMatch(
      /^error: --host: expected an address of this machine, got 203\.0\.113\.7 \(.*\)\n$/,
    )
    const keys = join(folder, 'keys.txt')
    writeFileSync(keys, '# none\n\n')
    expect(await run('--api-key-file', keys)).toMatchObject({ code: 3, err: expect.stringContaining('expected a key') })
    expect((await run('--api-key-file', join(folder, 'missing'))).code).toBe(3)
    writeFileSync(keys, '# mine\n\nnøgle\n')
    expect((await run('--api-key-file', keys)).err).toMatch(/keys\.txt:3: expected a key of visible ASCII characters/)
    expect(await run('--adapters', join(folder, 'missing'), '--port', '0')).toMatchObject({
      code: 3,
      err: expect.stringContaining('missing: expected a directory to load adapters from, got none'),
    })
    expect((await run('--adapter', 'runs/poet')).err).toContain('--adapter: expected a name and a directory such as')
    expect(await run('--served-model-name', 'poet', '--adapter', `poet=${join(adapters, 'poet')}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('--served-model-name: expected another one for each model and adapter'),
    })
    expect((await run('--queue-seconds', '0', '--port', '0')).err).toContain('--queue-seconds: expected a number above')
    expect((await run('--log', join(folder, 'no', 'such.jsonl'))).code).toBe(3)
    expect((await runCommand(command, ['--model', join(folder, 'none'), '--port', '0'])).code).toBe(3)
  })

  it('takes keys from a file and the environment, and ends at once at a second signal', async () => {
    const keys = join(folder, 'some-keys.txt')
    writeFileSync(keys, '\ufeff# mine\nfirst \r\nsecond\n')
    const main = fileURLToPath(new URL('./main.ts', import.meta.url))
    const words = ['serve', '--model', model, '--port', '0', '--json', '--api-key-file', keys, '--threads', '1']
    const child = spawn(process.execPath, ['--import', 'tsx', main, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ANNEAL_API_KEY: 'third' },
    })
    let stderr = ''
    child.stderr.on('data', (data: Buffer) => {
      stderr += data
    })
    let url = ''
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"serving"')) {
        ;({ url } = JSON.parse(line) as { url: string })
        break
      }
    }
    const statusOf = async (key: string): Promise<number> =>
      (await fetch(`${url}/v1/models`, { headers: { 'x-api-key': key } })).status
    expect(await Promise.all(['first', 'second', 'third', 'fourth'].map(statusOf))).toEqual([200, 200, 200, 401])
    expect((await fetch(`${url}/health`)).status).toBe(200)
    // One that never ends by itself: 30 s would be waited for it.
    const asked = { prompt: 'the', max_tokens: 200, ignore_eos: true, stream: true, n: 16 }
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => post(`${url}/v1/completions`, asked, { 'x-api-key': 'first' })),
    )
    child.kill('SIGTERM')
    const again = setInterval(() => child.kill('SIGTERM'), 200)
    const [code] = (await once(child, 'exit')) as [number]
    clearInterval(again)
    expect(code).toBe(143)
    expect(stderr).toContain('A signal after 1 s ends the run at once')
    // The log is on standard error where no file is named.
    const log = stderr.split('\n').filter((text) => text.startsWith('{'))
    expect(log.map((text) => (JSON.parse(text) as { status: number }).status)).toContain(401)
    await Promise.allSettled(streams.map((stream) => stream.body?.cancel()))
  })
})
