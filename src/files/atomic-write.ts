// Files and directories that are there whole or not at all, also after `kill -9` or a full disk: everything is written
// beside its target, fsynced, and renamed into place. A file that somebody has mapped keeps its old bytes for them.

import { createHash, type Hash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DiskFullError, hasCode } from '../errors.ts'
import { faultPoint } from './fault.ts'
import { pathBeside } from './leftover.ts'
import { checkOutputFile, checkOutputFolder } from './output-file.ts'

const CHUNK_BYTES = 1 << 26 // one write(2) takes at most 2 GiB; smaller chunks are hashed while they are in the cache

/** A file that was written and reached the disk. */
export interface WrittenFile {
  readonly path: string
  readonly size: number
  /** Lower-case hexadecimal; made while writing, so that nobody has to read the file again. */
  readonly sha256: string
}

/** Takes the bytes of a file in order. */
export class FileSink {
  readonly #descriptor: number
  readonly #hash: Hash = createHash('sha256')
  size = 0

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  write(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      const chunk = bytes.subarray(start, start + CHUNK_BYTES)
      this.#hash.update(chunk)
      for (let written = 0; written < chunk.length; ) {
        written += writeSync(this.#descriptor, chunk, written, chunk.length - written)
      }
      this.size += chunk.length
      faultPoint('written')
    }
  }

  /** The hash of all that was written, as hexadecimal; ends the sink. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}

/** Writes or replaces the file at `path` as a whole; a full disk gives a DiskFullError and leaves the old file. */
export function writeFileAtomic(
  path: string,
  data: string | Uint8Array | ((sink: FileSink) => void),
  expectedBytes: number = typeof data === 'function' ? 0 : data.length,
): WrittenFile {
  return withDiskFullError(path, expectedBytes, () => {
    const file = new UnfinishedFile(path)
    try {
      if (typeof data === 'function') data(file.sink)
      else file.sink.write(data)
      return file.finish()
    } finally {
      file.drop()
    }
  })
}

/** The same for a file that takes long to write: `write` may wait in between. When it throws, the old file stays. */
export async function writeFileInTurns(
  path: string,
  write: (sink: FileSink) => Promise<void>,
  expectedBytes = 0,
): Promise<WrittenFile> {
  return withDiskFullError(path, expectedBytes, async () => {
    const file = new UnfinishedFile(path)
    try {
      await write(file.sink)
      return file.finish()
    } finally {
      file.drop()
    }
  })
}

/** Opens a file that is not there yet, in a folder that need not be there either. */
function openNew(path: string): number {
  try {
    return openSync(path, 'wx')
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'wx')
  }
}

/** A file beside its target until it is whole. */
class UnfinishedFile {
  readonly sink: FileSink
  readonly #path: string
  readonly #temporary: string
  #descriptor: number | undefined

  constructor(path: string) {
    checkOutputFile(path, 'file to write')
    this.#path = path
    this.#temporary = pathBeside(path, 'tmp')
    this.#descriptor = openNew(this.#temporary)
    this.sink = new FileSink(this.#descriptor)
    faultPoint('created')
  }

  /** Makes it the target. */
  finish(): WrittenFile {
    fsyncSync(this.#descriptor!)
    faultPoint('synced')
    const { sink } = this
    const file = { path: this.#path, size: sink.size, sha256: sink.digest() }
    this.#close()
    renameSync(this.#temporary, this.#path)
    faultPoint('renamed')
    syncPath(dirname(this.#path))
    faultPoint('parent-synced')
    return file
  }

  /** Takes away what is not finished; does nothing afterwards. */
  drop(): void {
    this.#close()
    rmSync(this.#temporary, { force: true })
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

/** Options of {@link writeDirectoryAtomic}. */
export interface DirectoryWriteOptions {
  /** The file without which nobody loads the directory: removed first and moved in last, so that no mixture ever loads. */
  readonly keyFile?: string
  /** Entries of an earlier result that must go even if the new one has none of that name, such as other weight shards. */
  readonly isStale?: (name: string) => boolean
}

/**
 * Fills `target` through `write(directory)`, which gets an empty directory elsewhere. A new target appears by one rename; an
 * existing one keeps its other entries (checkpoints, logs) and has those of the same name replaced, `keyFile` last.
 */
export async function writeDirectoryAtomic(
  target: string,
  write: (directory: string) => Promise<unknown> | unknown,
  options: DirectoryWriteOptions = {},
): Promise<void> {
  checkOutputFolder(target, 'folder to write')
  mkdirSync(dirname(target), { recursive: true })
  const staged = pathBeside(target, 'tmp')
  await withDiskFullError(target, 0, async () => {
    try {
      mkdirSync(staged)
      faultPoint('staged')
      await write(staged)
      syncTree(staged)
      faultPoint('tree-synced')
      if (existsSync(target)) moveInto(target, staged, options)
      else renameSync(staged, target)
      faultPoint('renamed')
      syncPath(dirname(target))
      faultPoint('parent-synced')
    } finally {
      rmSync(staged, { recursive: true, force: true })
    }
  })
}

/** Makes the bytes of a file, or the names in a directory, survive a power cut. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r') // fsync needs no right to write, and copied files may be read-only
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Runs `action` and turns "no space", "over quota" and "file too large" into a DiskFullError about `path`. `needed` is what
 * it takes in bytes; if 0, that is not known, and the error of a file inside `path` says more.
 */
export function withDiskFullError<T>(path: string, needed: number, action: () => T): T {
  const translate = (error: unknown): never => {
    const cause = error instanceof DiskFullError && needed > 0 ? error.cause : error
    if (!hasCode(cause, 'ENOSPC', 'EDQUOT', 'EFBIG')) throw error
    throw diskFullError(path, needed, (cause as NodeJS.ErrnoException).code!, cause)
  }
  try {
    const result = action()
    return result instanceof Promise ? (result.catch(translate) as T) : result
  } catch (error) {
    return translate(error)
  }
}

/** The DiskFullError for `path`, which takes `needed` bytes (0: not known). */
export function diskFullError(path: string, needed: number, reason: string, cause?: unknown): DiskFullError {
  return new DiskFullError(
    `no space to write ${path}: expected ${needed > 0 ? `at least ${needed}` : 'more'} free bytes, got ${freeBytes(dirname(path))} (${reason}). ` +
      'What was there before is intact. Free some space, or raise the quota or file-size limit',
    { cause },
  )
}

/** Bytes that an ordinary user may still write on the file system of `directory`, or where that would be made. */
export function freeBytes(directory: string): number {
  let existing = resolve(directory)
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  return bavail * bsize
}

function moveInto(target: string, staged: string, { keyFile, isStale }: DirectoryWriteOptions): void {
  const names = readdirSync(staged)
  const hasKeyFile = keyFile !== undefined && names.includes(keyFile)
  if (hasKeyFile) {
    rmSync(join(target, keyFile), { force: true })
    syncPath(target)
    faultPoint('key-file-removed')
  }
  for (const name of readdirSync(target)) {
    if (isStale?.(name) && !names.includes(name)) rmSync(join(target, name), { recursive: true, force: true })
  }
  for (const name of names) if (name !== keyFile) moveEntry(staged, target, name)
  syncPath(target)
  if (hasKeyFile) moveEntry(staged, target, keyFile)
  syncPath(target)
}

function moveEntry(from: string, to: string, name: string): void {
  const path = join(to, name)
  // A file is replaced by the rename itself; a directory has to make room.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) rmSync(path, { recursive: true })
  renameSync(join(from, name), path)
  faultPoint('moved')
}

function syncTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) syncTree(path)
    else if (entry.isFile()) syncPath(path)
  }
  syncPath(directory)
}
