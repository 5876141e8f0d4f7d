import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { commitOf, gitSha, HUB_FILES, sha256 } from '../../test/hub-server.ts'
import { useHub } from '../../test/use-hub.ts'
import { pull } from './pull.ts'

const hub = useHub()
const { notices, options, folder } = hub
const weights = Buffer.alloc(300_000, 'weights ')
const MODEL = { ...HUB_FILES, 'model.safetensors': weights }
const WANTED = ['README.md', 'chat_template.jinja', 'config.json', 'model.safetensors', 'tokenizer.json']
const PYTHONS = fileURLToPath(new URL('../../test/fixtures/hub-cache', import.meta.url))
const tree = (path: string): string[] => readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()

describe('pull', () => {
  it('lays out what is needed as huggingface_hub does, and asks nothing twice', async () => {
    hub.server.add('models/org/tiny', MODEL)
    const { path, commit, files, downloaded, repo } = await pull('org/tiny', options())
    expect({ path, commit, repo }).toEqual({
      path: join(folder(), 'snapshots', commitOf('a')),
      commit: commitOf('a'),
      repo: 'org/tiny',
    })
    expect(files.map((file) => file.path).sort()).toEqual(WANTED)
    expect(downloaded).toBe(files.reduce((sum, { size }) => sum + size, 0))
    expect(tree(path)).toEqual(WANTED)
    expect(readlinkSync(join(path, 'model.safetensors'))).toBe(`../../blobs/${sha256(weights)}`)
    expect(readlinkSync(join(path, 'config.json'))).toBe(`../../blobs/${gitSha(HUB_FILES['config.json']!)}`)
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(weights)
    expect(readFileSync(join(folder(), 'refs', 'main'), 'utf8')).toBe(commitOf('a'))
    expect(readdirSync(join(folder(), 'blobs'))).toHaveLength(WANTED.length)

    hub.server.requests.length = 0
    expect((await pull('org/tiny', options())).downloaded).toBe(0)
    expect(hub.server.asked).toEqual(['GET /api/models/org/tiny/revision/main'])
    hub.server.requests.length = 0
    expect((await pull(`org/tiny@${commitOf('a')}`, options())).path).toBe(path)
    expect((await pull('org/tiny', options({ HF_HUB_OFFLINE: '1' }))).path).toBe(path)
    expect(hub.server.asked).toEqual([])
  })
  it('takes the shards that an index names, and no others', async () => {
    const index = { weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } }
    hub.server.add('models/org/tiny', {
      'config.json': '{}',
      'model.safetensors.index.json': JSON.stringify(index),
      'model-00001-of-00002.safetensors': 'first',
      'model-00002-of-00002.safetensors': 'second',
      'consolidated.safetensors': 'the same again',
    })
    expect(tree((await pull('org/tiny', options())).path)).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
  })
  it('takes the one file where there is an index, too, as Transformers does, and says so', async () => {
    hub.server.add('models/org/tiny', { ...MODEL, 'model.safetensors.index.json': 'stale' })
    await pull('org/tiny', options())
    expect(notices).toEqual([])
    hub.server.add(
      'models/org/tiny',
      { ...MODEL, 'model.safetensors.index.json': '{}', 'model-00001-of-00002.safetensors': 'x' },
      commitOf('b'),
    )
    expect(tree((await pull('org/tiny', options())).path)).toEqual(WANTED)
    expect(notices).toEqual([expect.stringMatching(/^org\/tiny: two sets of weights: model\.safetensors is taken/)])
  })
  it('leaves a list that Python goes by only where all of it is there, and needs no more itself', async () => {
    const { 'pytorch_model.bin': _, ...clean } = HUB_FILES
    const whole = Object.fromEntries(WANTED.map((path) => [path, clean[path]!]))
    hub.server.add('models/org/tiny', whole)
    const list = join(folder(), 'trees', `${commitOf('a')}.json`)
    await pull('org/tiny:config.json', options())
    expect(existsSync(list)).toBe(false)
    expect((await pull('org/tiny:config.json', options({ HF_HUB_OFFLINE: '1' }))).path).toMatch(/config\.json$/)
    await pull('org/tiny', options())
    expect(existsSync(list)).toBe(true)
  })
  it('goes on where a cut connection left off, and tells of nothing but the cut', async () => {
    hub.server.add('models/org/tiny', MODEL)
    let cuts = 0
    hub.server.fault = ({ host, range }, response, body) => {
      if (host !== 'cdn' || cuts++ >= 2) return false
      const from = Number(/\d+/.exec(range ?? '')?.[0] ?? 0)
      response.writeHead(range ? 206 : 200, {
        'content-length': body!.length - from,
        ...(range && { 'content-range': `bytes ${from}-${body!.length - 1}/${body!.length}` }),
      })
      response.write(body!.subarray(from, from + 100_000), () => response.destroy())
      return true
    }
    await pull('org/tiny', options())
    const ranges = hub.server.requests.filter(({ host }) => host === 'cdn').map(({ range }) => range)
    expect(ranges).toHaveLength(3)
    expect(ranges[0]).toBeUndefined()
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/)
    expect(readFileSync(join(folder(), 'snapshots', commitOf('a'), 'model.safetensors'))).toEqual(weights)
  })
  it('sends the token to the hub and to nobody else', async () => {
    hub.server.add('models/org/tiny', MODEL)
    await pull('org/tiny', options({ HF_TOKEN: 'hf_right' }))
    const seen = (host: string): Set<string | undefined> =>
      new Set(hub.server.requests.filter((each) => each.host === host).map((each) => each.authorization))
    expect(seen('hub')).toEqual(new Set(['Bearer hf_right']))
    expect(seen('cdn')).toEqual(new Set([undefined]))
  })
  it('leaves nothing where contents have another hash than the hub says', async () => {
    hub.server.add('models/org/tiny', MODEL)
    hub.server.fault = ({ host }, response, body) => {
      if (host !== 'cdn') return false
      response.end(Buffer.alloc(body!.length, 'x'))
      return true
    }
    await expect(pull('org/tiny', options())).rejects.toThrow(
      `org/tiny:model.safetensors: expected contents with the hash ${sha256(weights)}, got`,
    )
    expect(existsSync(join(folder(), 'snapshots'))).toBe(false)
    expect(existsSync(join(folder(), 'refs'))).toBe(false)
    const left = readdirSync(join(folder(), 'blobs')).filter((name) => name.startsWith(sha256(weights)))
    expect(left.map((name) => statSync(join(folder(), 'blobs', name)).size)).toEqual([0])
  })
})

describe('the cache of huggingface_hub', () => {
  it('is found, offline', async () => {
    const offline = options({ HF_HUB_CACHE: PYTHONS, HF_HUB_OFFLINE: '1' })
    const { path, files } = await pull('org/tiny', offline)
    expect(files.map((file) => file.path).sort()).toEqual(WANTED)
    expect(readFileSync(join(path, 'model.safetensors'), 'utf8')).toBe(HUB_FILES['model.safetensors'])
    const tokenizer = await pull('org/by-file@v1.0', { ...offline, need: 'tokenizer' })
    expect(tokenizer.files.map((file) => file.path)).toEqual(['config.json', 'tokenizer.json'])
    await expect(pull('org/by-file@v1.0', offline)).rejects.toThrow(
      'got config.json, tokenizer.json. This is what the cache has of it: pull it where the hub can be reached',
    )
    expect(hub.server.requests).toEqual([])
  })
  it('is laid out in the same way by us, to the byte', async () => {
    const contents = (path: string): [string, string][] =>
      tree(path).flatMap((name) => {
        const status = lstatSync(join(path, name))
        if (status.isSymbolicLink()) return [[name, `→ ${readlinkSync(join(path, name))}`]]
        // Python takes a snapshot with less than its list for one that was cut off.
        return [[name.replace('.listed.json', '.json'), status.isFile() ? readFileSync(join(path, name), 'utf8') : '/']]
      })
    hub.server.add('models/org/tiny', HUB_FILES)
    await pull('org/tiny', options())
    expect(contents(folder())).toEqual(contents(join(PYTHONS, 'models--org--tiny')))
  })
})
