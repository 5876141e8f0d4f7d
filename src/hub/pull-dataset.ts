// A dataset by name → its files in the cache that Python's datasets and huggingface_hub share (`datasets--org--name`), and a name with a commit
// that means the same for ever. Whoever reads data is given that name and finds the files without asking anybody.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { HubError, InputError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'
import type { ByteSource } from '../files/byte-source.ts'
import { RepoCache, type RepoFile } from './cache.ts'
import { type ChosenFiles, chooseFiles } from './dataset-files.ts'
import { COMMIT, formatHubName, type HubName, isHubName, parseHubName } from './hub-name.ts'
import type { HubContext } from './hub-request.ts'
import { hubSettings } from './hub-settings.ts'
import { downloadFiles, type PullOptions, remember } from './pull.ts'
import { readRange } from './read-range.ts'
import { openRepository, type Repository } from './repository.ts'

/** What {@link pullDataset} brought. */
export interface PulledDataset {
  /** `ORG/NAME@commit:split`: what to give to whoever reads data. */
  name: string
  commit: string
  /** Where the files lie, in the order in which they are read. */
  paths: readonly string[]
  /** Bytes that were not in the cache. */
  downloaded: number
}

const README = 'README.md'
const MAX_README_BYTES = 16 << 20

/** A split whose files are read where they lie. */
export interface RemoteDataset {
  /** `ORG/NAME@commit:split`. */
  name: string
  commit: string
  /** Its files in the order in which they are read. */
  files: readonly ByteSource[]
}

/** How {@link pullDataset} and {@link openDataset} go about it. `usual` is the split that is meant where there are several and none is named. */
export type DatasetOptions = Omit<PullOptions, 'need'> & { usual?: string | undefined }

/**
 * Downloads the files of a split; a notice says so where it was not named. HubError for what the hub or the network does; InputError where the
 * name fits nothing or several things.
 *
 * @example
 * const { paths } = await pullDataset('HuggingFaceTB/smoltalk:everyday-conversations/train')
 */
export async function pullDataset(text: string | HubName, options: DatasetOptions = {}): Promise<PulledDataset> {
  const { repository, files, name, context } = await chooseSplit(text, options)
  const { cache, commit } = repository
  const downloaded = await downloadFiles(repository, files, context, options.atOnce)
  if (!repository.isCached) remember(repository, context)
  return { name, commit, paths: files.map(({ path }) => cache.pointer(commit, path)), downloaded }
}

/**
 * A split whose files are read on the hub, as far as they are wanted, and kept nowhere: their hashes are therefore not checked. What the cache has
 * is read there. Errors as of {@link pullDataset}; a read is a HubError where the bytes cannot be had.
 */
export async function openDataset(text: string | HubName, options: DatasetOptions = {}): Promise<RemoteDataset> {
  const { repository, files, name, context } = await chooseSplit(text, options)
  const { cache, commit } = repository
  const missing = repository.isCached ? files.find((file) => !cache.has(commit, file)) : undefined
  if (missing !== undefined)
    throw new HubError(
      `${name}: expected the hub to read it from, got only the cache, which lacks ${missing.path}. Unset HF_HUB_OFFLINE, or check the network`,
    )
  const own = formatHubName({ ...parseHubName(name), part: undefined })
  return {
    name,
    commit,
    files: files.map((file) => {
      const isHere = cache.has(commit, file)
      if (isHere) cache.checkInside(commit, file.path)
      const read = isHere
        ? (from: number, to: number) => readHere(cache.pointer(commit, file.path), from, to)
        : (from: number, to: number) => readRange(repository, file, from, to, context)
      return { name: `${own}:${file.path}`, size: file.size, read }
    }),
  }
}

async function readHere(path: string, from: number, to: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(to - from)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled)
      if (bytesRead === 0)
        throw new InputError(`${path}: expected ${to} bytes, got fewer: it was cut while it was read`)
      filled += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** Which files are meant, at which commit. The card is downloaded: it says what belongs to what. */
async function chooseSplit(
  text: string | HubName,
  { usual, atOnce: _, ...given }: DatasetOptions,
): Promise<{ repository: Repository; files: readonly RepoFile[]; name: string; context: HubContext }> {
  const name = typeof text === 'string' ? parseHubName(text) : text
  const context: HubContext = { ...given, settings: given.settings ?? hubSettings() }
  const repository = await openRepository(name, context, 'dataset')
  const { cache, commit, files: all } = repository
  const card = all.filter(({ path }) => path === README)
  if (!repository.isCached || existsSync(cache.pointer(commit, README))) await downloadFiles(repository, card, context)
  const { files, part, others, notices } = chooseFiles(all, readmeOf(cache, commit), name, usual)
  for (const message of notices)
    context.watch?.tell?.({ type: 'notice', message: `${formatHubName(name)}: ${message}` })
  if (others.length > 0)
    context.watch?.tell?.({
      type: 'notice',
      message: `${formatHubName(name)}: no split is named; taking ${part}. There ${others.length === 1 ? 'is' : 'are'} ${others.join(', ')} besides`,
    })
  return { repository, files, name: formatHubName({ repo: name.repo, revision: commit, part }), context }
}

/** Where the cache has the files that a dataset's name means, asking nobody; undefined where `text` is no name or the cache does not know it. */
export function cachedDataset(text: string): string[] | undefined {
  if (!isHubName(text)) return undefined
  const name = parseHubName(text)
  const cache = new RepoCache(hubSettings().cache, 'dataset', name.repo)
  const commit = COMMIT.test(name.revision) ? name.revision : cache.readRef(name.revision)
  if (commit === undefined) return undefined
  const files = cache.readTree(commit) ?? cache.snapshotFiles(commit)
  if (files.length === 0) return undefined
  const chosen: ChosenFiles = chooseFiles(files, readmeOf(cache, commit), name)
  return chosen.files.map((file) => {
    const { path } = file
    if (!cache.has(commit, file))
      throw new InputError(`${text}: expected all of its files in the cache, got it without ${path}. Pull it again`)
    cache.checkInside(commit, path)
    return cache.pointer(commit, path)
  })
}

function readmeOf(cache: RepoCache, commit: string): string | undefined {
  const file = cache.pointer(commit, README)
  return existsSync(file) ? readBounded(file, MAX_README_BYTES).toString('utf8') : undefined
}
