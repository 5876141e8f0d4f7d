// Bytes of a file in order, unpacked where the file is gzip or zstd by its first bytes (the name does not matter), and made UTF-8
// where another encoding is named. A gzip or zstd file that is cut short or damaged gives everything that can still be read, then reports the loss.

import { isUtf8 } from 'node:buffer'
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { InputError, UnsupportedError } from '../../../errors.ts'
import { piecesOf } from '../../../files/byte-source.ts'
import { counted } from '../../../report/amounts.ts'
import { convertAdvice } from '../convert-advice.ts'
import type { ReadContext } from './read-context.ts'

const PLAIN_CHUNK_BYTES = 256 * 1024
/** Small, because what one write expands to (at most about 1030:1) is held until the reader takes it. */
const GZIP_CHUNK_BYTES = 16 * 1024

/** Yields the bytes of `context.file`, UTF-8 if they are text. Throws InputError on a bomb and UnsupportedError on UTF-16 that nobody named. */
export async function* readChunks(context: ReadContext): AsyncGenerator<Buffer> {
  if (context.encoding === undefined) yield* readBytes(context)
  else yield* decoded(readBytes(context), context.encoding, context)
}

async function* decoded(
  chunks: AsyncGenerator<Buffer>,
  encoding: string,
  { file, notice }: ReadContext,
): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding)
  const name = decoder.encoding
  let replaced = 0
  let isFirst = true
  const utf8 = (text: string): Buffer => {
    for (let at = text.indexOf('\ufffd'); at !== -1; at = text.indexOf('\ufffd', at + 1)) replaced++
    return Buffer.from(text)
  }
  for await (const chunk of chunks) {
    if (isFirst) {
      const marked = markedEncoding(chunk)
      const isUtf8Text = name !== 'utf-8' && chunk.length > 1 && !chunk.includes(0) && isUtf8Beginning(chunk)
      const got = marked !== undefined && marked.toLowerCase() !== name ? marked : isUtf8Text ? 'UTF-8' : undefined
      // Any pair of bytes is a character in UTF-16, so that nothing else would tell.
      if (got !== undefined && (marked !== undefined || name.startsWith('utf-16')))
        throw new UnsupportedError(
          `encoding in ${file}: expected ${encoding}, got ${got}. ${got === 'UTF-8' ? 'Leave `encoding` out for it' : otherEncoding(file, got, true)}`,
        )
      // Few texts with letters beyond ASCII are UTF-8 by accident, but some are.
      if (got !== undefined && chunk.some((byte) => byte > 0x7f))
        notice(
          `${file} reads as UTF-8, and is read as ${encoding}: leave \`encoding\` out for it if letters come out wrong`,
        )
    }
    isFirst = false
    yield utf8(decoder.decode(chunk, { stream: true }))
  }
  yield utf8(decoder.decode())
  if (replaced > 0) notice(`${file}: ${counted(replaced, 'place')} that cannot be ${encoding} became U+FFFD`)
}

/** Whether bytes are UTF-8, but for a character that may be cut off at the end. */
function isUtf8Beginning(bytes: Buffer): boolean {
  return [0, 1, 2, 3].some((cut) => isUtf8(bytes.subarray(0, Math.max(0, bytes.length - cut))))
}

/** The bytes as they are in the file, unpacked. */
async function* readBytes(context: ReadContext): AsyncGenerator<Buffer> {
  const magic = await beginning(context)
  const isZstd = magic.readUInt32BE(0) === 0x28b52ffd
  if (!isZstd && context.file.endsWith('.zst')) {
    throw new InputError(
      `header in ${context.file}: expected zstd (28 b5 2f fd), got ${magic.toString('hex')}. Is it cut or misnamed?`,
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
  for await (const chunk of isGzip ? gunzip(context) : isZstd ? unzstd(context) : raw(context, PLAIN_CHUNK_BYTES)) {
    if (isFirst && context.encoding === undefined) refuseMarked(context, chunk)
    isFirst = false
    yield chunk
  }
}

/** The bytes as they are stored. */
async function* raw(context: ReadContext, pieceBytes: number): AsyncGenerator<Buffer> {
  const { file, source } = context
  const stored: AsyncIterable<Buffer> =
    source === undefined ? createReadStream(file, { highWaterMark: pieceBytes }) : piecesOf(source, pieceBytes)
  for await (const chunk of stored) {
    context.taken?.(chunk.length)
    yield chunk
  }
}

/** The first four bytes, zeros where there are fewer. */
async function beginning({ file, source }: ReadContext): Promise<Buffer> {
  if (source === undefined) return bytesAt(file, 0, 4)
  const bytes = Buffer.alloc(4)
  bytes.set(await source.read(0, Math.min(4, source.size)))
  return bytes
}

/**
 * The last bytes of a gzip file say how long it becomes. Where that is too long, it is unpacked once for the count alone: a bomb is
 * then refused before its first row is worked on, and a file that is cut, whose last bytes say something else, is read all the same.
 */
async function refuseBomb(context: ReadContext): Promise<void> {
  const { file, limits, source } = context
  // What lies elsewhere is not fetched twice: its rows are worked on until the limit is met.
  if (source !== undefined) return
  const { size } = statSync(file)
  const expanded = size < 18 ? 0 : bytesAt(file, size - 4, 4).readUInt32LE(0)
  if (expanded <= limits.freeExpansionBytes || expanded <= limits.maxExpansion * size) return
  const silent = { file, limits, notice: () => {}, bad: () => {}, good: () => {} }
  for await (const _ of gunzip(silent)); // throws at the limit
}

async function* gunzip(context: ReadContext): AsyncGenerator<Buffer> {
  const { file } = context
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
    checkExpansion(context, compressed, expanded, 'gzip')
    return taken
  }
  try {
    for await (const chunk of raw(context, GZIP_CHUNK_BYTES)) {
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

/** By fzstd, in JavaScript: Node 20 has no zstd of its own. */
async function* unzstd(context: ReadContext): AsyncGenerator<Buffer> {
  const { file } = context
  const { Decompress } = await import('fzstd')
  let ready: Buffer[] = []
  const stream = new Decompress((chunk) => ready.push(Buffer.from(chunk)))
  let compressed = 0
  let expanded = 0
  let fault: string | undefined
  let isOver = false
  const push = (chunk: Uint8Array, isLast: boolean): Buffer[] => {
    try {
      stream.push(chunk, isLast)
    } catch (error) {
      fault = (error as Error).message
    }
    const taken = ready
    ready = []
    for (const { length } of taken) expanded += length
    checkExpansion(context, compressed, expanded, 'zstd')
    return taken
  }
  for await (const chunk of raw(context, GZIP_CHUNK_BYTES)) {
    compressed += chunk.length
    yield* push(chunk, false)
    if (fault !== undefined) break
  }
  if (fault === undefined) {
    yield* push(new Uint8Array(0), true)
    isOver = fault !== undefined
  }
  if (fault === undefined) return
  context.notice(`${file}: the zstd stream is ${isOver ? 'cut short' : 'damaged'}; ${expanded} bytes could be read`)
  context.bad({
    reason: isOver ? 'truncated' : 'damaged',
    line: 0,
    offset: expanded,
    length: 0,
    detail: `zstd: ${fault} after ${compressed} compressed bytes`,
  })
}

function checkExpansion({ file, limits }: ReadContext, compressed: number, expanded: number, kind: string): void {
  if (expanded <= limits.freeExpansionBytes || expanded <= limits.maxExpansion * compressed) return
  throw new InputError(
    `expanded size in ${file}:${compressed}: expected at most ${limits.maxExpansion} bytes per compressed byte, ` +
      `got ${Math.round(expanded / compressed)}. This looks like a ${kind} bomb; unpack it first if it is real data`,
  )
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

function refuseMarked({ file, namesEncoding = false }: ReadContext, chunk: Buffer): void {
  const encoding = markedEncoding(chunk)
  if (encoding === undefined) return
  throw new UnsupportedError(
    `encoding in ${file}: expected UTF-8, got ${namesEncoding ? encoding : encoding.slice(0, 6)}. ${otherEncoding(file, encoding, namesEncoding)}`,
  )
}

/** What the byte order mark at the beginning says; undefined where there is none, or one of UTF-8. */
function markedEncoding(beginning: Buffer): 'UTF-32' | 'UTF-16LE' | 'UTF-16BE' | undefined {
  const mark = beginning.subarray(0, 4).toString('hex')
  if (/^(?:fffe0000|0000feff)/.test(mark)) return 'UTF-32'
  return mark.startsWith('fffe') ? 'UTF-16LE' : mark.startsWith('feff') ? 'UTF-16BE' : undefined
}

/** What to do with a file that begins with the mark of `encoding`. */
function otherEncoding(file: string, encoding: 'UTF-32' | 'UTF-16LE' | 'UTF-16BE', namesEncoding: boolean): string {
  if (namesEncoding && encoding !== 'UTF-32')
    return `Set \`encoding: ${encoding.toLowerCase()}\`, for all or for its source`
  // The bare name has the mark read and left out.
  return `Convert it: ${convertAdvice(file, encoding === 'UTF-32' ? encoding : 'UTF-16')}`
}
