// Text that a user names on the command line: a file, or `-` for standard input.

import { readFile, stat } from 'node:fs/promises'
import { hasCode, InputError } from '../errors.ts'

const MAX_BYTES = 256 << 20

/** The text of a UTF-8 file, or of standard input for `-`; InputError if there is none, or it is too large or no text. */
export async function readInput(
  path: string,
  stdin: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<string> {
  const bytes = path === '-' ? await readAll(stdin) : await readBytes(path)
  const name = nameOf(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InputError(`${name}: expected UTF-8 text, got other bytes. Convert it to UTF-8`, { cause })
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    checkSize((await stat(path)).size, path)
    return await readFile(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`${path}: expected a file, got nothing. Check the path`)
    if (hasCode(error, 'EISDIR')) throw new InputError(`${path}: expected a file, got a directory`)
    throw error
  }
}

async function readAll(stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk))
    size += chunk.length
    checkSize(size, '-')
  }
  return Buffer.concat(chunks)
}

function checkSize(size: number, path: string): void {
  if (size <= MAX_BYTES) return
  throw new InputError(`${nameOf(path)}: expected at most ${MAX_BYTES} bytes, got ${size}. Split it`)
}

const nameOf = (path: string): string => (path === '-' ? 'standard input' : path)
