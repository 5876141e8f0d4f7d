// Bytes of a file in order, gunzipped where the file is gzip by its first bytes (the name does not matter).
// A gzip file that is cut short or damaged gives everything that can still be read, then reports the loss.

import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { InputError, UnsupportedError } from '../../../errors.ts'
import { shellPath } from '../../../shell-word.ts'
import { convertAdvice } from '../convert-advice.ts'
import type { ReadContext } from './read-context.ts'

const PLAIN_CHUNK_BYTES = 256 * 1024
/** Small, because what one write expands to (at most about 1030:1) is held until the reader takes it. */
const GZIP_CHUNK_BYTES = 16 * 1024

/** Yields the bytes of `context.file`. Throws InputError on a gzip bomb and UnsupportedError on UTF-16 and zstd. */
export async function* readChunks(context: ReadContext): AsyncGenerator<Buffer> {
  const magic = bytesAt(context.file, 0, 4)
  if (magic.readUInt32BE(0) === 0x28b52ffd) {
    throw new UnsupportedError(
      `compression in ${context.file}: expected gzip or none, got zstd. Unpack it first: zstd -d ${shellPath(context.file)}`,
    )
  }
  const isGzip = magic.readUInt16BE(0) === 0x1f8b
  if (!isGzip && context.file.endsWith('.gz')) {
    throw new InputError(
      `header in ${context.file}: expected gzip (1f 8b), got ${magic.toString('hex')}. Is it cut or misnamed?`,
    )
  }
  if (isGzip) await refuseBomb(context)
  let isFirst = true
  for await (const chunk of isGzip
    ? gunzip(context)
    : createReadStream(context.file, { highWaterMark: PLAIN_CHUNK_BYTES })) {
    if (isFirst) refuseUtf16(context.file, chunk)
    isFirst = false
    yield chunk
  }
}

/**
 * The last bytes of a gzip file say how long it becomes. Where that is too long, it is unpacked once for the count alone: a bomb is
 * then refused before its first row is worked on, and a file that is cut, whose last bytes say something else, is read all the same.
 */
async function refuseBomb(context: ReadContext): Promise<void> {
  const { file, limits } = context
  const { size } = statSync(file)
  const expanded = size < 18 ? 0 : bytesAt(file, size - 4, 4).readUInt32LE(0)
  if (expanded <= limits.freeExpansionBytes || expanded <= limits.maxExpansion * size) return
  const silent = { file, limits, notice: () => {}, bad: () => {}, good: () => {} }
  for await (const _ of gunzip(silent)); // throws at the limit
}

async function* gunzip(context: ReadContext): AsyncGenerator<Buffer> {
  const { file, limits } = context
  const stream = createGunzip()
  let ready: Buffer[] = []
  let failure: NodeJS.ErrnoException | undefined
  // zlib forgets the callbacks of the call in which it fails, so the failure itself ends the waiting.
  let release = (): void => {}
  const step = (start: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      release = resolve
      start(() => resolve())
    })
  stream.on('data', (chunk: Buffer) => ready.push(chunk))
  stream.on('error', (error) => {
    failure = error
    release()
  })
  let compressed = 0
  let expanded = 0
  const take = (): Buffer[] => {
    const taken = ready
    ready = []
    for (const chunk of taken) expanded += chunk.length
    if (expanded > limits.freeExpansionBytes && expanded > limits.maxExpansion * compressed) {
      throw new InputError(
        `expanded size in ${file}:${compressed}: expected at most ${limits.maxExpansion} bytes per compressed byte, ` +
          `got ${Math.round(expanded / compressed)}. This looks like a gzip bomb; unpack it first if it is real data`,
      )
    }
    return taken
  }
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: GZIP_CHUNK_BYTES })) {
      compressed += chunk.length
      await step((done) => stream.write(chunk, done))
      yield* take()
      if (failure !== undefined) break
    }
    // Everything is drained before the end is declared: zlib drops the output of the call in which it finds a file cut.
    if (failure === undefined) await step((done) => stream.flush(done))
    await setImmediate()
    yield* take()
    if (failure === undefined) await step((done) => stream.once('end', done).end())
    yield* take()
  } finally {
    stream.destroy()
  }
  if (failure === undefined) return
  const isCut = failure.code === 'Z_BUF_ERROR'
  context.notice(`${file}: the gzip stream is ${isCut ? 'cut short' : 'damaged'}; ${expanded} bytes could be read`)
  context.bad({
    reason: isCut ? 'truncated' : 'damaged',
    line: 0,
    offset: expanded,
    length: 0,
    detail: `gzip: ${failure.message} after ${compressed} compressed bytes`,
  })
}

function bytesAt(file: string, position: number, count: number): Buffer {
  const bytes = Buffer.alloc(count)
  const handle = openSync(file, 'r')
  try {
    readSync(handle, bytes, 0, count, position)
  } finally {
    closeSync(handle)
  }
  return bytes
}

function refuseUtf16(file: string, chunk: Buffer): void {
  const mark = chunk.subarray(0, 4).toString('hex')
  const encoding = /^(?:fffe0000|0000feff)/.test(mark) ? 'UTF-32' : /^(?:fffe|feff)/.test(mark) ? 'UTF-16' : undefined
  if (encoding === undefined) return
  throw new UnsupportedError(
    `encoding in ${file}: expected UTF-8, got ${encoding}. Convert it: ${convertAdvice(file, encoding)}`,
  )
}
