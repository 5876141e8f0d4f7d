// The cache of huggingface_hub on disk, so that what Python downloaded is found and the other way round:
//   models--org--name/blobs/<etag>                 contents: named by sha256 (LFS) or by git's sha1
//   models--org--name/refs/<revision>              the commit that a branch or tag was
//   models--org--name/snapshots/<commit>/<path>    links to blobs
//   models--org--name/trees/<commit>.json          what the commit holds, as the hub listed it: Python takes a snapshot without any of it for
//                                                  one that was cut off, so that it is written where all of it is there
//   models--org--name/trees/<commit>.listed.json   the same where some was not wanted, for ourselves
//   .locks/models--org--name/                      who downloads what
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { hasCode, InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { readBounded } from '../files/bounded-read.ts'
import { pathBeside } from '../files/leftover.ts'
import { readJsonFile } from '../files/read-json.ts'
import { isRelativeName } from '../files/relative-name.ts'
import { COMMIT } from './hub-name.ts'

/** What a repository holds. */
export type RepoType = 'model' | 'dataset'

/** A file of a repository at one commit. */
export interface RepoFile {
  /** From the root of the repository, with slashes. */
  path: string
  /** Bytes. */
  size: number
  /** Name of its contents: sha256 for LFS files, git's sha1 of the blob for others. Undefined where only the cache was asked. */
  etag: string | undefined
  /** git's own name for what is in the tree: of an LFS file that is its pointer. */
  blobId?: string | undefined
  xetHash?: string | undefined
}

const MAX_TREE_BYTES = 64 << 20
const SHA1 = /^[0-9a-f]{40}$/
const SHA256 = /^[0-9a-f]{64}$/

/** The folders of one repository in the cache. Nothing is made before something is written. */
export class RepoCache {
  readonly root: string
  readonly folder: string
  readonly #locks: string

  constructor(root: string, type: RepoType, repo: string) {
    const name = [`${type}s`, ...repo.split('/')].join('--')
    this.root = root
    this.folder = join(root, name)
    this.#locks = join(root, '.locks', name)
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit)
  }

  /** A file of a snapshot, whether it is there or not. */
  pointer(commit: string, path: string): string {
    return join(this.snapshot(commit), ...path.split('/'))
  }

  blob(etag: string): string {
    return join(this.folder, 'blobs', etag)
  }

  /**
   * Where contents lie until they are whole. Each machine has its own, in the form that huggingface_hub gives to each of its processes:
   * nobody else writes into it.
   */
  incomplete(etag: string): string {
    return join(this.folder, 'blobs', `${etag}.${host()}.incomplete`)
  }

  /** Python's locks are kernel locks that Node cannot take; like it, correctness rests on names of our own and on renames, not on the lock. */
  lock(etag: string): string {
    return join(this.#locks, `${etag}.${host()}.lock`)
  }

  /** Makes the folders that a download needs. */
  makeFolders(): void {
    mkdirSync(join(this.folder, 'blobs'), { recursive: true })
    mkdirSync(this.#locks, { recursive: true })
    const tag = join(this.root, 'CACHEDIR.TAG')
    if (!existsSync(tag)) writeFileAtomic(tag, TAG)
  }

  /** The commit that `revision` was when it was last asked for. */
  readRef(revision: string): string | undefined {
    try {
      const commit = readBounded(join(this.folder, 'refs', ...revision.split('/')), 1024)
        .toString('utf8')
        .trim()
      return COMMIT.test(commit) ? commit : undefined
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR') || error instanceof InputError) return undefined
      throw error
    }
  }

  writeRef(revision: string, commit: string): void {
    if (revision === commit || this.readRef(revision) === commit) return
    const file = join(this.folder, 'refs', ...revision.split('/'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileAtomic(file, commit)
  }

  /** What the commit holds, where it was listed before. A list that is damaged is none: `tell` hears of it. */
  readTree(commit: string, tell: (message: string) => void = () => {}): RepoFile[] | undefined {
    for (const isWhole of [true, false]) {
      const file = this.#tree(commit, isWhole)
      if (!existsSync(file)) continue
      try {
        return readEntries(file)
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        tell(`${error.message.split('. ')[0]}; going on without this list`)
      }
    }
    return undefined
  }

  /** Whether a sound list is kept, where `isWhole` for Python, too. */
  hasTree(commit: string, isWhole: boolean): boolean {
    return this.readTree(commit) !== undefined && (!isWhole || existsSync(this.#tree(commit, true)))
  }

  /** Keeps what the commit holds; `isWhole`: all of it is in the snapshot. */
  writeTree(commit: string, files: readonly RepoFile[], isWhole: boolean): void {
    const entries = [...files]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, size, etag, blobId, xetHash }) => [
        path,
        {
          size,
          blob_id: blobId,
          ...(etag !== blobId && { lfs_sha256: etag, lfs_size: size }),
          ...(xetHash !== undefined && { xet_hash: xetHash }),
        },
      ])
    mkdirSync(join(this.folder, 'trees'), { recursive: true })
    const tree = { format_version: 1, files: Object.fromEntries(entries) }
    writeFileAtomic(this.#tree(commit, isWhole), JSON.stringify(tree, null, 1))
  }

  #tree(commit: string, isWhole: boolean): string {
    return join(this.folder, 'trees', `${commit}${isWhole ? '' : '.listed'}.json`)
  }

  /** What lies in a snapshot, listed by nobody but the disk. */
  snapshotFiles(commit: string): RepoFile[] {
    const folder = this.snapshot(commit)
    if (!existsSync(folder)) return []
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .flatMap((entry) => {
        const path = relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/')
        const status = statSync(this.pointer(commit, path), { throwIfNoEntry: false })
        return status?.isFile() ? [{ path, size: status.size, etag: undefined }] : []
      })
  }

  /** Whether a file of a commit is there, and as long as it is listed. */
  has(commit: string, { path, size }: RepoFile): boolean {
    return statSync(this.pointer(commit, path), { throwIfNoEntry: false })?.size === size
  }

  /** Puts the blob into the snapshot under its path, as a relative link; where the system has none, as the file itself. */
  link(commit: string, path: string, etag: string): void {
    const pointer = this.pointer(commit, path)
    const target = relative(dirname(pointer), this.blob(etag))
    mkdirSync(dirname(pointer), { recursive: true })
    if (lstatSync(pointer, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(pointer) === target) return
    const beside = pathBeside(pointer, 'tmp')
    try {
      symlinkSync(target, beside)
    } catch (error) {
      if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'UNKNOWN')) throw error
      copyFileSync(this.blob(etag), beside)
    }
    try {
      renameSync(beside, pointer)
    } finally {
      rmSync(beside, { force: true })
    }
  }

  /** InputError for a file of a snapshot that leads out of the cache: whoever made it may have meant another file of this machine. */
  checkInside(commit: string, path: string): void {
    const pointer = this.pointer(commit, path)
    const real = realpathSync(pointer)
    // The folder of a repository may have been moved to another disk.
    if ([this.root, this.folder].some((folder) => real.startsWith(realpathSync(folder) + sep))) return
    throw new InputError(
      `${pointer}: expected a link to a file of the cache, got one to ${real}. Remove it, and pull again`,
    )
  }
}

interface TreeEntry {
  size: number
  blob_id: string
  lfs_sha256?: string
  lfs_size?: number
  xet_hash?: string
}

/** The files in a list of the cache, without those of no path here. InputError where it is no such list. */
function readEntries(file: string): RepoFile[] {
  const wrong = (got: unknown): InputError =>
    new InputError(`${file}: expected a list of files, got ${(JSON.stringify(got) ?? 'nothing').slice(0, 100)}`)
  const tree = readJsonFile(file, MAX_TREE_BYTES) as { format_version?: unknown; files?: unknown } | null
  const { format_version: version, files } = tree ?? {}
  if (version !== 1 || typeof files !== 'object' || files === null || Array.isArray(files)) throw wrong(tree)
  return Object.entries(files as Record<string, TreeEntry | null>).flatMap(([path, entry]) => {
    if (typeof entry !== 'object' || entry === null) throw wrong({ [path]: entry })
    const { size, blob_id: blobId, lfs_sha256: sha256, xet_hash: xetHash } = entry
    return isRepoPath(path) ? [checkedFile({ path, size, etag: sha256 ?? blobId, blobId, xetHash }, file)] : []
  })
}

/** Whether a path of a repository can be one of a file here, on any system. Others are nobody's weights, and never wanted. */
export function isRepoPath(path: string): boolean {
  return isRelativeName(path) && path.split('/').every((segment) => segment.length <= 255)
}

/** An entry of a listing, which becomes paths and sizes here. InputError, naming `where`, for one that cannot be. */
export function checkedFile(file: RepoFile, where: string): RepoFile {
  const { path, size, etag } = file
  if (typeof path !== 'string' || !isRepoPath(path))
    throw new InputError(`${where}: expected paths inside the repository, got ${JSON.stringify(path)?.slice(0, 100)}`)
  if (!Number.isSafeInteger(size) || size < 0)
    throw new InputError(`${where}: expected bytes as the size of ${path}, got ${JSON.stringify(size)}`)
  if (typeof etag !== 'string' || !(SHA1.test(etag) || SHA256.test(etag)))
    throw new InputError(`${where}: expected a sha1 or sha256 for ${path}, got ${JSON.stringify(etag)?.slice(0, 100)}`)
  return file
}

/** Tells programs that make backups to leave the folder out (bford.info/cachedir). */
const TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n# Downloads from the Hugging Face hub: they can be had again\n'

/** Eight digits for this machine: processes of one see each other, those of two do not. */
function host(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
}
