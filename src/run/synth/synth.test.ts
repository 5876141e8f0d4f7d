import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeChatModel } from '../../../test/text-model.ts'
import { exitCodeOf } from '../../errors.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { parseSynthConfig, type SynthConfigValues, synthConfig } from './config.ts'
import { checkSynth, runSynth } from './run-synth.ts'

const folder = mkdtempSync(join(tmpdir(), 'run-synth-'))
const at = (name: string): string => join(folder, name)
writeFileSync(at('seeds.jsonl'), '{"topic":"cats"}\n{"topic":"rain"}\n{"topic":"mail to ann@example.org"}\n')

const line = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`
const usage = { prompt_tokens: 20, completion_tokens: 5 }
const says = (text: string) => (response: ServerResponse) =>
  void response.end(
    `${line({ choices: [{ delta: { content: text }, finish_reason: 'stop' }] })}${line({ usage, choices: [] })}data: [DONE]\n\n`,
  )
let reply: (response: ServerResponse, body: { seed?: number; messages: unknown[] }) => void = says('fine')
const keys: (string | undefined)[] = []
const server = createServer(async (request, response) => {
  keys.push(request.headers.authorization)
  let body = ''
  for await (const piece of request) body += String(piece)
  reply(response, JSON.parse(body) as never)
})
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

let count = 0
const config = ({ teacher, ...more }: SynthConfigValues = {}) =>
  synthConfig({
    out: at(`out-${count++}`),
    seeds: at('seeds.jsonl'),
    teacher: { model: 'm', url, retries: 0, ...teacher },
    columns: [{ name: 'said', prompt: 'Tell of {{ topic }}.' }],
    ...more,
  })
const failing = async (asked: ReturnType<typeof config>) => {
  const error = await resultOf(runSynth(asked)).then(
    () => undefined,
    (thrown: Error) => thrown,
  )
  expect(error?.message).not.toContain('\n')
  return `${exitCodeOf(error)}: ${error?.message}`
}
const refused = (status: number, text: string) => (response: ServerResponse) =>
  void response.writeHead(status).end(text)

describe('a service as teacher', () => {
  it('makes rows, and tells its licence, price and seeds', async () => {
    process.env.SYNTH_TEST_KEY = 'secret-key'
    const asked = config({
      teacher: { api_key_env: 'SYNTH_TEST_KEY', licence: 'MIT' },
      price: { input: 1, output: 4 },
      scrub: { seeds: ['email'], rows: [] },
      test: at('seeds.jsonl'),
    })
    expect(await resultOf(runSynth(asked))).toMatchObject({
      end: 'done',
      rows: 3,
      spent: { calls: 3, cost: expect.closeTo(120e-6, 12) },
    })
    expect(keys.at(-1)).toBe('Bearer secret-key')
    expect(readFileSync(join(asked.out, 'rows.jsonl'), 'utf8')).toBe('{"said":"fine"}\n'.repeat(3))
    const lineage = readFileSync(join(asked.out, 'lineage.json'), 'utf8')
    expect(JSON.parse(lineage)).toMatchObject({
      teacher: { name: 'm', licence: 'MIT', version: expect.stringContaining(url) },
      seeds: { count: 3, files: [{ path: at('seeds.jsonl') }] },
      scrubbed: { seeds: { email: 1 }, rows: null },
    })
    const files = ['calls.jsonl', 'synthesis.json', 'README.md'].map((name) =>
      readFileSync(join(asked.out, name), 'utf8'),
    )
    expect([lineage, ...files].join('')).not.toMatch(/secret-key|ann@/)
  })
  it('is shown to fail in one line, with what was made kept', async () => {
    const asked = config({ concurrency: 1 })
    const { out } = asked
    let left = 1
    const once =
      (other: typeof reply): typeof reply =>
      (response, body) =>
        left-- > 0 ? says('fine')(response) : other(response, body)
    reply = once(refused(401, 'no such key'))
    expect(await failing(asked)).toMatch(
      /^1: http:.*expected an answer, got HTTP 401 no such key\. (?:Give a key|Check the key)$/,
    )
    expect(readFileSync(join(out, 'rows.jsonl'), 'utf8')).toBe('{"said":"fine"}\n')
    for (const status of [404, 429, 500]) {
      reply = refused(status, 'busy')
      expect(await failing(asked)).toContain(`got HTTP ${status} busy`)
    }
    reply = (response) => void response.end('nonsense')
    expect(await failing(asked)).toMatch(/^1: .*expected/)
    const hanging = config({ teacher: { timeout_seconds: 0.2 } })
    reply = () => undefined
    expect(await failing(hanging)).toContain('nothing within 0.2 s')
    reply = says('fine')
    expect(await resultOf(runSynth(asked))).toMatchObject({ end: 'done', rows: 3 })
    expect(readFileSync(join(out, 'rows.jsonl'), 'utf8')).toBe('{"said":"fine"}\n'.repeat(3))
  })
  it('that says nothing leaves rejects alone', async () => {
    reply = says('')
    const asked = config()
    expect(await resultOf(runSynth(asked))).toMatchObject({ rows: 0, rejected: 3, refused: 9 })
    expect(readFileSync(join(asked.out, 'rejects.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(9)
    reply = says('fine')
  })
  it('says why a preview has no row', async () => {
    const column = { name: 'said', prompt: 'Tell of {{ topic }}.', max_length: 2 }
    const events: WorkEvent[] = []
    await resultOf(runSynth(config({ columns: [column], again: 1 }), { preview: 2 }), (event) => events.push(event))
    const lines = events.flatMap((event) => (event.type === 'result' ? (event.lines ?? []) : []))
    expect(lines).toEqual([
      expect.stringMatching(/^4 tries refused: .*characters/),
      expect.stringContaining('0 rows and 2 seeds without one kept'),
    ])
  })
  it('says which cases of a counsellor are in another script, and which no question asks for', async () => {
    writeFileSync(at('zh.txt'), '主题：睡眠\n\n来访者：我睡不着。\n咨询师：您在想什么？\n')
    writeFileSync(at('en.txt'), 'Topic: work\n\nClient: My boss shouts.\nCounsellor: What do you do then?\n')
    writeFileSync(at('q.jsonl'), '{"topic":"work","question":"Too much work?","answer":"Say no once a day."}\n')
    const asked = synthConfig({
      ...{ out: at('psydt'), seeds: at('q.jsonl'), teacher: { model: 'm', url }, recipe: 'psydt' },
      psydt: { cases: [at('zh.txt'), at('en.txt')], language: 'en' },
    })
    const said: string[] = []
    const preview = await resultOf(checkSynth(asked), (event) => {
      if (event.type === 'notice') said.push(event.message)
      if (event.type === 'result') said.push(...(event.lines ?? []))
    })
    expect(preview.calls.filter(({ row }) => row === null)).toHaveLength(4)
    expect(said).toContainEqual(expect.stringMatching(/^1 case not in the script of psydt.language, en: zh\.txt/))
    expect(said).toContainEqual(expect.stringMatching(/^1 case on topics without a question, .*: zh\.txt/))
    expect(said.filter((line) => line.startsWith('— once'))).toHaveLength(2)
    expect(said).toContain('not shown are 2 more calls that come before all rows')
  })
  it('stops at a budget, and shows a preview that is kept', async () => {
    const asked = config({ budget: { calls: 2 }, concurrency: 1 })
    const { out } = asked
    expect(await resultOf(runSynth(asked))).toMatchObject({ end: 'budget', rows: 2 })
    const events: WorkEvent[] = []
    const shown = { ...config({ price: { input: 1, output: 1 } }), out: at('shown') }
    await resultOf(runSynth(shown, { preview: 2 }), (event) => events.push(event))
    const shownLines = events.flatMap((event) => (event.type === 'result' ? (event.lines ?? []) : []))
    expect(shownLines).toEqual([
      '{"said":"fine"}',
      '{"said":"fine"}',
      `all 3 seeds at this rate: about 3 calls, 75 tokens, cost 0.0001; 2 rows kept in ${at('shown')}`,
    ])
    expect(await resultOf(runSynth(shown))).toMatchObject({ end: 'done', rows: 3, spent: { calls: 3 } })
    expect(await resultOf(runSynth(config({ out })))).toMatchObject({ end: 'done', rows: 3, spent: { calls: 3 } })
    const before = keys.length
    const { estimate } = await resultOf(checkSynth(config({ sampling: { max_tokens: 10 } })))
    expect(estimate).toMatchObject({ calls: 3, completionTokens: 30 })
    expect(keys.length).toBe(before)
  })
})

describe('bad input', () => {
  const faultOf = async (text: string): Promise<string> => {
    try {
      const { config: parsed } = parseSynthConfig(text, 'f.yaml')
      return await failing(parsed)
    } catch (error) {
      return `${exitCodeOf(error)}: ${(error as Error).message}`
    }
  }
  const good = (more = ''): string =>
    `out: ${at('bad')}\nseeds: ${at('seeds.jsonl')}\nteacher: { model: m, url: '${url}' }\ncolumns:\n  - { name: a, prompt: 'x {{ topic }}' }\n${more}`
  it('is told with its place', async () => {
    expect(await faultOf(good('buget: { cost: 1 }'))).toMatch(
      /^2: unknown key 'buget'. Did you mean 'budget'\?.*f.yaml:6:1/,
    )
    expect(await faultOf(good('budget: { cost: 1 }'))).toContain('budget.cost: expected it together with price')
    expect(await faultOf(good('recipe: colums'))).toContain("Did you mean 'columns'?")
    expect(await faultOf(good().replace('prompt', 'promt'))).toContain("Did you mean 'prompt'?")
    expect(await faultOf(good().replace('{{ topic }}', '{{ to pic }}'))).toMatch(
      /columns.0.prompt: expected a name.*f.yaml:5:/,
    )
    expect(await faultOf(good().replace('{{ topic }}', '{{ topik }}'))).toMatch(
      /^3: seeds: row 1: .*Did you mean 'topic'/,
    )
    expect(await faultOf(good().replace('model: m, ', ''))).toContain('teacher.model: expected a model')
    expect(
      await faultOf(good("teacher: { model: m, url: 'x' }").replace(/teacher: \{ model: m, url: 'h.*\n/, '')),
    ).toMatch(/^2: teacher.url: expected an address/)
    expect(await faultOf(good().replace('model: m', 'model: m, api_key_env: NO_SUCH_KEY'))).toMatch(/^2: .*NO_SUCH_KEY/)
    expect(await faultOf(good().replace(at('seeds.jsonl'), at('none.jsonl')))).toContain('none.jsonl')
    writeFileSync(at('empty.jsonl'), '')
    expect(await faultOf(good().replace(at('seeds.jsonl'), at('empty.jsonl')))).toMatch(
      /^3: .*expected at least one row/,
    )
    expect(await faultOf(good().replace(at('bad'), at('seeds.jsonl')))).toMatch(/^2: out: expected a folder/)
  })
})

describe('a model of ours as teacher', () => {
  it('keeps to what columns say, and makes the same rows however many at a time', { timeout: 60_000 }, async () => {
    const { model } = await writeChatModel(folder)
    const made = async (concurrency: number) => {
      const { out } = await resultOf(
        runSynth(
          synthConfig({
            out: at(`ours-${concurrency}`),
            seeds: at('seeds.jsonl'),
            teacher: { model },
            sampling: { max_tokens: 12, temperature: 1 },
            concurrency,
            columns: [
              { name: 'kind', prompt: 'Which?', choices: ['hot', 'cold'] },
              { name: 'code', prompt: '{{ kind }}', regex: '[a-c]{2}[0-9]' },
              {
                name: 'fact',
                prompt: 'x',
                json_schema: { type: 'object', properties: { n: { type: 'boolean' } }, required: ['n'] },
              },
            ],
          }),
        ),
      )
      return readFileSync(join(out, 'rows.jsonl'), 'utf8')
    }
    const rows = await made(1)
    expect(await made(3)).toBe(rows)
    for (const row of rows.trimEnd().split('\n'))
      expect(JSON.parse(row)).toEqual({
        kind: expect.stringMatching(/^(?:hot|cold)$/),
        code: expect.stringMatching(/^[a-c]{2}[0-9]$/),
        fact: { n: expect.any(Boolean) },
      })
  })
})
