import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commitOf, type Fault, HubServer, refuse, sha256 } from '../../test/hub-server.ts'
import { PART_BYTES } from '../../test/hub-uploads.ts'
import { parseHubName } from './hub-name.ts'
import { hubSettings } from './hub-settings.ts'
import { type Uploaded, type UploadFile, type UploadOptions, upload } from './upload.ts'

let server: HubServer
let folder: string
let files: UploadFile[]
let told: { done: number; total: number }[]
const weights = Buffer.from(Array.from({ length: 3 * PART_BYTES + 5 }, (_, i) => (i * 7919) >> 3))
const small = Buffer.from('{"a":1}')

beforeAll(async () => {
  server = await HubServer.start()
})
afterAll(() => server.close())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-push-'))
  writeFileSync(join(folder, 'model.safetensors'), weights)
  files = [
    { path: 'model.safetensors', source: join(folder, 'model.safetensors'), size: weights.length },
    { path: 'config.json', source: small, size: small.length },
  ]
  told = []
  server.add('models/org/tiny', { 'README.md': 'theirs' })
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  server.repositories.clear()
  server.uploads.clear()
  server.requests.length = 0
  server.fault = () => false
})

const push = (
  name = 'org/tiny',
  options: Partial<UploadOptions> = {},
  environment: Record<string, string> = {},
): Promise<Uploaded> =>
  upload(
    parseHubName(name),
    'model',
    files,
    { message: 'Upload', ...options },
    {
      settings: hubSettings({ HF_HOME: folder, HF_ENDPOINT: server.endpoint, HF_TOKEN: 'hf_write', ...environment }),
      watch: {
        tell: (event) => void (event.type === 'progress' && told.push({ done: event.done, total: event.total! })),
      },
      pause: async () => {},
    },
  )
const main = (): Record<string, Buffer | string> => {
  const { commits, refs } = server.repositories.get('models/org/tiny')!
  return commits[refs.main!]!
}
const puts = (): string[] => server.asked.filter((each) => each.startsWith('PUT'))
/** Answers the requests that fit as `fault` does, at most `times`. */
const faulty = (shape: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void => {
  let left = times
  server.fault = (request, response, body) =>
    shape.test(`${request.method} ${request.path}`) && left-- > 0 && fault(request, response, body)
}
const refusing =
  (status: number, message = ''): Fault =>
  (_, response) => {
    refuse(response, status, '', message)
    return true
  }

describe('upload', () => {
  it('sends large files in parts, then one commit beside what was there, and tells how far it is', async () => {
    const { commit, committed, sent } = await push('org/tiny', { message: 'A first model' })
    expect(main()).toEqual({ 'README.md': 'theirs', 'model.safetensors': weights, 'config.json': small })
    expect(server.uploads.commits).toEqual([{ message: 'A first model', paths: committed, branch: 'main' }])
    expect(commit).toBe(server.repositories.get('models/org/tiny')!.refs.main)
    expect(puts()).toHaveLength(4)
    expect(sent).toBe(weights.length + small.length)
    expect(told.at(-1)).toEqual({ done: weights.length, total: weights.length + small.length })
  })
  it('reads what is there whole, also where a connection is cut or a page stands in its place', async () => {
    const card = `\uFEFF# Theirs\n${'words '.repeat(999)}`
    server.add('models/org/tiny', { 'README.md': card, 'empty.md': '' })
    const read: (string | undefined)[] = []
    const prepare: UploadOptions['prepare'] = async (there) => {
      for (const path of ['README.md', 'empty.md', 'none.md']) read.push(await there.read(path))
      return { files, deleted: [] }
    }
    faulty(
      /README/,
      (_, response, body) => {
        response.writeHead(200, { 'content-length': body!.length })
        response.write(body!.subarray(0, 100), () => response.destroy())
        return true
      },
      1,
    )
    await push('org/tiny', { prepare })
    expect(read).toEqual([card, '', undefined])
    faulty(/README/, (_, response) => !!response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))
    await expect(push('org/tiny', { prepare })).rejects.toThrow(/README\.md: expected bytes from .*, got text\/html/)
  })
  it('shows the token to the hub alone', async () => {
    await push()
    const seen = (host: string): Set<string | undefined> =>
      new Set(server.requests.filter((each) => each.host === host).map((each) => each.authorization))
    expect(seen('cdn')).toEqual(new Set([undefined]))
    expect(seen('hub')).toEqual(new Set(['Bearer hf_write']))
  })
  it('sends nothing that the hub has, and makes no empty commit', async () => {
    server.uploads.stored.set(sha256(weights), weights)
    expect((await push()).sent).toBe(small.length)
    expect(puts()).toEqual([])
    const again = await push()
    expect(again).toMatchObject({ committed: [], sent: 0 })
    expect(server.uploads.commits).toHaveLength(1)
  })
  it('goes on after a cut and a hub that is busy, and counts each byte once', async () => {
    faulty(/PUT .*part=1/, (_, response) => !!response.destroy(), 1)
    await push()
    expect(main()['model.safetensors']).toEqual(weights)
    expect(told.at(-1)!.done).toBe(weights.length)
    server.fault = () => false
    files = [{ path: 'a.json', source: Buffer.from('{}'), size: 2 }]
    faulty(/POST .*commit/, refusing(429), 2)
    await push()
    expect(server.uploads.commits).toHaveLength(2)
  })
  it.each([
    [401, 'expected a token that the hub takes, got 401 (no). Nothing was committed. Renew the token in HF_TOKEN'],
    [
      403,
      'expected the right to write there, got 403 (no). Nothing was committed. Check that the token in HF_TOKEN may write',
    ],
    [404, 'expected a repository and a branch that are there, got 404'],
    [409, 'expected a branch that stays as it is meanwhile, got 409'],
    [413, 'expected less at once, got 413'],
    [429, 'expected a hub that has time, got 429'],
    [400, 'expected the hub to take it, got 400 (no)'],
  ])('says what %i means, and commits nothing', async (status, message) => {
    for (const shape of [/preupload/, /objects\/batch/, /PUT .*part=2/, /POST .*commit/]) {
      faulty(shape, refusing(status, 'no'))
      await expect(push()).rejects.toThrow(message)
      expect(main()).toEqual({ 'README.md': 'theirs' })
    }
  })
  it('does not send a commit twice when it was cut: who pushes again finds out', async () => {
    faulty(/POST .*commit/, (_, response) => !!response.destroy())
    await expect(push()).rejects.toThrow(/whether they were committed is not known: push again/)
    expect(server.asked.filter((each) => each.includes('/commit/'))).toHaveLength(1)
    server.fault = () => false
    const before = puts().length
    await push()
    expect(puts()).toHaveLength(before)
    expect(main()['config.json']).toEqual(small)
  })
  it('refuses where somebody else commits meanwhile', async () => {
    faulty(/POST .*batch/, () => {
      const repository = server.repositories.get('models/org/tiny')!
      repository.commits[commitOf('b')] = {}
      repository.refs.main = commitOf('b')
      return false
    })
    await expect(push()).rejects.toThrow('Somebody else has changed it: push again')
  })
  it('makes a repository and a branch where that is asked for', async () => {
    await expect(push('org/new')).rejects.toThrow(
      'org/new: expected a repository that is there and open to you, got none. Check the name, or give --create',
    )
    await push('org/new@v2', { create: true, isPrivate: true })
    expect(server.uploads.made).toEqual([{ name: 'models/org/new', isPrivate: true }])
    expect(server.uploads.commits.map(({ branch }) => branch)).toEqual(['v2'])
    await expect(push('org/tiny@v3')).rejects.toThrow("org/tiny@v3: expected a branch 'v3' that is there, got none")
  })
  it('says before anything else that a token is needed, a network, and a hub that speaks', async () => {
    await expect(push('org/tiny', {}, { HF_TOKEN: '' })).rejects.toThrow('expected a token that may write, got none')
    await expect(push('org/tiny', {}, { HF_HUB_OFFLINE: '1' })).rejects.toThrow('got HF_HUB_OFFLINE')
    faulty(/preupload/, (_, response) => !!response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))
    await expect(push()).rejects.toThrow(/expected JSON from .*, got text\/html/)
    for (const answer of ['null', '[]', '{"files":', '{"files":[null]}']) {
      faulty(/preupload/, (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(answer)
        return true
      })
      await expect(push()).rejects.toThrow(
        /got an answer of a shape that is not the hub's \(http.*\). Check HF_ENDPOINT/,
      )
    }
    expect(server.uploads.commits).toEqual([])
  })
})
