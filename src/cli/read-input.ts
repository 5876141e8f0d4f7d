// Text that a user names on the command line: a file, or `-` for standard input.

import { createReadStream } from 'node:fs'
import { hasCode, InputError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'

const MAX_BYTES = 256 << 20
/** What a shell puts in place of `<(command)`: a pipe, but one with somebody at its other end. */
const OPEN_ALREADY = /^\/(?:dev\/fd|proc\/self\/fd)\/\d+$|^\/dev\/stdin$/

/** The text of a UTF-8 file, or of standard input for `-`; InputError if there is none, or it is too large or no text. */
export async function readInput(
  path: string,
  stdin: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<string> {
  const bytes = path === '-' ? await readAll(stdin, path) : await readBytes(path)
  const name = nameOf(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InputError(`${name}: expected UTF-8 text, got other bytes. Convert it to UTF-8`, { cause })
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    if (OPEN_ALREADY.test(path)) return await readAll(createReadStream(path), path)
    return readBounded(path, MAX_BYTES)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`${path}: expected a file, got nothing. Check the path`)
    throw error
  }
}

async function readAll(stream: AsyncIterable<Uint8Array | string>, path: string): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk))
    size += chunk.length
    if (size > MAX_BYTES)
      throw new InputError(`${nameOf(path)}: expected at most ${MAX_BYTES} bytes, got ${size}. Split it`)
  }
  return Buffer.concat(chunks)
}

const nameOf = (path: string): string => (path === '-' ? 'standard input' : path)
