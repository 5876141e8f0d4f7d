import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commitOf } from '../../test/hub-server.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { useHub } from '../../test/use-hub.ts'
import type { GgufValue } from '../gguf/values.ts'
import { writeGguf } from '../gguf/write.ts'
import { hubSettings } from '../hub/hub-settings.ts'
import { pull } from '../hub/pull.ts'
import type { Watch } from '../work.ts'
import { check } from './check.ts'
import { type CheckedName, checkName } from './check-name.ts'

const hub = useHub()
let base: string
let remove: () => void
let files: Record<string, Buffer>

beforeAll(async () => {
  ;({ directory: base, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE }))
  const names = readdirSync(base).filter((name) => !['expected.json', 'packed.json'].includes(name))
  files = Object.fromEntries(names.map((name) => [name, readFileSync(join(base, name))]))
})
afterAll(() => remove())
const checked = (name: string): Promise<CheckedName> => checkName(name, undefined, hub.options())
const small = (): number =>
  Object.entries(files).reduce((sum, [name, bytes]) => sum + (name.endsWith('.safetensors') ? 0 : bytes.length), 0)

describe('checkName', () => {
  it('finds in headers what check finds in the directory, and reads little', async () => {
    const config = JSON.parse(`${files['config.json']}`)
    for (const [key, value] of [
      ['vocab_size', config.vocab_size],
      ['hidden_size', 32],
      ['model_type', undefined],
    ] as const) {
      const changed = { ...files, 'config.json': Buffer.from(JSON.stringify({ ...config, [key]: value })) }
      const here = mkdtempSync(join(hub.home, 'here-'))
      for (const [name, bytes] of Object.entries(changed)) writeFileSync(join(here, name), bytes)
      hub.server.add('models/org/tiny', changed, commitOf(`${key.length % 10}`))
      const { name, findings, read, total } = await checked('org/tiny')
      expect(findings).toEqual(await check(here))
      expect(name).toBe(`org/tiny@${commitOf(`${key.length % 10}`)}`)
      expect(read).toBeLessThanOrEqual(small() + (1 << 16) + 100)
      expect(total).toBeGreaterThan(700_000)
    }
    const ranges = hub.server.requests.filter(({ path, host }) => host === 'cdn' && path.endsWith('model.safetensors'))
    expect(ranges.map(({ range }) => range)).toEqual(Array(3).fill('bytes=0-65535'))
  })
  it('leaves no snapshot, and takes from the cache what is there', async () => {
    hub.server.add('models/org/tiny', files)
    const first = await checked('org/tiny')
    expect(existsSync(join(hub.home, 'hub', 'models--org--tiny', 'snapshots'))).toBe(false)
    const settings = hubSettings({ HF_HOME: hub.home, HF_ENDPOINT: hub.server.endpoint })
    await pull('org/tiny', { settings })
    const again = await checked('org/tiny')
    expect(again.findings).toEqual(first.findings)
    expect(again.read).toBe(first.read - small())
  })
  it('brings the small files together, under one bar', async () => {
    hub.server.add('models/org/tiny', files)
    const labels = new Set<string>()
    const watch: Watch = { tell: (event) => void (event.type === 'progress' && labels.add(event.label)) }
    await checkName('org/tiny', undefined, { ...hub.options(), watch })
    expect([...labels]).toEqual(['downloading org/tiny', 'reading headers'])
  })
  it('tells of a second set of weights as check does, which are not read', async () => {
    const index = JSON.stringify({ weight_map: { x: 'model-00001-of-00001.safetensors' } })
    const twice = { 'model.safetensors.index.json': index, 'model-00001-of-00001.safetensors': 'x' }
    hub.server.add('models/org/tiny', { ...files, ...twice })
    const here = mkdtempSync(join(hub.home, 'here-'))
    for (const [name, bytes] of Object.entries({ ...files, ...twice })) writeFileSync(join(here, name), bytes)
    const second = expect.objectContaining({ severity: 'warning', where: 'model.safetensors' })
    const { findings } = await checked('org/tiny')
    expect(findings).toContainEqual(second)
    expect(await check(here)).toContainEqual(second)
    expect(findings).toHaveLength((await check(here)).length)
  })
  it('knows the base of an adapter that the hub has, and refuses a file that is no model', async () => {
    hub.server.add('models/org/tiny', files)
    const config = { peft_type: 'LORA', r: 2, lora_alpha: 2, target_modules: ['q_proj'] }
    const adapter = (base: string): Record<string, string> => ({
      'adapter_config.json': JSON.stringify({ ...config, base_model_name_or_path: base }),
      'adapter_model.safetensors': 'x',
    })
    const isMissing = async (): Promise<boolean> =>
      (await checked('org/lora')).findings.some(({ where }) => where.endsWith('base_model_name_or_path'))
    hub.server.add('models/org/lora', adapter('org/tiny'))
    expect(await isMissing()).toBe(false)
    hub.server.add('models/org/lora', adapter('org/nobody'), commitOf('b'))
    expect(await isMissing()).toBe(true)
    await expect(checked('org/tiny:config.json')).rejects.toThrow(
      'org/tiny:config.json: expected a model to check, got one of its files. Check all of it: org/tiny',
    )
  })
  it('says what a pointer of Git LFS is', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 5000\n`
    hub.server.add('models/org/tiny', { ...files, 'model.safetensors': pointer })
    const { findings } = await checked('org/tiny')
    expect(findings.find(({ where }) => where === 'model.safetensors')!.message).toMatch(
      /expected weights, got a pointer of Git LFS/,
    )
    hub.server.add('models/org/gguf', { 'm.gguf': pointer })
    expect((await checked('org/gguf')).findings[0]!.message).toMatch(/expected weights, got a pointer of Git LFS/)
  })
  it('looks at no values, but at names of pickles', async () => {
    const weights = Buffer.from(files['model.safetensors']!)
    weights.fill(0xff, weights.length - 64)
    hub.server.add('models/org/tiny', { ...files, 'model.safetensors': weights, 'pytorch_model.bin': 'x' })
    const { findings } = await checked('org/tiny')
    expect(findings.filter(({ message }) => /NaN/.test(message))).toEqual([])
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'warning', where: 'pytorch_model.bin' }))
    expect(hub.server.asked.some((each) => each.includes('pytorch_model'))).toBe(false)
  })
  it('reads as much of a GGUF file as its header has', async () => {
    const file = join(hub.home, 'tiny-Q8_0.gguf')
    const text = (value: string): GgufValue => ({ type: 'string', value })
    const metadata = new Map<string, GgufValue>([
      ['general.architecture', text('llama')],
      ['general.description', text('d'.repeat(3 << 20))],
      ['tokenizer.ggml.model', text('no_vocab')],
    ])
    const bytes = Buffer.alloc(4 << 20)
    writeGguf(file, metadata, [
      { name: 'token_embd.weight', type: 'F32', shape: [1 << 10, 1 << 10], bytes: () => bytes },
    ])
    hub.server.add('models/org/tiny', { 'tiny-Q8_0.gguf': readFileSync(file) })
    const { name, findings, read, total } = await checked('org/tiny:Q8_0')
    expect(findings).toEqual(JSON.parse(JSON.stringify(await check(file)).replaceAll(`${hub.home}/`, '')))
    expect(name).toBe(`org/tiny@${commitOf('a')}:Q8_0`)
    expect(total).toBe(readFileSync(file).length)
    expect(read).toBeLessThan(4.1 * 2 ** 20)
    expect(read).toBeGreaterThan(3 << 20)
  })
  it('goes on after a cut, and with a server that knows no ranges', async () => {
    hub.server.add('models/org/tiny', files)
    const whole = await checked('org/tiny')
    let cuts = 0
    hub.server.fault = ({ host, range }, response, body) => {
      if (host !== 'cdn') return false
      const from = Number(/\d+/.exec(range!)![0])
      if (cuts++ < 2) {
        response.writeHead(206, {
          'content-length': 65536 - from,
          'content-range': `bytes ${from}-65535/${body!.length}`,
        })
        response.write(body!.subarray(from, from + 1000), () => response.destroy())
      } else response.end(body)
      return true
    }
    expect((await checked('org/tiny')).findings).toEqual(whole.findings)
    expect(cuts).toBe(3)
  })
  it('says in one line what is no model, what is a page, and what claims too much', async () => {
    hub.server.add('models/org/tiny', { 'README.md': 'x' })
    await expect(checked('org/tiny')).rejects.toThrow(/^org\/tiny: expected model\.safetensors/)
    const weights = Buffer.from(files['model.safetensors']!)
    weights.writeBigUInt64LE(2n << 30n)
    hub.server.add('models/org/tiny', { ...files, 'model.safetensors': weights }, commitOf('b'))
    const { findings } = await checked('org/tiny')
    expect(findings.find(({ where }) => where === 'model.safetensors')!.message).toMatch(
      /^header too large in model\.safetensors:0: expected at most 100000000 bytes, got 2147483648/,
    )
    hub.server.fault = ({ host }, response) =>
      host === 'cdn' && !!response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    await expect(checked('org/tiny')).rejects.toThrow(
      /org\/tiny:model\.safetensors: expected bytes from .*, got text\/html/,
    )
  })
})
