// A repository at one commit: which commit a revision is now, and what lies in it. The hub is asked through its own library; where it cannot be
// reached, what the cache knows stands in, and that is said.
import { HubError, InputError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import { checkedFile, isRepoPath, RepoCache, type RepoFile, type RepoType } from './cache.ts'
import { COMMIT, formatHubName, type HubName } from './hub-name.ts'
import { type HubContext, hubJson } from './hub-request.ts'

/** More files than a model or dataset has that a person would pull. */
const MAX_FILES = 100_000
/** A page of a listing has 1000 of them, or fewer. */
const MAX_PAGES = 1000

/** A repository as it is at one commit. */
export interface Repository {
  type: RepoType
  /** As it was asked for. */
  name: HubName
  /** 40 hexadecimal digits. */
  commit: string
  files: readonly RepoFile[]
  /** Whether the hub could not be asked: `files` are those that the cache has. */
  isCached: boolean
  cache: RepoCache
}

/**
 * Finds out which commit `name` means and what it holds. Asks nobody where the commit is given and was listed before, or with
 * `HF_HUB_OFFLINE`. HubError where the hub refuses or is not there and the cache knows nothing.
 */
export async function openRepository(
  name: HubName,
  context: HubContext,
  type: RepoType = 'model',
): Promise<Repository> {
  const cache = new RepoCache(context.settings.cache, type, name.repo)
  const found = (commit: string, files: readonly RepoFile[], isCached: boolean): Repository => ({
    type,
    name,
    commit,
    files,
    isCached,
    cache,
  })
  const tell = (message: string): void => context.watch?.tell?.({ type: 'notice', message })
  const fromCache = (): Repository | undefined => {
    const commit = COMMIT.test(name.revision) ? name.revision : cache.readRef(name.revision)
    if (commit === undefined) return undefined
    const present = cache.snapshotFiles(commit)
    return present.length === 0 ? undefined : found(commit, cache.readTree(commit, tell) ?? present, true)
  }
  const cached = fromCache()
  if (context.settings.isOffline) {
    if (cached !== undefined) return cached
    throw new HubError(
      `${formatHubName(name)}: expected it in the cache (${context.settings.cache}), for HF_HUB_OFFLINE is set, got nothing. Unset it, or pull it where there is a network`,
    )
  }
  // Nobody waits for a hub that is away when the cache has what was asked for.
  const asking = cached === undefined ? context : { ...context, tries: 1 }
  try {
    const commit = COMMIT.test(name.revision) ? name.revision : await commitOf(name, asking, type)
    const known = cache.readTree(commit, cached?.commit === commit ? undefined : tell)
    if (known !== undefined) return found(commit, known, false)
    const files = await list(name, commit, asking, type)
    return found(commit, files, false)
  } catch (error) {
    if (cached === undefined || !isUnreachable(error)) throw error
    tell(`${(error as HubError).message.split('. ')[0]}; going on with what the cache has, commit ${cached.commit}`)
    return cached
  }
}

/** The address of a file's bytes. */
export function fileAddress({ type, name, commit }: Repository, path: string, { settings }: HubContext): string {
  const prefix = type === 'dataset' ? 'datasets/' : ''
  return `${settings.endpoint}/${prefix}${name.repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}

/**
 * No answer, or one that tells of a fault of the hub's own, or a refusal without the hub's word for it, as those in between give it: what was
 * asked for may be there all the same.
 */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof HubError)) return false
  const { status, code } = error
  if (status === undefined || status === 429 || status >= 500) return true
  return code === '' && [403, 404, 407, 410, 451].includes(status)
}

async function commitOf(name: HubName, context: HubContext, type: RepoType): Promise<string> {
  const subject = formatHubName({ ...name, part: undefined })
  const { modelInfo, datasetInfo } = await import('@huggingface/hub')
  const asking = {
    name: name.repo,
    revision: name.revision,
    additionalFields: ['sha' as const],
    ...asker(subject, context),
  }
  let sha: unknown
  try {
    ;({ sha } = await (type === 'dataset' ? datasetInfo(asking) : modelInfo(asking)))
  } catch (error) {
    throw await withNearest(error, name, context, type)
  }
  if (typeof sha === 'string' && COMMIT.test(sha)) return sha
  throw new HubError(
    `${subject}: expected a commit from ${context.settings.endpoint}, got ${JSON.stringify(sha) ?? 'none'}. Check HF_ENDPOINT`,
  )
}

async function list(name: HubName, commit: string, context: HubContext, type: RepoType): Promise<RepoFile[]> {
  const subject = formatHubName({ ...name, part: undefined })
  const { listFiles } = await import('@huggingface/hub')
  const files: RepoFile[] = []
  const repo = { type, name: name.repo }
  try {
    for await (const entry of listFiles({ repo, revision: commit, recursive: true, ...asker(subject, context) })) {
      if (entry.type !== 'file') continue
      const { path, size, oid: blobId, lfs, xetHash } = entry
      // A colon in the name of a log must not keep anybody from the weights beside it.
      if (typeof path === 'string' && !isRepoPath(path)) continue
      files.push(
        checkedFile(
          { path, size: lfs?.size ?? size, etag: lfs?.oid ?? blobId, blobId, xetHash },
          `${subject}, listing of its files`,
        ),
      )
      if (files.length > MAX_FILES)
        throw new InputError(`${subject}: expected at most ${MAX_FILES} files, got more. Name what you want of it`)
    }
  } catch (error) {
    throw await withNearest(error, name, context, type)
  }
  return files
}

/** What makes the library ask in our way: with our token, tries, bounds and errors. */
function asker(subject: string, context: HubContext): { hubUrl: string; fetch: typeof fetch } {
  const pages = new Set<string>()
  const ask = async (address: unknown): Promise<Response> => {
    if (pages.has(String(address)) || pages.size >= MAX_PAGES)
      throw new HubError(
        `${subject}: expected a list that ends from ${context.settings.endpoint}, got ${pages.size >= MAX_PAGES ? `more than ${MAX_PAGES} pages` : 'the same page again'}. Check HF_ENDPOINT`,
      )
    pages.add(String(address))
    const { json, headers } = await hubJson(String(address), subject, context)
    const link = headers.get('link')
    return Response.json(json, { headers: link === null ? {} : { link } })
  }
  return { hubUrl: context.settings.endpoint, fetch: ask }
}

/** Code of an error of a name that is one of the other kind of repository. */
export const OTHER_KIND = 'OtherKind'

async function isThere(repo: string, type: RepoType, context: HubContext): Promise<boolean> {
  try {
    await hubJson(`${context.settings.endpoint}/api/${type}s/${repo}/revision/main`, repo, { ...context, tries: 1 })
    return true
  } catch {
    return false
  }
}

/** The same error with a name that is nearly the one asked for, where the repository is not there and the hub knows one. */
async function withNearest(error: unknown, { repo }: HubName, context: HubContext, type: RepoType): Promise<unknown> {
  const isMissing =
    error instanceof HubError &&
    (error.code === 'RepoNotFound' || error.status === 404) &&
    error.code !== 'RevisionNotFound'
  if (!isMissing) return error
  try {
    const other = type === 'model' ? 'dataset' : 'model'
    if (await isThere(repo, other, context))
      return new HubError(
        `${repo}: expected a ${type}, got the name of a ${other}. ${other === 'dataset' ? `Give it as one: anneal pull --dataset ${repo}` : 'Give it as the model'}`,
        { cause: error, code: OTHER_KIND, status: 404 },
      )
    const [owner, name] = repo.split('/') as [string, string]
    const names: string[] = []
    for (const query of [
      `search=${encodeURIComponent(name)}&limit=20`,
      `author=${encodeURIComponent(owner)}&limit=100`,
    ]) {
      const { json } = await hubJson(`${context.settings.endpoint}/api/${type}s?${query}`, repo, context)
      names.push(...(Array.isArray(json) ? json : []).map((entry: { id?: unknown } | null) => String(entry?.id)))
    }
    const meant = didYouMean(repo, names)
    const others = [...new Set(names)].filter((other) => other !== repo).slice(0, 3)
    const hint = meant ? `.${meant}` : others.length > 0 ? `. The hub has ${others.join(', ')}` : ''
    return new HubError(`${error.message}${hint}`, {
      cause: error,
      code: error.code,
      ...(error.status && { status: error.status }),
    })
  } catch {
    return error // the first error says what matters
  }
}
