// The half of the small hub that is written to: repositories and branches that are made, large files that come by their hash and in parts, and
// commits. Shapes after the sources of @huggingface/hub 2.17 and git-lfs's batch API.
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FakeRepository, type FakeRequest, type HubServer, isLfs, refuse, sha256 } from './hub-server.ts'

/** Larger files come in parts of so many bytes. */
export const PART_BYTES: number = 1 << 16

interface CommitLine {
  key: 'header' | 'file' | 'lfsFile' | 'deletedFile'
  value: { summary: string; parentCommit?: string; path: string; content: string; oid: string; size: number }
}

export class HubUploads {
  /** Large files that are there, by sha256. */
  readonly stored: Map<string, Buffer> = new Map()
  readonly commits: { message: string; paths: string[]; branch: string }[] = []
  readonly made: { name: string; isPrivate: boolean | undefined }[] = []
  /** Who may write. */
  token: string = 'hf_write'
  readonly #parts: Map<string, Buffer[]> = new Map()
  readonly #server: HubServer

  constructor(server: HubServer) {
    this.#server = server
  }

  clear(): void {
    for (const each of [this.stored, this.#parts]) each.clear()
    for (const each of [this.commits, this.made]) each.length = 0
  }

  async answer(asked: FakeRequest, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return // cut
    }
    const body = Buffer.concat(chunks)
    if (asked.host === 'cdn') return this.#store(asked, body, response)
    if (asked.authorization === undefined) return refuse(response, 401, '', 'Invalid username or password.')
    if (asked.authorization !== `Bearer ${this.token}`)
      return refuse(response, 403, '', "You don't have the rights to create a model under this namespace")
    const json = (value: unknown): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    const path = asked.path.replace(/\?.*/, '')
    if (path === '/api/repos/create') {
      const { name, organization, type, visibility } = JSON.parse(`${body}`)
      const full = `${type}s/${organization}/${name}`
      if (this.#server.repositories.has(full)) return refuse(response, 409, '', 'You already created this repo')
      const isPrivate = visibility === undefined ? undefined : visibility === 'private'
      this.#server.add(full, { '.gitattributes': '' }, '0'.repeat(40)).isPrivate = isPrivate === true
      this.made.push({ name: full, isPrivate })
      return json({ url: `${this.#server.endpoint}/${organization}/${name}`, id: `${organization}/${name}` })
    }
    const batch = /^\/((?:datasets\/)?[^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(path)
    if (batch) return json(this.#batch(JSON.parse(`${body}`)))
    const [, id = '', verb, branch = ''] =
      /^\/api\/(\w+\/[^/]+\/[^/]+)\/(branch|preupload|commit)\/(.+)$/.exec(path) ?? []
    const repository = this.#server.repositories.get(id)
    if (repository === undefined) return refuse(response, 404, 'RepoNotFound', 'Repository not found')
    if (verb === 'branch') {
      repository.refs[branch] ??= repository.refs.main!
      return json({})
    }
    if (repository.refs[branch] === undefined) return refuse(response, 404, 'RevisionNotFound', 'Invalid rev id')
    if (verb === 'commit') return this.#commit(repository, branch, `${body}`, response)
    const { files } = JSON.parse(`${body}`) as { files: { path: string }[] }
    return json({ files: files.map(({ path }) => ({ path, uploadMode: isLfs(path) ? 'lfs' : 'regular' })) })
  }

  #batch({ objects }: { objects: { oid: string; size: number }[] }): unknown {
    return {
      transfer: 'basic',
      objects: objects.map(({ oid, size }) => {
        if (this.stored.has(oid)) return { oid, size }
        const href = `${this.#server.cdn}/lfs/${oid}`
        if (size <= PART_BYTES) return { oid, size, actions: { upload: { href } } }
        const count = Math.ceil(size / PART_BYTES)
        const parts = Array.from({ length: count }, (_, i) => [`${i + 1}`.padStart(5, '0'), `${href}?part=${i}`])
        const header = { chunk_size: `${PART_BYTES}`, ...Object.fromEntries(parts) }
        return { oid, size, actions: { upload: { href: `${href}?complete`, header } } }
      }),
    }
  }

  #store({ path, method }: FakeRequest, body: Buffer, response: ServerResponse): unknown {
    const oid = /^\/lfs\/([0-9a-f]{64})/.exec(path)![1]!
    const part = /\?part=(\d+)/.exec(path)?.[1]
    const parts = this.#parts.get(oid) ?? []
    if (part !== undefined) this.#parts.set(oid, Object.assign(parts, { [part]: body }))
    const whole = method === 'POST' ? Buffer.concat(parts) : part === undefined ? body : undefined
    if (whole !== undefined && sha256(whole) !== oid) return refuse(response, 400, '', 'wrong hash')
    if (whole !== undefined) this.stored.set(oid, whole)
    response.writeHead(200, { etag: `"${part ?? oid}"` }).end()
  }

  #commit(repository: FakeRepository, branch: string, text: string, response: ServerResponse): unknown {
    const lines = text.split('\n').map((line) => JSON.parse(line) as CommitLine)
    const { summary, parentCommit } = lines[0]!.value
    if (parentCommit !== undefined && parentCommit !== repository.refs[branch])
      return refuse(response, 412, '', 'A commit has happened since')
    const files = { ...repository.commits[repository.refs[branch]!] }
    for (const { key, value } of lines.slice(1)) {
      if (key === 'file') files[value.path] = Buffer.from(value.content, 'base64')
      const large = key === 'lfsFile' ? this.stored.get(value.oid) : undefined
      if (key === 'lfsFile' && large === undefined) return refuse(response, 400, '', 'LFS pointer to nothing')
      if (large !== undefined) files[value.path] = large
      if (key === 'deletedFile') {
        if (files[value.path] === undefined)
          return refuse(response, 400, '', `A file with the name ${value.path} does not exist`)
        delete files[value.path]
      }
    }
    const commitOid = createHash('sha1').update(text).digest('hex')
    repository.commits[commitOid] = files
    repository.refs[branch] = commitOid
    this.commits.push({ message: summary, paths: lines.slice(1).map(({ value }) => value.path), branch })
    const commit = {
      success: true,
      commitOid,
      commitUrl: `${this.#server.endpoint}/commit/${commitOid}`,
      hookOutput: '',
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(commit))
  }
}
