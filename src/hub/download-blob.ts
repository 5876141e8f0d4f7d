// One file of the hub → one blob of the cache: whole and of the right hash, or absent. What came before a cut is kept beside it and gone on
// with, in this process or the next.
import { createHash, type Hash } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { HubError, hasCode, InputError, UsageError } from '../errors.ts'
import { syncPath, withDiskFullError } from '../files/atomic-write.ts'
import { faultPoint } from '../files/fault.ts'
import { lockOutput } from '../files/output-lock.ts'
import type { RepoCache, RepoFile } from './cache.ts'
import { reasonOf } from './hub-faults.ts'
import { backoff, type HubContext, hubRequest, pauseFor, strangeAnswer, TRIES } from './hub-request.ts'

const PIECE_BYTES = 1 << 22
const LOCK_PAUSE_MS = 200
/** What the disk says, which trying again does not mend. */
const OF_DISK = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS', 'EBADF'] as const

/** A file to download. */
export interface BlobDownload {
  /** With its `etag`. */
  file: RepoFile
  address: string
  /** What errors call it: `org/model:model.safetensors`. */
  subject: string
  cache: RepoCache
  /** Hears of bytes as they come; below 0 where some were in vain. */
  count: (bytes: number) => void
}

/**
 * Downloads a blob unless it is there; waits where another process of this machine does, and returns false then. HubError or InputError after the tries are used up;
 * what came until then stays for the next time, unless its hash was wrong.
 */
export async function downloadBlob(download: BlobDownload, context: HubContext): Promise<boolean> {
  const { file, cache } = download
  const etag = file.etag!
  const unlock = await lockBlob(cache, etag, context)
  if (unlock === undefined) return false
  try {
    const path = cache.incomplete(etag)
    await withDiskFullError(path, file.size, () => fill(path, download, context))
    faultPoint('blob-filled')
    renameSync(path, cache.blob(etag))
    syncPath(dirname(path))
    return true
  } finally {
    unlock()
  }
}

/** Bytes of a blob that an earlier download left. */
export function bytesThere(cache: RepoCache, { etag, size }: RepoFile): number {
  const path = cache.incomplete(etag!)
  return Math.min(lstatSync(path, { throwIfNoEntry: false })?.size ?? 0, size)
}

/** The lock of a blob, when it is free; undefined when the blob is there, made by another process. */
async function lockBlob(cache: RepoCache, etag: string, context: HubContext): Promise<(() => void) | undefined> {
  for (let isTold = false; ; ) {
    if (existsSync(cache.blob(etag))) return undefined
    const lock = cache.lock(etag)
    if (lstatSync(lock, { throwIfNoEntry: false })?.isDirectory())
      throw new InputError(`${lock}: expected a file that locks a download, got a folder. Remove it, and pull again`)
    try {
      const unlock = lockOutput(lock, cache.blob(etag), 'cache')
      if (!existsSync(cache.blob(etag))) return unlock
      unlock()
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      if (!isTold)
        context.watch?.tell?.({
          type: 'notice',
          message: `another process downloads ${cache.blob(etag)}; waiting for it`,
        })
      isTold = true
      await pauseFor({ ...context, pause: undefined }, LOCK_PAUSE_MS)
    }
  }
}

/** Brings the file at `path` to the full contents, from whatever it has. */
async function fill(path: string, { file, address, subject, count }: BlobDownload, context: HubContext): Promise<void> {
  const partial = new Partial(path, file)
  try {
    const before = await partial.readWhatIsThere(context)
    let isOfPieces = before > 0
    let isAnew = false
    let best = before
    let failures = 0
    while (partial.size < file.size || !partial.isRight()) {
      if (partial.size === file.size) {
        const got = partial.digest()
        startAnew(partial, count)
        // Of pieces from two times one may be wrong; of one piece, the hub is.
        if (!isOfPieces || isAnew)
          throw new InputError(
            `${subject}: expected contents with the hash ${file.etag}, got ${got}. Something changed them on the way, or they are damaged at the hub: pull again, or use another mirror`,
          )
        context.watch?.tell?.({
          type: 'notice',
          message: `${subject}: what came in pieces has the wrong hash; downloading it anew`,
        })
        isOfPieces = false
        isAnew = true
        best = 0
        continue
      }
      try {
        await receive(partial, { file, address, subject, count }, context)
        if (partial.size < file.size) throw new Error('a connection that was cut')
      } catch (error) {
        context.watch?.signal?.throwIfAborted()
        if (error instanceof HubError || error instanceof InputError || hasCode(error, ...OF_DISK)) throw error
        isOfPieces = true
        failures = partial.size > best ? 1 : failures + 1
        best = Math.max(best, partial.size)
        if (failures >= TRIES)
          throw new HubError(
            `${subject}: expected ${file.size} bytes, got ${partial.size} and then ${reasonOf(error)}. The rest is downloaded when you pull again`,
            { cause: error },
          )
        await pauseFor(context, backoff(failures))
      }
    }
    partial.sync()
  } finally {
    partial.close()
  }
}

/** One request: from where the file ends to its end. */
async function receive(
  partial: Partial,
  { file, address, subject, count }: Omit<BlobDownload, 'cache'>,
  context: HubContext,
): Promise<void> {
  // No If-Range: the commit in the address fixes the contents, servers behind the hub have etags of their own, and the hash is checked.
  const headers: Record<string, string> = partial.size > 0 ? { range: `bytes=${partial.size}-` } : {}
  const asked = hubRequest(address, { subject, headers }, context).catch((error: unknown) => {
    if (!(error instanceof HubError && error.status === 416)) throw error
  })
  const answer = await asked
  if (answer === undefined) return startAnew(partial, count) // there is less of it than lies here
  const { response, idle } = answer
  const type = response.headers.get('content-type') ?? ''
  if (/\btext\/html\b/i.test(type) && !/\.html?$/i.test(file.path)) {
    await response.body?.cancel()
    throw strangeAnswer(subject, address, 'the bytes of a file', response.headers)
  }
  const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (partial.size > 0 && !(response.status === 206 && Number(from) === partial.size)) {
    startAnew(partial, count)
    if (response.status === 206) {
      await response.body?.cancel()
      return // asked again, for all of it
    }
  }
  for await (const chunk of response.body ?? []) {
    idle()
    if (partial.size + chunk.length > file.size) {
      startAnew(partial, count)
      throw new InputError(
        `${subject}: expected ${file.size} bytes, as the hub lists it, got more. Pull again, or use another mirror`,
      )
    }
    partial.write(chunk)
    count(chunk.length)
    context.watch?.signal?.throwIfAborted()
  }
}

function startAnew(partial: Partial, count: BlobDownload['count']): void {
  count(-partial.size)
  partial.empty()
}

/** A file that grows, and the hash of what is in it. */
class Partial {
  size = 0
  readonly #descriptor: number
  readonly #file: RepoFile
  #hash: Hash

  constructor(path: string, file: RepoFile) {
    // A link here would have a download write into a file of somebody else's choice.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new InputError(
        `${path}: expected the beginning of a download, got no plain file. Remove it, and pull again`,
      )
    const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW = 0 } = constants
    this.#descriptor = openSync(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o666)
    this.#file = file
    this.#hash = this.#fresh()
  }

  /** Takes what an earlier process left; returns its bytes. */
  async readWhatIsThere(context: HubContext): Promise<number> {
    if (fstatSync(this.#descriptor).size > this.#file.size) this.empty()
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    for (;;) {
      const count = readSync(this.#descriptor, buffer, 0, buffer.length, this.size)
      if (count === 0) return this.size
      this.#hash.update(buffer.subarray(0, count))
      this.size += count
      await new Promise(setImmediate)
      context.watch?.signal?.throwIfAborted()
    }
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done)
    this.#hash.update(bytes)
    this.size += bytes.length
    faultPoint('blob-written')
  }

  empty(): void {
    ftruncateSync(this.#descriptor, 0)
    this.size = 0
    this.#hash = this.#fresh()
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  isRight(): boolean {
    return this.digest() === this.#file.etag
  }

  sync(): void {
    fsyncSync(this.#descriptor)
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  /** LFS contents are named by their sha256, others as git names a blob: with a head that says how long it is. */
  #fresh(): Hash {
    const { etag, size } = this.#file
    return etag!.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  }
}
