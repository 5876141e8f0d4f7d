// A name on the hub → files in the cache: what is needed of one commit, several at once, all whole before anybody hears of them.
import { rmSync, statSync } from 'node:fs'
import { DiskFullError, HubError, hasCode, InputError, UsageError } from '../errors.ts'
import { freeBytes } from '../files/atomic-write.ts'
import { readJsonFile } from '../files/read-json.ts'
import { Count } from '../work.ts'
import type { RepoFile } from './cache.ts'
import { bytesThere, downloadBlob } from './download-blob.ts'
import { formatHubName, type HubName, parseHubName } from './hub-name.ts'
import type { HubContext } from './hub-request.ts'
import { hubSettings } from './hub-settings.ts'
import { fileAddress, openRepository, type Repository } from './repository.ts'
import { isNeeded, type Need, shardsOf, type Wanted, wantedFiles } from './wanted-files.ts'

/** How {@link pull} goes about it. All of it may be absent. */
export interface PullOptions extends Partial<HubContext> {
  /** What is needed of it; default `model`. */
  need?: Need | undefined
  /** Files at once; default 4. */
  atOnce?: number | undefined
}

/** What {@link pull} brought. */
export interface Pulled {
  /** What to give as a model: the GGUF or other file that was named, else the folder. */
  path: string
  /** The commit's folder in the cache. */
  directory: string
  repo: string
  commit: string
  /** Paths in `directory`, and their bytes. */
  files: readonly { path: string; size: number }[]
  /** Bytes that were not in the cache. */
  downloaded: number
}

/** Kept free beside what is downloaded. */
const MARGIN_BYTES = 64 << 20
const AT_ONCE = 4
/** An index lists every tensor; the largest published take some megabytes. */
const MAX_INDEX_BYTES = 64 << 20

/**
 * Downloads what is needed of a model, adapter or tokenizer and returns where it lies. Nothing is asked of the hub where a commit was named
 * and is in the cache. HubError for what the hub or the network does, InputError for what is wrong with the contents, DiskFullError where
 * they do not fit.
 *
 * @example
 * const { path } = await pull('HuggingFaceTB/SmolLM2-135M-Instruct')
 */
export async function pull(text: string | HubName, options: PullOptions = {}): Promise<Pulled> {
  const name = typeof text === 'string' ? parseHubName(text) : text
  const { need = 'model', atOnce = AT_ONCE, ...given } = options
  const context: HubContext = { ...given, settings: given.settings ?? hubSettings() }
  const repository = await openRepository(name, context)
  const wanted = wantedOf(repository, need)
  return await download(repository, wanted, context, atOnce)
}

function wantedOf({ name, files, isCached }: Repository, need: Need): Wanted {
  try {
    return wantedFiles(files, name.part, formatHubName(name), need)
  } catch (error) {
    if (!isCached || !(error instanceof InputError)) throw error
    throw new InputError(`${error.message}. This is what the cache has of it: pull it where the hub can be reached`)
  }
}

/** Brings `files` of a repository into the cache, whole, and returns the bytes that were missing. */
export async function downloadFiles(
  repository: Repository,
  files: readonly RepoFile[],
  context: HubContext,
  atOnce: number = AT_ONCE,
): Promise<number> {
  const { cache, commit, name } = repository
  const missing = files.filter((file) => !cache.has(commit, file))
  let waited = 0
  if (repository.isCached && missing.length > 0)
    throw new HubError(
      `${formatHubName(name)}: expected all of its files in the cache, got it without ${missing[0]!.path}. Pull it where the hub can be reached, without HF_HUB_OFFLINE`,
    )
  if (missing.length > 0) {
    cache.makeFolders()
    // Two paths may have the same contents.
    const blobs = [...new Map(missing.map((file) => [file.etag!, file])).values()].filter(
      (file) => !hasBlob(repository, file, context),
    )
    // A card or an index that comes first has a bar of its own.
    const only = blobs.length === 1 ? `:${blobs[0]!.path}` : ''
    const count = new Count(context.watch, {
      label: `downloading ${name.repo}${only}`,
      unit: 'bytes',
      total: checkSpace(repository, blobs),
    })
    await eachAtOnce(blobs, atOnce, context, async (file, own) => {
      const address = fileAddress(repository, file.path, own)
      const subject = `${formatHubName({ ...name, part: undefined })}:${file.path}`
      const before = bytesThere(cache, file)
      const isOurs = await downloadBlob({ file, address, subject, cache, count: (bytes) => counted(count, bytes) }, own)
      if (isOurs) return
      // What another process brought is no work of this one.
      count.total -= file.size - before
      waited += file.size
    })
    for (const { path, etag } of missing) cache.link(commit, path, etag!)
  }
  for (const { path } of files) cache.checkInside(commit, path)
  return missing.reduce((sum, { size }) => sum + size, 0) - waited
}

async function download(repository: Repository, wanted: Wanted, context: HubContext, atOnce: number): Promise<Pulled> {
  const { cache, commit, name, files: all } = repository
  // Without the hub, what is only of use to people may be missing.
  let files = wanted.files.filter(
    (file) => !repository.isCached || isNeeded(file.path, wanted) || cache.has(commit, file),
  )
  let downloaded = 0
  if (wanted.aside !== undefined)
    context.watch?.tell?.({ type: 'notice', message: `${formatHubName(name)}: ${wanted.aside}` })
  if (wanted.index !== undefined) {
    downloaded += await downloadFiles(repository, [wanted.index], context)
    const index = readJsonFile(cache.pointer(commit, wanted.index.path), MAX_INDEX_BYTES)
    files = [...files, ...shardsOf(index, wanted.index, all, formatHubName(name))]
  }
  downloaded += await downloadFiles(repository, files, context, atOnce)
  if (!repository.isCached) remember(repository, context)
  const directory = cache.snapshot(commit)
  const path = wanted.entry === undefined ? directory : cache.pointer(commit, wanted.entry)
  return {
    path,
    directory,
    repo: name.repo,
    commit,
    files: files.map(({ path, size }) => ({ path, size })),
    downloaded,
  }
}

/** Bytes that came in vain come again: there is more to do. */
function counted(count: Count, bytes: number): void {
  if (bytes < 0) count.total -= bytes
  else count.add(bytes)
}

/** Whether the contents are there, under another path or commit. One of another length has been damaged since, and goes. */
function hasBlob({ cache, name }: Repository, { path, etag, size }: RepoFile, { watch }: HubContext): boolean {
  const there = statSync(cache.blob(etag!), { throwIfNoEntry: false })
  if (there === undefined || there.size === size) return there !== undefined
  const message = `${name.repo}:${path}: its contents in the cache are damaged (${there.size} bytes of ${size}); downloading them anew`
  watch?.tell?.({ type: 'notice', message })
  rmSync(cache.blob(etag!), { force: true })
  return false
}

/** Bytes to download. DiskFullError where they do not fit, before anything is. */
function checkSpace({ cache, name }: Repository, blobs: readonly RepoFile[]): number {
  const needed = blobs.reduce((sum, file) => sum + file.size - bytesThere(cache, file), 0)
  const free = freeBytes(cache.folder)
  if (needed === 0 || needed + MARGIN_BYTES <= free) return needed
  throw new DiskFullError(
    `${name.repo}: expected ${needed} free bytes and ${MARGIN_BYTES} to spare in ${cache.root}, got ${free}. Free some space, or have HF_HUB_CACHE name a folder on another disk`,
  )
}

/**
 * What offline work goes by: which commit the revision was, and what is in it. A cache that may only be read stays as it is; so does a ref of
 * which another one is a part (`feat` and `feat/x`, a branch and a tag), and that is said.
 */
export function remember(repository: Repository, { watch }: HubContext): void {
  const { cache, name, commit, files } = repository
  try {
    const isWhole = files.every((file) => cache.has(commit, file))
    if (!cache.hasTree(commit, isWhole)) cache.writeTree(commit, files, isWhole)
    cache.writeRef(name.revision, commit)
  } catch (error) {
    if (hasCode(error, 'EROFS', 'EACCES', 'EPERM')) return
    if (!(hasCode(error, 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY') || error instanceof UsageError)) throw error
    const message = `${formatHubName(name)}: the cache does not keep which commit ${name.revision} is, for another branch or tag has a part of its name: without the hub, name the commit, ${commit}`
    watch?.tell?.({ type: 'notice', message })
  }
}

/** Runs `work` on all items, `atOnce` at a time. The first error ends the others and is thrown when they have ended. */
async function eachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  context: HubContext,
  work: (item: T, context: HubContext) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const signals = [failed.signal, context.watch?.signal].filter((signal) => signal !== undefined)
  const own = { ...context, watch: { ...context.watch, signal: AbortSignal.any(signals) } }
  const queue = [...items]
  let first: { error: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && first === undefined; item = queue.shift()) {
      try {
        await work(item, own)
      } catch (error) {
        first ??= { error }
        failed.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(atOnce, items.length)) }, worker))
  if (first !== undefined) throw first.error
}
