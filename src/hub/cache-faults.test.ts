// What a cache may hold, and what stores behind the hub do: damaged lists, links, moved folders, locks, refusals of a store.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { commitOf, HUB_FILES, refuse, sha256 } from '../../test/hub-server.ts'
import { useHub } from '../../test/use-hub.ts'
import { RepoCache } from './cache.ts'
import { pull } from './pull.ts'

const hub = useHub()
const { notices, options, folder, failure } = hub
const weights = HUB_FILES['model.safetensors']!
beforeEach(() => hub.server.add('models/org/tiny', HUB_FILES))

describe('a snapshot', () => {
  it('with a link out of the cache is refused', async () => {
    const { path } = await pull('org/tiny', options())
    const outside = join(hub.home, 'secret.json')
    writeFileSync(outside, HUB_FILES['config.json']!)
    rmSync(join(path, 'config.json'))
    symlinkSync(outside, join(path, 'config.json'))
    for (const offline of ['0', '1'])
      await expect(pull('org/tiny', options({ HF_HUB_OFFLINE: offline }))).rejects.toThrow(
        `expected a link to a file of the cache, got one to ${outside}. Remove it, and pull again`,
      )
  })
  it('that is not whole is said offline', async () => {
    const { path } = await pull('org/tiny', options())
    rmSync(join(path, 'README.md'))
    expect((await pull('org/tiny', options({ HF_HUB_OFFLINE: '1' }))).files.map((file) => file.path)).not.toContain(
      'README.md',
    )
    rmSync(join(path, 'tokenizer.json'))
    await expect(pull('org/tiny', options({ HF_HUB_OFFLINE: '1' }))).rejects.toThrow(
      'org/tiny: expected all of its files in the cache, got it without tokenizer.json. Pull it where the hub can be reached, without HF_HUB_OFFLINE',
    )
    expect(readdirSync(join(folder(), 'refs'))).toEqual(['main'])
    expect(readFileSync(join(folder(), 'refs', 'main'), 'utf8')).toBe(commitOf('a'))
  })
  it('may have moved to another disk', async () => {
    await pull('org/tiny', options())
    const elsewhere = join(hub.home, 'elsewhere')
    renameSync(folder(), elsewhere)
    symlinkSync(elsewhere, folder())
    for (const offline of ['0', '1'])
      expect((await pull('org/tiny', options({ HF_HUB_OFFLINE: offline }))).downloaded).toBe(0)
  })
  it('with a damaged list of its files is listed again', async () => {
    const { path } = await pull('org/tiny', options())
    const list = join(folder(), 'trees', `${commitOf('a')}.listed.json`)
    const right = readFileSync(list, 'utf8')
    const entry = { format_version: 1, files: { 'config.json': null } }
    for (const wrong of ['', 'garbage', 'null', '[]', '{"format_version":1,"files":[]}', JSON.stringify(entry)]) {
      writeFileSync(list, wrong)
      notices.length = 0
      expect((await pull('org/tiny', options({ HF_HUB_OFFLINE: '1' }))).path).toBe(path)
      expect(readFileSync(list, 'utf8')).toBe(wrong)
      expect((await pull('org/tiny', options())).path).toBe(path)
      expect(notices.join()).toMatch(/listed\.json: expected .*; going on without this list/)
      expect(readFileSync(list, 'utf8')).toBe(right)
    }
  })
  it('stands in where something in between refuses, and not where the hub does', async () => {
    const { path } = await pull('org/tiny', options())
    for (const status of [403, 404, 451]) {
      hub.server.fault = (_, response) => !!response.writeHead(status).end()
      expect((await pull('org/tiny', options())).path).toBe(path)
      expect(notices.at(-1)).toMatch(new RegExp(`got ${status}; going on with what the cache has`))
    }
    hub.server.fault = (_, response) => {
      refuse(response, 403, 'GatedRepo', 'no')
      return true
    }
    await expect(pull('org/tiny', options())).rejects.toThrow('expected access to what its makers let only some have')
  })
  it('is whole though a ref cannot be kept beside another', async () => {
    const repository = hub.server.repositories.get('models/org/tiny')!
    Object.assign(repository.refs, { feat: commitOf('a'), 'feat/x': commitOf('a') })
    for (const names of [
      ['feat', 'feat/x'],
      ['feat/x', 'feat'],
    ]) {
      notices.length = 0
      const [first, second] = [
        await pull(`org/tiny@${names[0]}`, options()),
        await pull(`org/tiny@${names[1]}`, options()),
      ]
      expect(second.path).toBe(first.path)
      expect(notices).toEqual([expect.stringMatching(`the cache does not keep which commit ${names[1]} is`)])
      rmSync(folder(), { recursive: true })
    }
  })
})

describe('a store that the hub leads on to', () => {
  it('is asked by a new address where it refuses one, and never speaks of tokens', async () => {
    let times = 1
    hub.server.fault = ({ host }, response) => host === 'cdn' && times-- > 0 && !!response.writeHead(403).end()
    expect((await pull('org/tiny', options())).downloaded).toBeGreaterThan(0)
    expect(
      hub.server.asked.filter((each) => each.endsWith('/model.safetensors') && !each.includes('/cdn/')),
    ).toHaveLength(2)
    rmSync(folder(), { recursive: true })
    hub.server.requests.length = 0
    times = 100
    const [code, line] = await failure('org/tiny', { HF_TOKEN: 'hf_right' })
    expect([code, line]).toEqual([
      8,
      expect.stringMatching(
        /model\.safetensors: expected bytes from localhost:\d+, where the hub leads on to, got 403\./,
      ),
    ])
    expect(line).not.toContain('token')
    expect(hub.server.requests.filter(({ host }) => host === 'cdn')).toHaveLength(5)
    hub.server.fault = (_, response) => !!response.writeHead(403).end()
    expect((await failure('org/tiny'))[1]).not.toContain('token')
  })
})

describe('a download', () => {
  const cache = (): RepoCache => {
    const made = new RepoCache(join(hub.home, 'hub'), 'model', 'org/tiny')
    made.makeFolders()
    return made
  }
  it('follows no link to where it lies until it is whole', async () => {
    const outside = join(hub.home, 'outside')
    writeFileSync(outside, 'mine')
    symlinkSync(outside, cache().incomplete(sha256(weights)))
    await expect(pull('org/tiny', options())).rejects.toThrow(
      'incomplete: expected the beginning of a download, got no plain file',
    )
    expect(readFileSync(outside, 'utf8')).toBe('mine')
  })
  it('says which lock is none', async () => {
    const lock = cache().lock(sha256(weights))
    mkdirSync(lock)
    await expect(pull('org/tiny', options())).rejects.toThrow(
      `${lock}: expected a file that locks a download, got a folder`,
    )
  })
})

it('reads no page of a list twice', async () => {
  hub.server.fault = ({ path }, response) => {
    if (path.includes('/tree/')) response.setHeader('link', `<${hub.server.endpoint}${path}>; rel="next"`)
    return false
  }
  expect((await failure('org/tiny'))[1]).toMatch(/expected a list that ends from HUB, got the same page again/)
})
