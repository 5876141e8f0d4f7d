import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { HubServer } from '../../test/hub-server.ts'
import { runCommand } from '../../test/run-command.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { writeLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { exportGguf } from '../gguf/export-gguf.ts'
import { metadataBlock } from '../hub/metadata-block.ts'
import { originMetadata } from '../run/push/gguf-origin.ts'
import { command } from './push.ts'

let server: HubServer
let base: string
let remove: () => void
let scratch: string
let model: string

beforeAll(async () => {
  server = await HubServer.start()
  ;({ directory: base, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE }))
})
afterAll(async () => {
  remove()
  await server.close()
})
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'anneal-push-'))
  model = join(scratch, 'model')
  cpSync(base, model, { recursive: true })
  rmSync(join(model, 'expected.json'), { force: true })
  for (const [name, value] of Object.entries({
    HF_HOME: scratch,
    HF_ENDPOINT: server.endpoint,
    HF_TOKEN: 'hf_write',
    HF_HUB_OFFLINE: '',
  }))
    vi.stubEnv(name, value)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(scratch, { recursive: true })
  server.repositories.clear()
  server.uploads.clear()
  server.requests.length = 0
})

const push = (...words: string[]): ReturnType<typeof runCommand> => runCommand(command, words)
const onHub = (name: string): Record<string, Buffer | string> => {
  const { commits, refs } = server.repositories.get(name)!
  return commits[refs.main!]!
}
const card = (name: string): Record<string, unknown> => parse(metadataBlock(`${onHub(name)['README.md']}`)!)
const write = (path: string, text = 'x'): void => {
  mkdirSync(join(model, path, '..'), { recursive: true })
  writeFileSync(join(model, path), text)
}

it('a push that is killed has changed nothing on the hub, and the next one is whole', async () => {
  server.add('models/org/tiny', { 'README.md': 'theirs' })
  const before = onHub('models/org/tiny')
  const main = fileURLToPath(new URL('./main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', main, 'push', model, 'org/tiny'], { env: process.env })
  let isStalled = false
  server.fault = ({ method }) => {
    if (method !== 'PUT') return false
    isStalled = true
    return true // and never answers
  }
  const ended = new Promise((done) => child.on('close', done))
  while (!isStalled && child.exitCode === null) await new Promise((done) => setTimeout(done, 10))
  child.kill('SIGKILL')
  await ended
  expect(isStalled).toBe(true)
  expect(server.uploads.commits).toEqual([])
  expect(onHub('models/org/tiny')).toBe(before)
  server.fault = () => false
  expect((await push(model, 'org/tiny')).code).toBe(0)
  expect(onHub('models/org/tiny')['model.safetensors']).toEqual(readFileSync(join(model, 'model.safetensors')))
  expect(server.uploads.commits).toHaveLength(1)
}, 300_000)

describe('anneal push', () => {
  it('makes the repository, its card from the lineage, and one commit of all', async () => {
    const step = { report: {}, date: '2026-11-27T00:00:00.000Z', annealVersion: '1.0.0' }
    writeLineage(model, [
      {
        ...step,
        pass: 'sft',
        options: {
          model_name_or_path: 'org/base@main',
          dataset: ['/home/me/chats.jsonl', 'org/rows@main:train'],
          learning_rate: 0.1,
        },
      },
    ])
    const { code, err, out } = await push(
      model,
      'org/tiny',
      '--create',
      '--private',
      '--license',
      'mit',
      '--message',
      'First',
    )
    expect([code, err]).toEqual([
      0,
      expect.stringContaining('paths of this machine stand in lineage.json (… chats.jsonl)'),
    ])
    expect(out).toContain(`${server.endpoint}/org/tiny/commit/`)
    expect(server.uploads.made).toEqual([{ name: 'models/org/tiny', isPrivate: true }])
    expect(server.uploads.commits).toMatchObject([{ message: 'First' }])
    expect(Object.keys(onHub('models/org/tiny'))).toEqual(
      expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json', 'lineage.json']),
    )
    expect(onHub('models/org/tiny')['model.safetensors']).toEqual(readFileSync(join(base, 'model.safetensors')))
    expect(card('models/org/tiny')).toEqual({
      license: 'mit',
      base_model: 'org/base',
      base_model_relation: 'finetune',
      datasets: ['org/rows'],
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['anneal'],
    })
    expect(`${onHub('models/org/tiny')['README.md']}`).toContain(
      '1. sft (2026-11-27): model_name_or_path `org/base@main`, dataset `chats.jsonl` and `org/rows@main:train`, learning_rate `0.1`',
    )
    expect((await push(model, 'org/tiny', '--license', 'mit')).out).toContain('nothing to commit')
    expect(server.uploads.commits).toHaveLength(1)
  })
  it('leaves out secrets, hidden files, state, pickles and links out of the folder, with a word each', async () => {
    for (const path of [
      '.env',
      'prod.env',
      'token',
      '.git/config',
      'optimizer.safetensors',
      'training_args.bin',
      'checkpoint-5/optimizer.safetensors',
      'logs/a.txt',
      'runs/events.out.tfevents.1.host.7.0',
      'wandb/debug.log',
      'hf_token.txt',
      'kaggle.json',
    ])
      write(path)
    symlinkSync('/etc/hostname', join(model, 'host.txt'))
    const { err, out } = await push(model, 'org/tiny', '--dry-run')
    expect(server.requests).toEqual([])
    for (const line of [
      '.env stays here: may hold a secret',
      'prod.env stays here: may hold a secret',
      'token stays here: may hold a secret',
      '.git/ stays here: hidden',
      'wandb/ stays here: logs of',
      'hf_token.txt stays here: may hold a secret',
      'kaggle.json stays here: may hold a secret',
      'runs/events.out.tfevents.1.host.7.0 stays here: a log of TensorBoard',
      'optimizer.safetensors stays here: state of the training',
      'training_args.bin stays here: state of the training',
      'checkpoint-5/ stays here: a checkpoint',
      'host.txt stays here: a link out of the folder',
    ])
      expect(err).toContain(line)
    const going = out.split('\n').map((line) => line.trim().split('  ').at(-1))
    expect(going).toContain('logs/a.txt')
    for (const name of ['.env', 'token', 'optimizer.safetensors', 'host.txt']) expect(going).not.toContain(name)
    const all = (await push(model, 'org/tiny', '--dry-run', '--all')).out
    expect(all).toContain('checkpoint-5/optimizer.safetensors')
    expect(all).not.toMatch(/\.env|token$|host\.txt/m)
  })
  it('says which files name paths of this machine', async () => {
    write('train_config.yaml', 'model_name_or_path: /nas/models/base\nreport: text/html\n')
    write('training.html', `<p>from ${scratch}/chats.jsonl</p>`)
    write('README.md', 'Made of `/home/me/base`.\n')
    expect((await push(model, 'org/tiny', '--dry-run')).err).toContain(
      'paths of this machine stand in README.md (… base), train_config.yaml (… base), training.html (… chats.jsonl): look',
    )
  })
  it('sends nothing of what has a fault or holds a token, and says what it is', async () => {
    write('train_config.yaml', `a: 1\nkey: hf_${'a'.repeat(34)}\n`)
    expect(await push(model, 'org/tiny')).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /--allow-secrets: expected no secrets in .*, got what looks like a token: train_config\.yaml:2 \(hf_aaa…\)\. .*--allow-secrets/,
      ),
    })
    expect(await push(model, 'org/tiny', '--dry-run', '--allow-secrets')).toMatchObject({
      code: 0,
      err: expect.stringContaining('goes with what looks like a token: train_config.yaml:2'),
    })
    rmSync(join(model, 'train_config.yaml'))
    write(
      'config.json',
      readFileSync(join(base, 'config.json'), 'utf8').replace(/"vocab_size": *\d+/, '"vocab_size": 7'),
    )
    expect(await push(model, 'org/tiny')).toMatchObject({
      code: 3,
      err: expect.stringMatching(/expected files without faults, got .*Mend them \(anneal check/),
    })
    expect(server.requests).toEqual([])
  })
  it('keeps a card that is there, but for what its metadata lacks and paths of this machine', async () => {
    write('README.md', `---\nbase_model: ${JSON.stringify(base)}\nlicense: apache-2.0\n---\nMine.\n`)
    server.add('models/org/tiny', {})
    const { err } = await push(model, 'org/tiny')
    expect(err).toContain('README.md goes with library_name, pipeline_tag, tags in its metadata')
    expect(err).not.toContain('no licence')
    expect(card('models/org/tiny')).toEqual({
      license: 'apache-2.0',
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['anneal'],
    })
    expect(`${onHub('models/org/tiny')['README.md']}`).toMatch(/---\nMine\.\n$/)
    // With nothing else in its metadata.
    write('README.md', `---\nbase_model: ${JSON.stringify(base)}\n---\nMine.\n`)
    await push(model, 'org/tiny', '--license', 'mit')
    expect(card('models/org/tiny')).toMatchObject({ license: 'mit', tags: ['anneal'] })
    expect(`${onHub('models/org/tiny')['README.md']}`).toMatch(/^---\nlicense: mit\n[\s\S]*- anneal\n---\nMine\.\n$/)
    expect(readFileSync(join(model, 'README.md'), 'utf8')).toContain(base)
  })
  it('leaves a card that somebody wrote on the hub, with its licence, and makes no commit of the same again', async () => {
    const theirs = '---\n# ours\nlicense: mit\n---\nWritten by hand.\n'
    server.add('models/org/tiny', { 'README.md': theirs })
    const { err } = await push(model, 'org/tiny', '--license', 'apache-2.0')
    expect(err).toContain('README.md on the hub goes with library_name, pipeline_tag, tags in its metadata')
    expect(err).toContain('license mit, as README.md has it; one that is given is for a card that names none')
    expect(onHub('models/org/tiny')['README.md']!.toString()).toMatch(
      /^---\n# ours\nlicense: mit\nlibrary_name: transformers\n[\s\S]*---\nWritten by hand\.\n$/,
    )
    const again = await push(model, 'org/tiny')
    expect(again.out).toContain('nothing to commit')
    expect(again.err).toContain('README.md on the hub stays as it is')
    // A card of the folder without a licence does not take that of the hub away.
    write('README.md', 'Mine.\n')
    expect((await push(model, 'org/tiny')).err).toContain('license mit, as README.md on the hub has it')
    expect(card('models/org/tiny').license).toBe('mit')
    expect(`${onHub('models/org/tiny')['README.md']}`).toMatch(/---\n\nMine\.\n$/)
  })
  it('deletes the shards that a single file replaces, in the same commit', async () => {
    const old = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json']
    server.add('models/org/tiny', Object.fromEntries([...old, 'other.safetensors'].map((path) => [path, 'old'])))
    const { err } = await push(model, 'org/tiny')
    expect(err).toContain(`${old.join(', ')} on the hub are deleted: what goes replaces them`)
    const there = Object.keys(onHub('models/org/tiny'))
    expect(there).toEqual(expect.arrayContaining(['other.safetensors', 'model.safetensors']))
    for (const path of old) expect(there).not.toContain(path)
    expect(server.uploads.commits).toHaveLength(1)
  })
  it('does not publish what is to be private, and leaves to the hub what is seen where nothing is said', async () => {
    server.add('models/org/tiny', {})
    expect(await push(model, 'org/tiny', '--create', '--private')).toMatchObject({
      code: 8,
      err: expect.stringContaining(
        'org/tiny: expected a private repository, got one that everybody sees. Nothing was sent',
      ),
    })
    expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([])
    await push(model, 'org/new', '--create')
    expect(server.uploads.made).toEqual([{ name: 'models/org/new', isPrivate: undefined }])
  })
  it('takes rows as a dataset, once they can be read', async () => {
    const rows = join(scratch, 'rows')
    mkdirSync(rows)
    writeFileSync(join(rows, 'train.jsonl'), '{"text":"one"}\n')
    writeFileSync(join(rows, 'test.jsonl'), '')
    writeFileSync(join(rows, 'more.jsonl'), '{"text":"one"}\n'.repeat(1001))
    symlinkSync('self.jsonl', join(rows, 'self.jsonl'))
    server.add('datasets/org/rows', {})
    const { code, err } = await push(rows, 'org/rows')
    expect(code).toBe(0)
    for (const word of ['test.jsonl stays here: an empty file', 'self.jsonl stays here: a link to itself'])
      expect(err).toContain(word)
    expect(err).toContain('of more.jsonl the first 1000 rows were looked at, and no others')
    expect(onHub('datasets/org/rows')['test.jsonl']).toBeUndefined()
    expect(`${onHub('datasets/org/rows')['train.jsonl']}`).toBe('{"text":"one"}\n')
    writeFileSync(join(rows, 'test.parquet'), 'no table')
    expect(await push(rows, 'org/rows')).toMatchObject({ code: 3, err: expect.stringContaining('test.parquet') })
    expect(server.uploads.commits).toHaveLength(1)
  })
  it('takes what a curation leaves, and says which of it are the rows', async () => {
    const out = join(scratch, 'curated')
    for (const path of ['data/000.jsonl', 'work/0.jsonl', 'quarantine/0.jsonl', 'summary.json', 'plan.json']) {
      mkdirSync(join(out, path, '..'), { recursive: true })
      writeFileSync(join(out, path), '{"text":"one"}\n')
    }
    server.add('datasets/org/rows', {})
    const { err } = await push(out, 'org/rows')
    for (const name of ['work/', 'plan.json', 'quarantine/']) expect(err).toContain(`${name} stays here: `)
    expect(Object.keys(onHub('datasets/org/rows')).sort()).toEqual(['README.md', 'data/000.jsonl', 'summary.json'])
    expect(card('datasets/org/rows').configs).toEqual([
      { config_name: 'default', data_files: [{ split: 'train', path: 'data/*' }] },
    ])
  })
  it('takes the card that exporting wrote beside a GGUF file, and what the file says of its base', async () => {
    const folder = join(scratch, 'export')
    mkdirSync(folder)
    const loaded = await loadDecoder(base)
    const file = join(folder, 'tiny.gguf')
    const metadata = originMetadata({ base: 'org/base', licence: 'mit' })
    await exportGguf(loaded, file, { format: 'f32', metadata, check: false })
    loaded.free()
    server.add('models/org/tiny', {})
    writeFileSync(`${file}.md`, '# tiny: how close\n')
    const { err, code } = await push(file, 'org/tiny')
    expect([code, err]).toEqual([
      0,
      expect.stringContaining('license mit, as the file or its base model org/base has it'),
    ])
    expect(card('models/org/tiny')).toMatchObject({
      license: 'mit',
      base_model: 'org/base',
      base_model_relation: 'quantized',
    })
    expect(`${onHub('models/org/tiny')['README.md']}`).toContain('# tiny: how close')
  })
  it('says what may not be', async () => {
    expect((await push(model, `org/tiny@${'a'.repeat(40)}`)).err).toContain('expected a branch after @, got a commit')
    expect((await push(model, 'org/tiny', '--license', 'my own')).err).toContain('license: expected an identifier')
    expect((await push(model, 'org/tiny', '--message', ' ')).err).toContain('message: expected the first line')
    expect((await push(join(model, 'config.json'), 'org/tiny')).err).toContain('Put it into a folder with what belongs')
    expect((await push(model, 'tiny')).err).toContain('expected ORG/NAME')
    expect((await push(model, 'org/tiny:a')).err).toContain('Leave out what stands behind the colon')
    expect((await push(model, 'org/tiny', '--private')).err).toContain('--create')
    expect((await push(join(scratch, 'none'), 'org/tiny')).err).toContain('got nothing. Check the path')
    const saved = join(scratch, 'saved')
    mkdirSync(saved)
    for (const name of ['state.json', 'dataset_info.json', 'data-00000-of-00001.arrow'])
      writeFileSync(join(saved, name), '{}')
    expect((await push(saved, 'org/tiny')).err).toContain('what save_to_disk of Python')
    mkdirSync(join(scratch, 'empty'))
    expect((await push(join(scratch, 'empty'), 'org/tiny')).err).toContain(
      'expected a model, an adapter, GGUF files or files of rows',
    )
  })
})
