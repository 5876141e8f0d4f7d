// Files → one commit on the hub, through the hub's own library: large ones go first, each by its hash and in parts where the hub asks for them, and
// the commit last, so that there is nothing until there is everything. What the hub has already is not sent again.
import { createHash } from 'node:crypto'
import { createReadStream, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { HubError } from '../errors.ts'
import { Count } from '../work.ts'
import type { RepoFile, RepoType } from './cache.ts'
import { formatHubName, type HubName } from './hub-name.ts'
import { type HubContext, type HubRequest, hubRequest, strangeAnswer } from './hub-request.ts'
import { readRange } from './read-range.ts'
import { openRepository, type Repository } from './repository.ts'
import { uploadError } from './upload-faults.ts'

/** A file that goes to the hub. */
export interface UploadFile {
  /** In the repository, with slashes. */
  path: string
  /** A file here, or the contents themselves. */
  source: string | Buffer
  /** Bytes. */
  size: number
}

/** What lies on the hub before anything goes there. */
export interface Remote {
  files: readonly RepoFile[]
  /** The text of a small file; undefined where there is none. */
  read: (path: string) => Promise<string | undefined>
}

/** What one commit does. */
export interface UploadPlan {
  files: readonly UploadFile[]
  /** Paths that are on the hub. */
  deleted: readonly string[]
}

/** How {@link upload} goes about it. */
export interface UploadOptions {
  /** First line of the commit's message. */
  message: string
  /** Makes the repository and the branch where they are not there. */
  create?: boolean | undefined
  /** Whether its owners alone may see the repository: one that is made is made so, and one that others see is refused. */
  isPrivate?: boolean | undefined
  /** Hears what is there before the first byte goes, and says what goes instead and what is deleted with the same commit. */
  prepare?: ((there: Remote) => Promise<UploadPlan>) | undefined
}

/** What {@link upload} did. */
export interface Uploaded {
  commit: string
  /** Where people see it. */
  url: string
  /** Paths in the commit; none where the hub had all of it. */
  committed: readonly string[]
  /** Paths that were deleted with it. */
  deleted: readonly string[]
  /** Bytes that went now; the rest was there. */
  sent: number
}

/** The hub looks through all that it is given before it answers. */
const PATIENCE_MS = 300_000
const MAX_TEXT_BYTES = 16 << 20

/** Uploads. HubError for what the hub or the network does: there is no commit then, and what went is not sent again the next time. */
export async function upload(
  name: HubName,
  type: RepoType,
  files: readonly UploadFile[],
  options: UploadOptions,
  context: HubContext,
): Promise<Uploaded> {
  const subject = formatHubName(name)
  const { settings, watch } = context
  if (settings.isOffline)
    throw new HubError(`${subject}: expected a network to push over, got HF_HUB_OFFLINE. Unset it`)
  if (settings.token === undefined)
    throw new HubError(
      `${subject}: expected a token that may write, got none. Make one at ${settings.endpoint}/settings/tokens and set HF_TOKEN to it`,
    )
  const repository = await openTarget(name, type, options, context)
  const remote = new Map(repository.files.map((file) => [file.path, file]))
  const read = (path: string): Promise<string | undefined> => readText(repository, path, context)
  const { files: going, deleted } = (await options.prepare?.({ files: repository.files, read })) ?? {
    files,
    deleted: [],
  }
  const fresh: UploadFile[] = []
  for (const file of going) if (!(await isSame(file, remote.get(file.path), context))) fresh.push(file)
  const web = `${settings.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name.repo}`
  if (fresh.length + deleted.length === 0)
    return { commit: repository.commit, url: `${web}/tree/${repository.commit}`, committed: [], deleted, sent: 0 }

  const sizes = new Map(fresh.map(({ path, size }) => [path, size]))
  const sent = new Map<string, number>()
  const total = fresh.reduce((sum, { size }) => sum + size, 0)
  const count = new Count(watch, { label: `uploading to ${name.repo}`, unit: 'bytes', total })
  const ask = asker(subject, context, (path, bytes) => {
    sent.set(path, (sent.get(path) ?? 0) + bytes)
    count.add(bytes)
  })
  const { commitIter } = await import('@huggingface/hub')
  const commits = commitIter({
    title: options.message,
    repo: { type, name: name.repo },
    branch: name.revision,
    parentCommit: repository.commit,
    operations: [
      ...deleted.map((path) => ({ operation: 'delete' as const, path })),
      ...fresh.map(({ path, source }) => ({
        operation: 'addOrUpdate' as const,
        path,
        content: typeof source === 'string' ? pathToFileURL(realpathSync(source)) : new Blob([Uint8Array.from(source)]),
      })),
    ],
    hubUrl: settings.endpoint,
    fetch: ask,
    // The hub takes both; of the two this one needs nothing but what tests can speak, and goes on where it was cut.
    useXet: false,
    ...(watch?.signal && { abortSignal: watch.signal }),
  })
  let isCommitting = false
  try {
    for (;;) {
      const { done, value } = await commits.next()
      if (!done) {
        isCommitting ||= value.event === 'phase' && value.phase === 'committing'
        // Whole without a byte from here: the hub had it.
        if (
          value.event === 'fileProgress' &&
          value.state === 'uploading' &&
          value.progress === 1 &&
          !sent.has(value.path)
        ) {
          count.total -= sizes.get(value.path) ?? 0
          sent.set(value.path, 0)
        }
        continue
      }
      const commit = value?.commit.oid
      if (typeof commit !== 'string')
        throw new HubError(
          `${subject}: expected the commit that was made from ${settings.endpoint}, got none. Check HF_ENDPOINT`,
        )
      const bytes = [...sizes].reduce((sum, [path, size]) => sum + (sent.has(path) ? sent.get(path)! : size), 0)
      const committed = fresh.map(({ path }) => path)
      return { commit, url: `${web}/commit/${commit}`, committed, deleted, sent: bytes }
    }
  } catch (error) {
    watch?.signal?.throwIfAborted()
    if (isCommitting && error instanceof HubError && (error.status === undefined || error.status >= 500))
      throw new HubError(
        `${error.message.split('. ')[0]}. All files are there; whether they were committed is not known: push again, which commits what is not`,
        { cause: error, ...(error.status !== undefined && { status: error.status }) },
      )
    if (error instanceof HubError) throw error
    // The library's own, about answers that are none.
    const { statusCode: status } = error as { statusCode?: number }
    const isNone = error instanceof TypeError || error instanceof SyntaxError
    const said = isNone
      ? `an answer of a shape that is not the hub's (${settings.endpoint}). Check HF_ENDPOINT`
      : `${(error as Error).message.replace(/\s+/g, ' ').slice(0, 300)}. Push again: what went is not sent again`
    throw new HubError(`${subject}: expected the hub to take the files, got ${said}`, {
      cause: error,
      ...(status !== undefined && { status }),
    })
  }
}

/** The repository as it is, or as it was made. */
async function openTarget(
  name: HubName,
  type: RepoType,
  { create = false, isPrivate }: UploadOptions,
  context: HubContext,
): Promise<Repository> {
  const subject = formatHubName(name)
  const open = async (): Promise<Repository> => {
    const repository = await openRepository(name, { ...context, watch: { signal: context.watch?.signal } }, type)
    if (!repository.isCached) return repository
    throw new HubError(
      `${subject}: expected the hub to answer, got nothing from ${context.settings.endpoint}. Check the network`,
    )
  }
  const finish = async (repository: Repository): Promise<Repository> => {
    if (isPrivate) await refusePublic(name, type, context)
    return repository
  }
  const isMissing = (error: unknown, code: string): boolean => error instanceof HubError && error.code === code
  try {
    return await finish(await open())
  } catch (error) {
    const isRepository = isMissing(error, 'RepoNotFound')
    if (!isRepository && !isMissing(error, 'RevisionNotFound')) throw error
    const what = isRepository
      ? 'a repository that is there and open to you'
      : `a branch '${name.revision}' that is there`
    if (!create)
      throw new HubError(`${subject}: expected ${what}, got none. Check the name, or give --create to make it`, {
        cause: error,
        code: (error as HubError).code,
        status: 404,
      })
    if (isRepository) await makeRepository(name, type, isPrivate, context)
  }
  if (name.revision !== 'main') await makeBranch(name, type, context)
  return await finish(await open())
}

/** Whoever asks for a private repository does not mean to publish. */
async function refusePublic({ repo, revision }: HubName, type: RepoType, context: HubContext): Promise<void> {
  const { modelInfo, datasetInfo } = await import('@huggingface/hub')
  const asking = { name: repo, revision, hubUrl: context.settings.endpoint, fetch: asker(repo, context) }
  const info = await (type === 'dataset' ? datasetInfo(asking) : modelInfo(asking))
  if (info.private) return
  throw new HubError(
    `${repo}: expected a private repository, got one that everybody sees. Nothing was sent. Make it private in its settings (${context.settings.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${repo}/settings), or push without --private`,
  )
}

async function readText(repository: Repository, path: string, context: HubContext): Promise<string | undefined> {
  const there = repository.files.find((file) => file.path === path)
  if (there === undefined) return undefined
  const subject = `${repository.name.repo}:${path}`
  if (there.size > MAX_TEXT_BYTES)
    throw new HubError(`${subject}: expected at most ${MAX_TEXT_BYTES} bytes, got ${there.size}. Look what it is`)
  return (await readRange(repository, there, 0, there.size, context)).toString('utf8')
}

async function makeRepository(
  { repo }: HubName,
  type: RepoType,
  isPrivate: boolean | undefined,
  context: HubContext,
): Promise<void> {
  const { createRepo } = await import('@huggingface/hub')
  const making = {
    repo: { type, name: repo },
    hubUrl: context.settings.endpoint,
    fetch: asker(repo, context),
    // Without a word, what the organization has chosen for its repositories holds.
    ...(isPrivate && { visibility: 'private' as const }),
  }
  try {
    // The token is put in where it is known whom it is shown to.
    await createRepo(making as Parameters<typeof createRepo>[0])
  } catch (error) {
    if (!(error instanceof HubError && error.status === 409)) throw error // somebody made it meanwhile
  }
}

async function makeBranch({ repo, revision }: HubName, type: RepoType, context: HubContext): Promise<void> {
  const { createBranch } = await import('@huggingface/hub')
  const making = { repo: { type, name: repo }, branch: revision, hubUrl: context.settings.endpoint }
  try {
    await createBranch({ ...making, fetch: asker(repo, context) })
  } catch (error) {
    if (!(error instanceof HubError && error.status === 409)) throw error
  }
}

/** What makes the library ask in our way. The library tells which file a body belongs to by a hint beside what `fetch` knows. */
function asker(
  subject: string,
  context: HubContext,
  sent: (path: string, bytes: number) => void = () => {},
): typeof fetch {
  return async (address, init = {}) => {
    const { progressHint, headers, ...rest } = init as RequestInit & { progressHint?: { path?: string } }
    const { path } = progressHint ?? {}
    const of = path === undefined ? subject : `${subject.split(/[@:]/)[0]}:${path}`
    const isCommit = /\/api\/\w+\/[^/]+\/[^/]+\/commit\//.test(String(address))
    const request: HubRequest = {
      ...rest,
      headers: withoutToken(headers),
      subject: of,
      explain: (response) => uploadError(response, of, context.settings),
      isOnce: isCommit,
      patience: PATIENCE_MS,
      ...(path !== undefined && { sent: (bytes) => sent(path, bytes) }),
    }
    const { response } = await hubRequest(String(address), request, context)
    const isApi = rest.method === 'POST' && String(address).startsWith(context.settings.endpoint) && path === undefined
    if (isApi && /\bhtml\b/i.test(response.headers.get('content-type') ?? ''))
      throw strangeAnswer(of, String(address), 'JSON', response.headers)
    return response
  }
}

function withoutToken(headers: RequestInit['headers']): Headers {
  const kept = new Headers(headers)
  kept.delete('authorization')
  return kept
}

/** Whether the hub has this file with these contents: by its length, then by its hash. */
async function isSame(
  { source, size }: UploadFile,
  there: RepoFile | undefined,
  { watch }: HubContext,
): Promise<boolean> {
  if (there?.etag === undefined || there.size !== size) return false
  const isGit = there.etag.length === 40
  const hash = createHash(isGit ? 'sha1' : 'sha256')
  if (isGit) hash.update(`blob ${size}\0`)
  if (typeof source !== 'string') hash.update(source)
  else
    for await (const chunk of createReadStream(source, { highWaterMark: 1 << 22 })) {
      hash.update(chunk as Buffer)
      watch?.signal?.throwIfAborted()
    }
  return hash.digest('hex') === there.etag
}
