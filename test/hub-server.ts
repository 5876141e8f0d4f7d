// A small server that speaks the calls of the Hugging Face hub that are used here, with repositories that a test makes. Shapes after the sources
// of huggingface_hub 1.33 and @huggingface/hub 2.17: large files are redirected to another host, a CDN, that wants no token.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HubUploads } from './hub-uploads.ts'

/** A repository of one or several commits. */
export interface FakeRepository {
  /** Commit → path → contents. */
  commits: Record<string, Record<string, Buffer | string>>
  /** Branch or tag → commit. */
  refs: Record<string, string>
  isGated?: boolean
  isPrivate?: boolean
  /** Listed with contents of another kind: what a hub that is wrong would do. */
  listing?: (entries: Record<string, unknown>[]) => unknown[]
}

export interface FakeRequest {
  method: string
  host: 'hub' | 'cdn'
  path: string
  authorization: string | undefined
  range: string | undefined
}

/** True where it has answered itself. */
export type Fault = (request: FakeRequest, response: ServerResponse, body: Buffer | undefined) => boolean

export const isLfs = (path: string): boolean => /\.(?:safetensors|gguf|bin|parquet)$/.test(path)
export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')
export const gitSha = (bytes: Buffer | string): string =>
  createHash('sha1')
    .update(`blob ${Buffer.byteLength(bytes)}\0`)
    .update(bytes)
    .digest('hex')
/** A commit of forty such digits. */
export const commitOf = (digit: string): string => digit.repeat(40)

export class HubServer {
  /** `models/org/name` or `datasets/org/name`. */
  readonly repositories: Map<string, FakeRepository> = new Map()
  readonly requests: FakeRequest[] = []
  fault: Fault = () => false
  /** A token that opens gated repositories. */
  token: string = 'hf_right'
  /** What is written to it. */
  readonly uploads: HubUploads = new HubUploads(this)
  readonly #hub: Server
  readonly #cdn: Server

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer('hub', request, response))
    this.#cdn = createServer((request, response) => this.#answer('cdn', request, response))
    // On a busy machine a pause between two requests is longer than the usual five seconds, and the client would meet a closed connection.
    for (const each of [this.#hub, this.#cdn]) each.keepAliveTimeout = 600_000
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer()
    for (const each of [server.#hub, server.#cdn]) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done))
    return server
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`
  }

  /** Another host than the endpoint. */
  get cdn(): string {
    return `http://localhost:${(this.#cdn.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const each of [this.#hub, this.#cdn]) {
      each.closeAllConnections()
      await new Promise((done) => each.close(done))
    }
  }

  /** A repository of one commit, `main`. */
  add(name: string, files: Record<string, Buffer | string>, commit: string = commitOf('a')): FakeRepository {
    const repository: FakeRepository = { commits: { [commit]: files }, refs: { main: commit } }
    this.repositories.set(name, repository)
    return repository
  }

  /** Paths asked for, without the host and the query. */
  get asked(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`)
  }

  #answer(host: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): unknown {
    const path = decodeURIComponent(request.url ?? '/')
    const { authorization, range } = request.headers
    const asked = { method: request.method ?? 'GET', host, path, authorization, range }
    this.requests.push(asked)
    const [where = '', query = ''] = path.split('?')
    const file = /^\/(?:cdn\/)?((?:datasets\/)?[^/]+\/[^/]+)\/resolve\/(.+?)$/.exec(where)
    const [repository, commit, name] = file ? this.#file(file[1]!, file[2]!) : []
    const body = repository?.commits[commit!]?.[name!]
    if (this.fault(asked, response, body === undefined ? undefined : Buffer.from(body))) return
    if (asked.method === 'POST' || asked.method === 'PUT') return this.uploads.answer(asked, request, response)
    if (host === 'cdn') return this.#bytes(asked, response, body!)
    if (file) return this.#resolve(asked, response, { repository, commit, name: name!, body })
    const search = /^\/api\/(models|datasets)$/.exec(where)
    if (search) {
      const { search: word = '', author = '' } = Object.fromEntries(new URLSearchParams(query))
      const names = [...this.repositories.keys()]
        .filter((key) => key.startsWith(`${search[1]}/`))
        .map((key) => key.slice(search[1]!.length + 1))
      return json(
        response,
        names
          .filter((each) => each.includes(word) && each.startsWith(author && `${author}/`))
          .map((id) => ({ _id: id, id, modelId: id })),
      )
    }
    const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(where)
    const known = api && this.repositories.get(api[1]!)
    if (!api || !known)
      return refuse(
        response,
        authorization ? 404 : 401,
        'RepoNotFound',
        authorization ? 'Repository not found' : 'Invalid username or password.',
      )
    const sha = known.refs[api[3]!] ?? (known.commits[api[3]!] ? api[3]! : undefined)
    if (sha === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${api[3]}`)
    const id = api[1]!.replace(/^\w+\//, '')
    if (api[2] === 'revision')
      return json(response, {
        _id: '0123456789abcdef01234567',
        id,
        private: known.isPrivate ?? false,
        gated: known.isGated ? 'manual' : false,
        likes: 0,
        downloads: 0,
        lastModified: '2026-01-01T00:00:00.000Z',
        sha,
        siblings: Object.keys(known.commits[sha]!).map((rfilename) => ({ rfilename })),
      })
    const entries = Object.entries(known.commits[sha]!).map(([each, contents]) => entryOf(each, contents))
    return json(response, known.listing?.(entries) ?? entries)
  }

  #file(id: string, rest: string): [FakeRepository | undefined, string, string] {
    const repository = this.repositories.get(id.startsWith('datasets/') ? id : `models/${id}`)
    const revision =
      Object.keys({ ...repository?.refs, ...repository?.commits }).find((each) => rest.startsWith(`${each}/`)) ??
      rest.split('/')[0]!
    return [repository, repository?.refs[revision] ?? revision, rest.slice(revision.length + 1)]
  }

  #resolve(
    asked: FakeRequest,
    response: ServerResponse,
    {
      repository,
      commit,
      name,
      body,
    }: {
      repository: FakeRepository | undefined
      commit: string | undefined
      name: string
      body: Buffer | string | undefined
    },
  ): unknown {
    if (repository === undefined) return refuse(response, 404, 'RepoNotFound', 'Repository not found')
    if (repository.isGated && asked.authorization !== `Bearer ${this.token}`)
      return refuse(
        response,
        asked.authorization ? 403 : 401,
        'GatedRepo',
        'Access to this model is restricted. You must have access to it and be authenticated to access it.',
      )
    if (body === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found')
    response.setHeader('x-repo-commit', commit!)
    if (!isLfs(name)) {
      response.setHeader('etag', `"${gitSha(body)}"`)
      return this.#bytes(asked, response, body)
    }
    response.setHeader('x-linked-etag', `"${sha256(body)}"`)
    response.setHeader('x-linked-size', Buffer.byteLength(body))
    response.writeHead(302, { location: `${this.cdn}/cdn${asked.path}` }).end()
  }

  #bytes({ range, method }: FakeRequest, response: ServerResponse, body: Buffer | string): void {
    const bytes = Buffer.from(body)
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
    const part = from === undefined ? bytes : bytes.subarray(Number(from), to ? Number(to) + 1 : undefined)
    if (from !== undefined && Number(from) >= bytes.length) return void response.writeHead(416).end()
    response.setHeader('content-type', 'application/octet-stream')
    response.setHeader('content-length', part.length)
    response.setHeader('accept-ranges', 'bytes')
    if (from !== undefined)
      response.setHeader('content-range', `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`)
    response.writeHead(from === undefined ? 200 : 206)
    response.end(method === 'HEAD' ? undefined : part)
  }
}

function entryOf(path: string, contents: Buffer | string): Record<string, unknown> {
  const size = Buffer.byteLength(contents)
  if (!isLfs(path)) return { type: 'file', oid: gitSha(contents), size, path }
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(contents)}\nsize ${size}\n`
  return {
    type: 'file',
    oid: gitSha(pointer),
    size,
    lfs: { oid: sha256(contents), size, pointerSize: pointer.length },
    path,
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value))
}

export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'x-error-code': code, 'x-error-message': message })
    .end(JSON.stringify({ error: message }))
}

/** A repository as people publish one, of which some is wanted and some is not. */
export const HUB_FILES: Readonly<Record<string, string>> = {
  'config.json': '{"model_type":"llama"}',
  'model.safetensors': 'weights '.repeat(100),
  'tokenizer.json': '{}',
  'chat_template.jinja': '{{ 1 }}',
  'README.md': '# a model',
  'pytorch_model.bin': 'a pickle',
  'training_args.bin': 'a pickle',
  'onnx/model.onnx': 'x',
  '.gitattributes': '*.safetensors filter=lfs',
}
