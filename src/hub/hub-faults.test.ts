// Everything that a hub or a network can do to a download: one line of the right class each, and nothing half-written.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { HUB_FILES, refuse, sha256 } from '../../test/hub-server.ts'
import { useHub } from '../../test/use-hub.ts'
import { RepoCache } from './cache.ts'
import { pull } from './pull.ts'

const hub = useHub()
const { notices, waits, options, folder, failure } = hub
const weights = HUB_FILES['model.safetensors']!
beforeEach(() => hub.server.add('models/org/tiny', HUB_FILES))

describe('a hub that refuses', () => {
  it('says which names are near one that is not there', async () => {
    expect(await failure('org/tinny')).toEqual([
      8,
      "org/tinny: expected a repository that is there and open to you, got 401 (Invalid username or password.). Check the name; a private one needs a token in HF_TOKEN (HUB/settings/tokens). Did you mean 'org/tiny'?",
    ])
    expect((await failure('org/tinny', { HF_TOKEN: 'hf_right' }))[1]).toMatch(
      /got 404 \(Repository not found\)\. Check the name, and what the token may read\. Did you mean 'org\/tiny'\?$/,
    )
  })
  it("says that the name is a dataset's", async () => {
    hub.server.add('datasets/org/rows', { 'train.jsonl': '{}' })
    expect(await failure('org/rows')).toEqual([
      8,
      'org/rows: expected a model, got the name of a dataset. Give it as one: anneal pull --dataset org/rows',
    ])
  })
  it('says where its branches are', async () => {
    expect(await failure('org/tiny@v9')).toEqual([
      8,
      'org/tiny@v9: expected a branch, tag or commit of the repository, got 404 (Invalid rev id: v9). HUB/org/tiny/tree/main lists them',
    ])
  })
  it('says where access to a gated model is asked for, and opens it for the right token', async () => {
    hub.server.repositories.get('models/org/tiny')!.isGated = true
    const [code, line] = await failure('org/tiny')
    expect(code).toBe(8)
    expect(line).toMatch(
      /^org\/tiny:[\w.]+: expected access to what its makers let only some have, got 401 \(Access to this model is restricted.*\)\. Ask for it at HUB\/org\/tiny and set HF_TOKEN to a token of yours \(HUB\/settings\/tokens\)$/,
    )
    expect((await failure('org/tiny', { HF_TOKEN: 'hf_another' }))[1]).toMatch(
      /got 403 \(.*\)\. Ask for it at HUB\/org\/tiny$/,
    )
    await pull('org/tiny', options({ HF_TOKEN: 'hf_right' }))
  })
  it('says whose token is wrong', async () => {
    hub.server.fault = (_, response) => {
      refuse(response, 401, '', 'Invalid credentials in Authorization header')
      return true
    }
    mkdirSync(hub.home, { recursive: true })
    writeFileSync(join(hub.home, 'token'), 'hf_old\n')
    expect(await failure('org/tiny')).toEqual([
      8,
      `org/tiny: expected a token that HUB takes, got 401 (Invalid credentials in Authorization header). Renew the one in ${join(hub.home, 'token')} (HUB/settings/tokens)`,
    ])
  })
  it('is waited for as long as it says, within bounds', async () => {
    let times = 2
    hub.server.fault = (_, response) => {
      if (times-- <= 0) return false
      response.writeHead(429, { 'retry-after': '7' }).end()
      return true
    }
    await pull('org/tiny', options())
    expect(waits).toEqual([7000, 7000])
    expect(notices[0]).toMatch(/^org\/tiny: expected a hub that has time, got 429; trying again in 7\.0 s$/)
    rmSync(folder(), { recursive: true })
    hub.server.fault = (_, response) => {
      response.writeHead(429, { 'retry-after': '3600' }).end()
      return true
    }
    expect(await failure('org/tiny')).toEqual([
      8,
      'org/tiny: expected a hub that has time, got 429. Too many requests: try again after 3600 s',
    ])
  })
  it('is asked again after faults of its own, later each time', async () => {
    hub.server.fault = (_, response) => {
      response.writeHead(503).end()
      return true
    }
    expect(await failure('org/tiny')).toEqual([
      8,
      'org/tiny: expected an answer, got 503. The hub has a fault of its own: try again later',
    ])
    expect(waits).toHaveLength(4)
    for (let i = 1; i < 4; i++) expect(waits[i]).toBeGreaterThan(waits[i - 1]!)
  })
})

describe('what is in between', () => {
  it('cannot pass a page for an answer or for weights', async () => {
    const page = '<html>Welcome to the hotel. Log in!</html>'
    hub.server.fault = ({ path }, response) => {
      if (!path.startsWith('/api/')) return false
      response.writeHead(200, { 'content-type': 'text/html' }).end(page)
      return true
    }
    const [code, line] = await failure('org/tiny')
    expect(code).toBe(8)
    expect(line).toMatch(
      /^org\/tiny: expected JSON from HUB, got text\/html\. Something in between may answer in its place, such as a network that one has to log in to/,
    )
    hub.server.fault = ({ path }, response) => {
      if (!path.endsWith('model.safetensors')) return false
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page)
      return true
    }
    expect((await failure('org/tiny'))[1]).toMatch(
      /^org\/tiny:model\.safetensors: expected the bytes of a file from HUB, got text\/html/,
    )
    hub.server.fault = ({ path }, response) => {
      if (!path.startsWith('/api/')) return false
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"sha": ')
      return true
    }
    expect((await failure('org/tiny'))[1]).toMatch(/^org\/tiny, answer of HUB: expected JSON, got something else/)
  })
  it('cannot lead away from https, or round in a circle', async () => {
    let location = 'file:///etc/passwd'
    hub.server.fault = (_, response) => {
      response.writeHead(302, { location }).end()
      return true
    }
    expect((await failure('org/tiny'))[1]).toMatch(
      /expected HUB to lead on to an https address, got "file:\/\/\/etc\/passwd"/,
    )
    location = '/again'
    expect((await failure('org/tiny'))[1]).toBe('org/tiny: expected at most 10 redirects from HUB, got more')
  })
  it('cannot lead from https to http, where it would read along', async () => {
    const asked: string[] = []
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (address) => {
      asked.push(String(address))
      return new Response(null, { status: 302, headers: { location: 'http://hub.example/api/models/org/tiny' } })
    })
    try {
      const [code, line] = await failure('org/tiny', { HF_ENDPOINT: 'https://hub.example', HF_TOKEN: 'hf_right' })
      expect(code).toBe(8)
      expect(line).toMatch(/expected hub\.example to lead on to an https address, got "http:\/\/hub\.example/)
      expect(asked).toEqual([
        expect.stringMatching(/^https:\/\/hub\.example\/api\/models\/org\/tiny\/revision\/main\?/),
      ])
    } finally {
      vi.restoreAllMocks()
    }
  })
  it('is told when nobody is there, at once', async () => {
    const closed = createServer()
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done))
    const { port } = closed.address() as AddressInfo
    await new Promise((done) => closed.close(done))
    const [code, line] = await failure('org/tiny', { HF_ENDPOINT: `http://127.0.0.1:${port}` })
    expect([code, line]).toEqual([
      8,
      `org/tiny: expected an answer from 127.0.0.1:${port}, got a connection refused (ECONNREFUSED). Check the network, HF_ENDPOINT for a mirror, or set HF_HUB_OFFLINE=1 for what the cache has`,
    ])
    expect(waits).toEqual([])
  })
  it('is not waited for when it says nothing', async () => {
    hub.server.fault = () => true
    const [code, line] = await failure('org/tiny', { HF_HUB_DOWNLOAD_TIMEOUT: '0.1' })
    expect(code).toBe(8)
    expect(line).toMatch(/^org\/tiny: expected an answer from HUB, got nothing for 0\.1 s\./)
    hub.server.fault = ({ host }, response, body) => {
      if (host !== 'cdn') return false
      response.writeHead(200, { 'content-length': body!.length })
      response.write(body!.subarray(0, 10))
      return true
    }
    const slow = (await failure('org/tiny', { HF_HUB_DOWNLOAD_TIMEOUT: '0.1' }))[1]
    expect(slow).toBe(
      'org/tiny:model.safetensors: expected 800 bytes, got 10 and then nothing for 0.1 s. The rest is downloaded when you pull again',
    )
  })
  it('does not matter where the cache has it', async () => {
    const { path } = await pull('org/tiny', options())
    hub.server.fault = (_, response) => {
      response.destroy()
      return true
    }
    expect((await pull('org/tiny', options())).path).toBe(path)
    expect(waits).toEqual([])
    expect(notices.at(-1)).toMatch(
      /^org\/tiny: expected an answer from .*, got .*; going on with what the cache has, commit a{40}$/,
    )
  })
})

describe('contents', () => {
  it('end a download that are longer than the hub lists them', async () => {
    hub.server.fault = ({ host }, response) => {
      if (host !== 'cdn') return false
      response.end(Buffer.alloc(10_000))
      return true
    }
    expect(await failure('org/tiny')).toEqual([
      3,
      'org/tiny:model.safetensors: expected 800 bytes, as the hub lists it, got more. Pull again, or use another mirror',
    ])
  })
  it('are started anew where a server does not know of ranges, and where what lies there is not the beginning of them', async () => {
    const cache = new RepoCache(join(hub.home, 'hub'), 'model', 'org/tiny')
    cache.makeFolders()
    const left = cache.incomplete(sha256(weights))
    writeFileSync(left, weights.slice(0, 300))
    hub.server.fault = ({ host }, response, body) => {
      if (host !== 'cdn') return false
      response.end(body)
      return true
    }
    const { path } = await pull('org/tiny', options())
    expect(hub.server.requests.find(({ host }) => host === 'cdn')?.range).toBe('bytes=300-')
    expect(readFileSync(join(path, 'model.safetensors'), 'utf8')).toBe(weights)

    for (const wrong of ['x'.repeat(300), 'x'.repeat(800), 'x'.repeat(9000)]) {
      rmSync(folder(), { recursive: true })
      hub.server.fault = () => false
      notices.length = 0
      cache.makeFolders()
      writeFileSync(left, wrong)
      expect(readFileSync(join((await pull('org/tiny', options())).path, 'model.safetensors'), 'utf8')).toBe(weights)
      expect(notices).toEqual(
        wrong.length > 800
          ? []
          : ['org/tiny:model.safetensors: what came in pieces has the wrong hash; downloading it anew'],
      )
    }
  })
  it('that were damaged in the cache are downloaded again', async () => {
    const { path } = await pull('org/tiny', options())
    truncateSync(join(folder(), 'blobs', sha256(weights)), 5)
    await pull('org/tiny', options())
    expect(readFileSync(join(path, 'model.safetensors'), 'utf8')).toBe(weights)
    expect(notices).toEqual([
      'org/tiny:model.safetensors: its contents in the cache are damaged (5 bytes of 800); downloading them anew',
    ])
  })
  it('must fit on the disk before any of them comes', async () => {
    hub.server.repositories.get('models/org/tiny')!.listing = (entries) =>
      entries.map((entry) =>
        entry.lfs ? { ...entry, size: 1e15, lfs: { ...(entry.lfs as object), size: 1e15 } } : entry,
      )
    const [code, line] = await failure('org/tiny')
    expect(code).toBe(6)
    expect(line).toMatch(
      /^org\/tiny: expected 1000000000\d+ free bytes and 67108864 to spare in .*, got \d+\. Free some space, or have HF_HUB_CACHE name a folder on another disk$/,
    )
    expect(hub.server.requests.filter(({ path }) => path.includes('/resolve/'))).toEqual([])
  })
})

describe('a listing', () => {
  it.each([
    [{ path: 5 }, 'expected paths inside the repository, got 5'],
    [{ size: -1 }, 'expected bytes as the size of config.json, got -1'],
    [{ size: '5' }, 'expected bytes as the size of config.json, got "5"'],
    [{ oid: '../../x' }, 'expected a sha1 or sha256 for config.json, got "../../x"'],
    [{ oid: undefined }, 'expected a sha1 or sha256 for config.json'],
  ])('with %j is refused', async (change, message) => {
    hub.server.repositories.get('models/org/tiny')!.listing = (entries) =>
      entries.map((entry) => (entry.path === 'config.json' ? { ...entry, ...change } : entry))
    const [code, line] = await failure('org/tiny')
    expect(code).toBe(3)
    expect(line).toContain(`org/tiny, listing of its files: ${message}`)
    expect(existsSync(join(hub.home, 'hub'))).toBe(false)
  })
})

describe('a path that can be none here', () => {
  it.each([
    '../../../etc/cron.d/x',
    '/etc/passwd',
    'a\\..\\b',
    `${'a'.repeat(300)}.json`,
    'x\u0007.json',
    'runs/2024-01-01 10:33:22.log',
  ])("%j is nobody's to want, and keeps nobody from the rest", async (odd) => {
    hub.server.repositories.get('models/org/tiny')!.listing = (entries) =>
      entries.map((entry) => (entry.path === 'README.md' ? { ...entry, path: odd } : entry))
    const names = ['chat_template.jinja', 'config.json', 'model.safetensors', 'tokenizer.json']
    for (const offline of ['0', '1']) {
      const { path } = await pull('org/tiny', options({ HF_HUB_OFFLINE: offline }))
      expect(readdirSync(path, { recursive: true }).sort()).toEqual(names)
    }
    await expect(pull(`org/tiny:${odd}`, options())).rejects.toThrow(/expected a file/)
  })
})
