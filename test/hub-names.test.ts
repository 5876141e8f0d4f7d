// Models by name through whole commands: a hub in this process, a cache of its own, real files.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { main } from '../src/cli/main.ts'
import { openEvalModel } from '../src/run/eval/open-model.ts'
import { loadModel } from '../src/run/load-model.ts'
import { resolveModelPath } from '../src/run/resolve-model.ts'
import type { Watch } from '../src/work.ts'
import { commitOf, HubServer } from './hub-server.ts'
import { textSink } from './run-command.ts'
import { tinyModelDirectory } from './tiny-model.ts'
import { annealHere, corpus, makeWorkspace, type Workspace } from './training/tiny-run.ts'

let server: HubServer
let workspace: Workspace
let home: string
let base: string
let remove: () => void
const before = { ...process.env }

const filesOf = (directory: string): Record<string, Buffer> =>
  Object.fromEntries(
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, readFileSync(join(directory, name))]),
  )
const at = (...path: string[]): string => join(home, ...path)
const [FIRST, SECOND] = [commitOf('1'), commitOf('2')]

async function anneal(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [textSink(), textSink()]
  const code = await main(words, { stdout, stderr })
  return { code, out: stdout.text, err: stderr.text }
}

beforeAll(async () => {
  server = await HubServer.start()
  home = mkdtempSync(join(tmpdir(), 'anneal-names-'))
  workspace = await makeWorkspace()
  ;({ directory: base, remove } = await tinyModelDirectory({ generationConfig: { temperature: 0 } }))
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: server.endpoint, HF_HUB_OFFLINE: '0' })
  server.add('models/org/base', filesOf(base), FIRST)
  server.add('datasets/org/rows', { 'train.jsonl': corpus(20) }, FIRST)
})
beforeEach(() => {
  process.env.HF_HUB_OFFLINE = '0'
})
afterAll(async () => {
  process.env = before
  rmSync(home, { recursive: true })
  workspace.remove()
  remove()
  await server.close()
})

const PROMPT = ['--prompt', 'a', '--max-new-tokens', '4', '--json']

describe('a name on the hub', () => {
  it('is a model wherever a directory is: pulled the first time, found offline afterwards', async () => {
    const local = await anneal('generate', '--model', base, ...PROMPT)
    const first = await anneal('generate', '--model', 'org/base', ...PROMPT)
    expect(first.err).toBe(local.err)
    expect(first).toEqual(local)
    server.requests.length = 0
    process.env.HF_HUB_OFFLINE = '1'
    expect((await anneal('generate', '--model', 'org/base', ...PROMPT)).out).toBe(local.out)
    expect((await anneal('score', '--model', `org/base@${FIRST}`, '--ids', ids(), '--json')).code).toBe(0)
    const missing = await anneal('generate', '--model', 'org/other', ...PROMPT)
    expect(missing.code).toBe(8)
    expect(missing.err).toMatch(
      /^error: org\/other: expected it in the cache .*HF_HUB_OFFLINE is set, got nothing.*Nothing has this path here, either\n$/,
    )
    expect(server.requests).toEqual([])
  })
  it('gives way to a path of that name', async () => {
    const here = process.cwd()
    mkdirSync(at('folder', 'org'), { recursive: true })
    cpSync(base, at('folder', 'org', 'other'), { recursive: true })
    process.chdir(at('folder'))
    try {
      expect((await anneal('generate', '--model', 'org/other', ...PROMPT)).code).toBe(0)
    } finally {
      process.chdir(here)
    }
  })
  it('is not hidden by an empty folder', async () => {
    mkdirSync(at('here', 'org', 'base'), { recursive: true })
    const where = process.cwd()
    process.chdir(at('here'))
    try {
      const notices: string[] = []
      const watch: Watch = { tell: (event) => void (event.type === 'notice' && notices.push(event.message)) }
      expect(await resolveModelPath('org/base', watch)).toBe(at('hub', 'models--org--base', 'snapshots', FIRST))
      expect(notices).toEqual(['org/base: an empty folder; taking what the hub has of this name'])
    } finally {
      process.chdir(where)
    }
  })
  it('is kept with its commit in the lineage of what is made of it', async () => {
    const out = at('exported')
    const exported = await anneal('export', '--to', 'hf', '--model', 'org/base', '--out', out)
    expect(exported.code, exported.err).toBe(0)
    const [step] = JSON.parse(readFileSync(join(out, 'lineage.json'), 'utf8'))
    expect(step.parent).toBe(`org/base@${FIRST}`)
  })
})

/** Ids of a text, in a file. */
function ids(): string {
  const file = at('ids.json')
  if (!existsSync(file)) writeFileSync(file, '[[1, 40, 77, 9]]')
  return file
}

describe('a model from the hub that is none', () => {
  it.each([
    ['a header of 2 GB', 2n ** 31n],
    ['a header longer than any file', 2n ** 63n],
  ])('with %s is refused by what reads it', async (_, length) => {
    const weights = Buffer.alloc(64)
    weights.writeBigUInt64LE(length)
    server.add('models/org/hostile', { ...filesOf(base), 'model.safetensors': weights })
    const started = performance.now()
    const { code, err } = await anneal('generate', '--model', 'org/hostile', ...PROMPT)
    expect(code).toBe(3)
    expect(err).toMatch(/model\.safetensors/)
    expect(performance.now() - started).toBeLessThan(60_000)
    rmSync(at('hub', 'models--org--hostile'), { recursive: true })
  })
})

describe('a training run from a name', () => {
  const words = (name: string, config: Record<string, unknown> = {}): string[] =>
    workspace.words(name, {
      model: undefined,
      tokenizer_name_or_path: undefined,
      model_name_or_path: 'org/base',
      dataset: 'org/rows',
      finetuning: 'lora',
      lora_r: 2,
      max_steps: 4,
      save_steps: 2,
      ...config,
    })
  const adapterOf = (name: string, directory = ''): Record<string, unknown> =>
    JSON.parse(readFileSync(join(workspace.outputOf(name), directory, 'adapter_config.json'), 'utf8'))

  it('keeps the commit, in configuration, lineage and adapter, and goes on from it when main has moved', async () => {
    const straight = await annealHere(words('straight'))
    expect(straight.code, straight.err).toBe(0)
    const stopped = await annealHere(words('stopped'), 2)
    expect(stopped.code).toBe(143)
    const other = { ...filesOf(base), 'config.json': '{}', 'model.safetensors': Buffer.from('other weights') }
    const repository = server.repositories.get('models/org/base')!
    repository.commits[SECOND] = other
    repository.refs.main = SECOND
    const rows = server.repositories.get('datasets/org/rows')!
    rows.commits[SECOND] = { 'train.jsonl': '{"text":"other rows"}\n' }
    rows.refs.main = SECOND
    try {
      const resumed = await annealHere([...words('stopped'), '--resume_from_checkpoint', 'auto'])
      expect(resumed.code, resumed.err).toBe(0)
    } finally {
      repository.refs.main = FIRST
    }
    const weights = (name: string): Buffer => readFileSync(join(workspace.outputOf(name), 'adapter_model.safetensors'))
    expect(weights('stopped')).toEqual(weights('straight'))
    const config = parse(readFileSync(join(workspace.outputOf('stopped'), 'train_config.yaml'), 'utf8'))
    expect(config.model_name_or_path).toBe(`org/base@${FIRST}`)
    expect(config.tokenizer_name_or_path).toBe(`org/base@${FIRST}`)
    expect(config.dataset).toEqual([`org/rows@${FIRST}:train`])
    const [step] = JSON.parse(readFileSync(join(workspace.outputOf('stopped'), 'lineage.json'), 'utf8'))
    expect(step.options.model_name_or_path).toBe(`org/base@${FIRST}`)
    for (const directory of ['', 'checkpoint-4'])
      expect(adapterOf('stopped', directory)).toMatchObject({ base_model_name_or_path: 'org/base', revision: FIRST })
  })
  it('leaves an adapter that brings its base along from a cache without it, by its own name too', async () => {
    server.add('models/org/lora', filesOf(workspace.outputOf('straight')), commitOf('3'))
    process.env.HF_HOME = at('another')
    try {
      const { source, model } = await loadModel('org/lora')
      model.free()
      expect(source.adapters).toHaveLength(1)
      expect(source.base).toBe(at('another', 'hub', 'models--org--base', 'snapshots', FIRST))
      expect(existsSync(source.base)).toBe(true)
      const beside = await loadModel('org/base', { adapter: 'org/lora' })
      beside.model.free()
      expect(beside.source.adapters.map(({ directory }) => directory)).toEqual(
        source.adapters.map(({ directory }) => directory),
      )
      const out = at('merged')
      expect((await anneal('export', '--to', 'hf', '--model', 'org/lora', '--out', out)).code).toBe(0)
      const steps = JSON.parse(readFileSync(join(out, 'lineage.json'), 'utf8')) as { options: { adapter?: string } }[]
      expect(steps.map(({ options }) => options.adapter)).toContain(`org/lora@${commitOf('3')}`)
      const measured = await openEvalModel('org/base', { adapter: ['org/lora'] })
      expect(measured.model.facts).toMatchObject({ model_sha: FIRST, peft_sha: commitOf('3') })
      measured.free()
      rmSync(at('another'), { recursive: true })
      expect((await anneal('pull', 'org/lora')).code).toBe(0)
      expect(existsSync(join(source.base, 'model.safetensors'))).toBe(true)
      const checked = await anneal('check', 'org/lora')
      expect(checked.err).not.toMatch(/base_model_name_or_path/)
    } finally {
      process.env.HF_HOME = home
    }
  })
})
