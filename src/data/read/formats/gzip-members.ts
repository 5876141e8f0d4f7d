// A gzip file of many members, as web archives are: each member by itself, so that one that is damaged costs only what is in it. zlib
// alone stops at the first fault and drops what it had in hand.

import { closeSync, openSync, readSync } from 'node:fs'
import { constants, inflateRawSync } from 'node:zlib'
import { InputError } from '../../../errors.ts'
import { readChunks } from './chunks.ts'
import type { ReadContext } from './read-context.ts'

const FIRST_BYTES = 256 * 1024
/** A member longer than this is no record but a whole file. */
const MOST_BYTES = 64 * 1024 * 1024
const MAGIC = Buffer.from([0x1f, 0x8b, 0x08])

/** The unpacked bytes, member by member; those of any other file as `readChunks` has them. Damaged members are reported. */
export async function* readMembers(context: ReadContext): AsyncGenerator<Buffer> {
  const { file, limits } = context
  const handle = openSync(file, 'r')
  try {
    let buffer = Buffer.alloc(0)
    let position = 0
    let expanded = 0
    let isFirst = true
    /** Makes the buffer `bytes` long where the file has so many. */
    const fill = (bytes: number): boolean => {
      if (buffer.length >= bytes) return true
      const more = Buffer.alloc(bytes - buffer.length)
      const count = readSync(handle, more, 0, more.length, position + buffer.length)
      buffer = Buffer.concat([buffer, more.subarray(0, count)])
      return count === more.length
    }
    const skip = (bytes: number): void => {
      buffer = buffer.subarray(bytes)
      position += bytes
      context.taken?.(bytes)
    }
    /** Where the next member seems to begin; -1 where there is none. */
    const nextMember = (): number => {
      for (let from = 1; ; from = Math.max(1, buffer.length - 2)) {
        const at = buffer.indexOf(MAGIC, from)
        if (at !== -1) return at
        const before = buffer.length
        if (before >= MOST_BYTES) return -1
        fill(2 * before)
        if (buffer.length === before) return -1
      }
    }
    for (;;) {
      let hasMore = fill(FIRST_BYTES)
      if (buffer.length === 0) return
      if (isFirst && !buffer.subarray(0, 3).equals(MAGIC)) return yield* readChunks(context)
      let member = inflate(buffer, limits.maxLineBytes)
      while (member === 'cut' && hasMore && buffer.length < MOST_BYTES) {
        hasMore = fill(2 * buffer.length)
        member = inflate(buffer, limits.maxLineBytes)
      }
      if (member === 'cut' && hasMore && isFirst) return yield* readChunks(context)
      isFirst = false
      if (typeof member === 'object') {
        skip(member.consumed)
        expanded += member.bytes.length
        yield member.bytes
        continue
      }
      if (member === 'long') {
        throw new InputError(
          `member in ${file}:${position}: expected at most ${limits.maxLineBytes} bytes unpacked, got more. This looks like a gzip bomb`,
        )
      }
      const isCut = member === 'cut' && !hasMore
      const next = isCut ? -1 : nextMember()
      context.notice(
        `${file}: the gzip member at byte ${position} is ${isCut ? 'cut short' : 'damaged'}; ${next === -1 ? `${expanded} bytes could be read` : 'it is left out'}`,
      )
      context.bad({
        reason: isCut ? 'truncated' : 'damaged',
        line: 0,
        offset: expanded,
        length: next === -1 ? buffer.length : next,
        detail: `gzip member at compressed byte ${position}`,
      })
      if (isCut) yield partOf(buffer, limits.maxLineBytes)
      if (next === -1) return
      skip(next)
    }
  } finally {
    closeSync(handle)
  }
}

type Member = { bytes: Buffer; consumed: number } | 'cut' | 'damaged' | 'long'

function inflate(buffer: Buffer, most: number): Member {
  const start = headerEnd(buffer)
  if (start === undefined) return buffer.length < 64 ? 'cut' : 'damaged'
  try {
    const { buffer: bytes, engine } = inflateRawSync(buffer.subarray(start), {
      info: true,
      maxOutputLength: most,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    return { bytes, consumed: Math.min(buffer.length, start + engine.bytesWritten + 8) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'Z_BUF_ERROR' ? 'cut' : code === 'ERR_BUFFER_TOO_LARGE' ? 'long' : 'damaged'
  }
}

/** What can be unpacked of a member without its end. */
function partOf(buffer: Buffer, most: number): Buffer {
  const start = headerEnd(buffer)
  if (start === undefined) return Buffer.alloc(0)
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: most }
    return inflateRawSync(buffer.subarray(start), options)
  } catch {
    return Buffer.alloc(0)
  }
}

/** Where the packed bytes begin (RFC 1952); undefined where there is no whole header. */
function headerEnd(buffer: Buffer): number | undefined {
  if (buffer.length < 10 || !buffer.subarray(0, 3).equals(MAGIC)) return undefined
  const flags = buffer[3]!
  let at = 10
  if (flags & 4) at += 2 + (buffer.length >= 12 ? buffer.readUInt16LE(10) : 0)
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue
    const end = buffer.indexOf(0, at)
    if (end === -1) return undefined
    at = end + 1
  }
  if (flags & 2) at += 2
  return at < buffer.length ? at : undefined
}
